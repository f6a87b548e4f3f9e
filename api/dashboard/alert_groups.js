/**
 * In which groups alerts stand: what nobody looks after and what somebody does; in a surge, incidents and what has a
 * cause of its own. Nothing is swallowed: every alert is in a group.
 */

import { state } from "./store.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {{ group: string, n: number }} Group */
/** @typedef {{ member: Alert, of: number }} Member  under an incident that is unfolded */
/** @typedef {{ rest: number, of: number }} Rest  so many more under it */
/** @typedef {Group | Member | Rest | Alert} Item */

// Of an incident so many members stand under it; the others have a list of their own.
export const MEMBERS_SHOWN = 4;

/** @param {Item} item @returns {item is Alert} */
export const isAlert = (item) => "version" in item;

/** Nothing is to be done about it any more: what it was is all there is to show. @param {Alert} alert */
export const isOver = (alert) => alert.state === "cleared" && (alert.acked || alert.historical);

/** @param {Alert} alert */
export const isIncident = (alert) => alert.members !== null;

/**
 * @param {Alert[]} shown  in the order they have
 * @param {boolean} holds  that order is held: an acknowledged one keeps its place among the others
 * @param {(alert: Alert) => (Member | Rest)[]} unfold
 * @returns {Item[]}
 */
export function byState(shown, holds, unfold) {
  const unacked = shown.filter((alert) => !alert.acked);
  const lastUnacked = shown.findLastIndex((alert) => !alert.acked) + 1;
  const cut = holds ? lastUnacked : unacked.length;
  return [
    ...headed("unacked", unacked.length, shown.slice(0, cut), unfold),
    ...headed("acked", shown.length - unacked.length, shown.slice(cut), unfold),
  ];
}

/** @param {Alert[]} shown @param {(alert: Alert) => (Member | Rest)[]} unfold @returns {Item[]} */
export function byCause(shown, unfold) {
  const incidents = shown.filter(isIncident),
    single = shown.filter((alert) => !isIncident(alert));
  return [
    ...headed("incidents", incidents.length, incidents, unfold),
    ...headed("single", single.length, single, unfold),
  ];
}

/** @param {string} group @param {number} n @param {Alert[]} alerts @param {(alert: Alert) => (Member | Rest)[]} unfold @returns {Item[]} */
const headed = (group, n, alerts, unfold) =>
  alerts.length
    ? [{ group, n }, ...alerts.flatMap((alert) => [alert, ...(isIncident(alert) ? unfold(alert) : [])])]
    : [];

/** Whether alerts come faster than anybody can read them. */
export const isSurge = () => Boolean(state.counts?.flood);

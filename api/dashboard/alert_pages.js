/** A list of alerts that are not among the open ones, a page at a time: shelved, suppressed, over. */

import { ApiError, call } from "./load.js";
import { state } from "./store.js";

/** @typedef {import("./store.js").Alert} Alert */

const PAGE = 100;
// A burst of changes is one question.
const BURST_MS = 1_000;

/** @param {string} path  of the API @param {(alert: Alert) => boolean} belongs @param {() => void} changed */
export function alertPages(path, belongs, changed) {
  /** @type {string | null} */
  let cursor = null;
  let asking = 0,
    waiting = 0,
    shown = 0;

  /** @param {number} limit @param {string} after */
  async function page(limit, after) {
    const turn = ++asking;
    try {
      const older = after && `&cursor=${encodeURIComponent(after)}`;
      const answer = await call(`${path}&limit=${limit}${older}`);
      if (turn !== asking) return;
      pages.alerts = after ? [...pages.alerts, ...answer.items] : answer.items;
      cursor = answer.next_cursor;
      shown = pages.alerts.length;
      pages.loaded = true;
      pages.failed = null;
    } catch (error) {
      if (turn !== asking) return;
      pages.failed = { status: error instanceof ApiError ? error.status : 0 };
    }
    changed();
  }

  const pages = {
    /** @type {Alert[]} */
    alerts: [],
    loaded: false,
    /** @type {{ status: number } | null} */
    failed: null,
    hasMore: () => cursor !== null,
    more: () => page(PAGE, cursor ?? ""),
    /** As they are now, as far as they were shown. */
    again: () => page(Math.max(PAGE, shown), ""),
    /** What the stream told of them; they are asked for anew where one came or went. */
    current() {
      const known = pages.alerts.map((alert) => newer(alert));
      return known.filter(belongs);
    },
    /** Something has changed: ask soon. */
    soon() {
      waiting ||= window.setTimeout(() => {
        waiting = 0;
        pages.again();
      }, BURST_MS);
    },
    close() {
      clearTimeout(waiting);
      asking++;
    },
  };
  return pages;
}

/** @param {Alert} alert */
export function newer(alert) {
  const told = state.alerts.get(alert.id) ?? state.others.get(alert.id);
  return told && told.version >= alert.version ? told : alert;
}

/**
 * What people do to alerts: what the operator saw is what is acted on, each alert is judged on its own, and whoever was
 * first is named. What can be taken back is offered to be, for ten seconds.
 */

import { announce, toast } from "./announce.js";
import { now } from "./clock.js";
import { ago, moment, number, said, time } from "./format.js";
import { ApiError, call } from "./load.js";
import { refusalOf } from "./roles.js";
import { changed, putAlert, state } from "./store.js";
import { offerUndo } from "./undo.js";
import { t } from "./words/act.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {"ack" | "unack" | "shelve" | "unshelve" | "comment" | "assign"} Action */
/** @typedef {{ reason?: string, until?: string, scope?: "alert" | "rule", assignee?: string | null }} Terms */
/** @typedef {{ alert: Alert, problem: string }} Refused */

const { underWay } = state;
const CONFLICT = 409,
  CHANGED = 412,
  FORBIDDEN = 403,
  GONE = 404;

/** What goes with each action when it is done to one alert. @type {Record<Action, (terms: Terms) => object>} */
const BODIES = {
  ack: ({ reason }) => (reason ? { comment: reason } : {}),
  unack: ({ reason }) => ({ reason }),
  shelve: ({ reason, until, scope }) => ({ reason, until, scope }),
  unshelve: ({ reason }) => (reason ? { reason } : {}),
  comment: ({ reason }) => ({ comment: reason }),
  assign: ({ assignee = null, reason }) => ({ assignee, ...(reason ? { reason } : {}) }),
};

/**
 * @param {Action} action
 * @param {Alert[]} alerts  as they were shown
 * @param {Terms} [terms]
 * @param {{ any?: boolean }} [options]  any: whatever has become of them meanwhile
 * @returns {Promise<Refused[] | null>}  those to which it was not done; null: nothing was asked
 */
export async function act(action, alerts, terms = {}, { any = false } = {}) {
  const why = refusalOf("operator");
  if (why !== null) {
    toast(why, "person");
    return null;
  }
  const those = alerts.filter((alert) => !underWay.has(alert.id) && !(action === "ack" && alert.acked));
  if (!those.length) return null;
  for (const { id } of those) underWay.add(id);
  changed("alerts");
  try {
    return those.length === 1 ? await toOne(action, those[0], terms, any) : await toMany(action, those, terms, any);
  } finally {
    for (const { id } of those) underWay.delete(id);
    changed("alerts");
  }
}

/** @param {Action} action @param {Alert} alert @param {Terms} terms @param {boolean} any @returns {Promise<Refused[]>} */
async function toOne(action, alert, terms, any) {
  try {
    const headers = { "If-Match": any ? "*" : `"${alert.version}"` };
    const answer = await call(`alerts/${alert.id}/${action}`, { body: BODIES[action](terms), headers });
    putAlert(answer);
    tellDone(action, [alert], [answer], terms);
    return [];
  } catch (error) {
    return failed(action, alert, error, terms);
  }
}

/** @param {Action} action @param {Alert[]} alerts @param {Terms} terms @param {boolean} any @returns {Promise<Refused[]>} */
async function toMany(action, alerts, terms, any) {
  const items = alerts.map(({ id, version }) => (any ? { id } : { id, version }));
  const { reason, ...rest } = terms;
  const given = { action, items, ...rest, ...(reason ? { reason } : {}) };
  /** @type {{ items: { id: number, outcome: string, version: number | null, problem: string | null }[] }} */
  let answer;
  try {
    answer = await call("alerts/bulk", { body: given });
  } catch (error) {
    const status = error instanceof ApiError ? error.status : 0;
    tell(t("not_sent", { status: status || "–" }), "alerts");
    return alerts.map((alert) => ({ alert, problem: error instanceof ApiError ? error.message : String(error) }));
  }
  const known = new Map(alerts.map((alert) => [alert.id, alert]));
  /** @type {Refused[]} */
  const refused = [],
    done = /** @type {Alert[]} */ ([]);
  for (const { id, outcome, version, problem } of answer.items) {
    const alert = /** @type {Alert} */ (known.get(id));
    if (outcome !== "done") refused.push({ alert, problem: problem ?? outcome });
    else {
      const after = { ...alert, ...becomes(action, terms), version: version ?? alert.version };
      putAlert(after);
      done.push(after);
    }
  }
  if (done.length) tellDone(action, alerts, done, terms);
  if (refused.length) announce(() => t("n_refused", { n: number(refused.length) }));
  return refused;
}

/** What an action makes of an alert, until the stream brings it whole. @param {Action} action @param {Terms} terms */
function becomes(action, { until, assignee, reason }) {
  const who = state.me?.name ?? "";
  const at = new Date(now()).toISOString();
  return {
    ack: { acked: true, acked_by: who, acked_at: at, worsened: false },
    unack: { acked: false, acked_by: null, acked_at: null },
    shelve: { shelved_until: until ?? null, shelved_by: who, shelved_why: reason ?? null },
    unshelve: { shelved_until: null, shelved_by: null, shelved_why: null },
    comment: { comment: reason ?? null },
    assign: { assignee: assignee ?? null },
  }[action];
}

/** @param {Action} action @param {Alert[]} before @param {Alert[]} after @param {Terms} terms */
function tellDone(action, before, after, terms) {
  const n = after.length;
  const words = {
    n: number(n),
    who: after[0].acked_by,
    time: time(after[0].acked_at ?? now()),
    until: terms.until ? moment(terms.until) : "",
    assignee: terms.assignee,
  };
  const name = action === "assign" && !terms.assignee ? "unassign" : action;
  const message = n === 1 ? t(`done_${name}`, words) : t(`done_n_${name}`, words);
  const back = takeBack(action, before, after);
  if (back) offerUndo(message, back);
  else toast(message);
  announce(() => message);
}

/**
 * How an action is taken back; null: it cannot be. What is over by being acknowledged stays over, a word stays said.
 * @param {Action} action @param {Alert[]} before @param {Alert[]} after
 * @returns {(() => void) | null}
 */
function takeBack(action, before, after) {
  const reason = t("undo_why");
  const standing = after.filter((alert) => alert.state === "active");
  if (action === "ack" && standing.length) return () => act("unack", standing, { reason }, { any: true });
  if (action === "shelve") return () => act("unshelve", after, { reason }, { any: true });
  if (action !== "assign") return null;
  const was = new Map(before.map((alert) => [alert.id, alert.assignee]));
  return () => {
    for (const assignee of new Set(was.values())) {
      const those = after.filter((alert) => was.get(alert.id) === assignee);
      act("assign", those, { assignee, reason }, { any: true });
    }
  };
}

/**
 * @param {Action} action
 * @param {Alert} alert
 * @param {unknown} error
 * @param {Terms} terms
 * @returns {Refused[]}
 */
function failed(action, alert, error, terms) {
  const status = error instanceof ApiError ? error.status : 0;
  const current = error instanceof ApiError ? /** @type {Alert | undefined} */ (error.problem?.current) : undefined;
  if (current) putAlert(current);
  if (status === CONFLICT && current && action === "ack") {
    // Not an error for the operator: somebody looks after it, which was the aim. What was noted is not lost.
    const since = current.acked_at ? ago(now() - Date.parse(current.acked_at)) : "";
    tell(t("already_acked", { who: current.acked_by ?? "", ago: since }), "person");
    if (terms.reason) act("comment", [current], { reason: terms.reason }, { any: true });
    return [];
  }
  if (status === CHANGED && current) tell(t("alert_changed", { title: said(current.title) }), "alerts");
  else if (status === GONE) tell(t("alert_gone"), "alerts");
  else if (status === FORBIDDEN) tell(t("act_refused", { role: t(`role_${state.me?.role}`) }), "person");
  else if (status >= 400 && status < 500) tell(/** @type {ApiError} */ (error).message, "alerts");
  else tell(t("not_sent", { status: status || "–" }), "alerts");
  return [{ alert, problem: error instanceof ApiError ? error.message : String(error) }];
}

/**
 * @param {string} message
 * @param {"check" | "person" | "alerts"} [sign]
 */
function tell(message, sign) {
  toast(message, sign);
  announce(() => message);
}

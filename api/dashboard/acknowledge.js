/** Acknowledging an alert: what the operator saw is what is acknowledged, and whoever was first is named. */

import { announce, toast } from "./announce.js";
import { now } from "./clock.js";
import { ago, said, time } from "./format.js";
import { ApiError, call } from "./load.js";
import { refusalOf } from "./roles.js";
import { changed, putAlert, state } from "./store.js";
import { t } from "./words/alerts.js";

/** @typedef {import("./store.js").Alert} Alert */

/** Alerts whose acknowledgement is under way. @type {Set<number>} */
export const underWay = new Set();
const CONFLICT = 409,
  CHANGED = 412,
  FORBIDDEN = 403,
  GONE = 404;

/** Why this person cannot acknowledge now; null when they can. */
export const refusal = () => refusalOf("operator");

/**
 * @param {Alert} alert  as it was shown
 * @param {string} [comment]
 * @returns {Promise<boolean>} whether somebody looks after it now
 */
export async function acknowledge(alert, comment = "") {
  const why = refusal();
  if (why !== null) {
    toast(why, "person");
    return false;
  }
  if (alert.acked || underWay.has(alert.id)) return false;
  underWay.add(alert.id);
  changed("alerts");
  try {
    const note = comment.trim();
    const answer = await call(`alerts/${alert.id}/ack`, {
      body: note ? { comment: note } : {},
      headers: { "If-Match": `"${alert.version}"` },
    });
    putAlert(answer);
    tell(t("acked_toast", { time: time(answer.acked_at), who: answer.acked_by }));
    return true;
  } catch (error) {
    return failed(error);
  } finally {
    underWay.delete(alert.id);
    changed("alerts");
  }
}

/**
 * @param {unknown} error
 */
function failed(error) {
  const status = error instanceof ApiError ? error.status : 0;
  const current = error instanceof ApiError ? /** @type {Alert | undefined} */ (error.problem?.current) : undefined;
  if (current) putAlert(current);
  if (status === CONFLICT && current) {
    // Not an error for the operator: somebody looks after it, which was the aim.
    const since = current.acked_at ? ago(now() - Date.parse(current.acked_at)) : "";
    tell(t("already_acked", { who: current.acked_by ?? "", ago: since }), "person");
    return true;
  }
  if (status === CHANGED && current) tell(t("alert_changed", { title: said(current.title) }), "alerts");
  else if (status === GONE) tell(t("alert_gone"), "alerts");
  else if (status === FORBIDDEN) tell(t("ack_refused", { role: t(`role_${state.me?.role}`) }), "person");
  else tell(t("ack_failed", { status: status || "–" }), "alerts");
  return false;
}

/**
 * @param {string} message
 * @param {"check" | "person" | "alerts"} [sign]
 */
function tell(message, sign) {
  toast(message, sign);
  announce(() => message);
}

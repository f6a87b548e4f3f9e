/** What happened to an alert, newest first: its transitions, what people did, and whom it was told to. */

import { levelName, valueText } from "./alert_text.js";
import { h } from "./dom.js";
import { moment, timeWithSeconds } from "./format.js";
import { icon, severityMark } from "./marks.js";
import { SOP_CHECK } from "./alert_sop.js";
import { t } from "./words/alerts.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./store.js").Transition} Transition */
/** @typedef {{ id: number, made_at: string, who: string, channel: string, what: string, state: string, tries: number,
 *    next_try_at: string | null, sent_at: string | null, error: string | null }} Notice */
/** @typedef {{ role: string | null, sop: import("./store.js").Text | null, report_s: number | null }} Procedure */
/** @typedef {Alert & { history: Transition[], notices: Notice[], procedure: Procedure | null }} Whole */

// Hold times and batches make an alert known some seconds after it began; more is worth saying.
const DETECTED_LATE_MS = 1_000;
/** What people and the server do; all else is what the rule found. @type {Record<string, import("./marks.js").IconName>} */
const SIGNS = {
  acked: "check",
  unacked: "person",
  shelved: "shelve",
  unshelved: "shelve",
  commented: "comment",
  assigned: "person",
  suppressed: "shelve",
  released: "live",
  cleared: "live",
};

/** @param {Whole} whole @returns {HTMLElement[]} */
export function storyOf(whole) {
  const events = whole.history.map((each) => ({ at: each.event_at, element: () => event(whole, each) }));
  const notices = whole.notices.map((each) => ({ at: each.sent_at ?? each.made_at, element: () => notice(each) }));
  return [...events, ...notices]
    .map((each, i) => ({ ...each, i }))
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || b.i - a.i)
    .map(({ element }) => element());
}

/** @param {string} at */
const stamp = (at) => h("time", { datetime: at, title: timeWithSeconds(Date.parse(at)) }, moment(at));

/** @param {Alert} alert @param {Transition} each */
function event(alert, each) {
  const from = levelName(alert, each.from_severity, null),
    to = levelName(alert, each.to_severity, each.siaga);
  const checked = each.what === "commented" && each.why?.startsWith(SOP_CHECK);
  const until = each.until ? moment(each.until) : "";
  const values = { from, to, until, who: each.who ?? "", assignee: each.assignee ?? t("nobody") };
  const words = checked ? t("t_checked", values) : t(`t_${each.what}`, values);
  const byRule = !(each.what in SIGNS) || each.what === "cleared";
  const value = byRule ? valueText(each.value, alert) : "";
  const late = byRule && Date.parse(each.detected_at) - Date.parse(each.event_at) > DETECTED_LATE_MS;
  const sign = SIGNS[each.what]
    ? icon(checked ? "check" : SIGNS[each.what])
    : severityMark(each.to_severity ?? alert.severity, {
        digit: each.siaga !== null && each.siaga < 4 ? each.siaga : null,
        size: 14,
      });
  return h(
    "li",
    {},
    stamp(each.event_at),
    sign,
    h(
      "span",
      {},
      words,
      value && `, ${value}`,
      each.why && (checked ? `: ${each.why.slice(SOP_CHECK.length)}` : `: “${each.why}”`),
      late && h("span.sub", {}, t("detected_later", { time: timeWithSeconds(Date.parse(each.detected_at)) })),
    ),
  );
}

/** @param {Notice} each */
function notice(each) {
  const became =
    each.state === "sent"
      ? t("notice_sent", { time: moment(each.sent_at ?? each.made_at) })
      : t(`notice_${each.state}`, { tries: each.tries, time: each.next_try_at ? moment(each.next_try_at) : "" });
  return h(
    "li",
    {},
    stamp(each.sent_at ?? each.made_at),
    icon("comment"),
    h(
      "span",
      {},
      t("notice", { channel: each.channel, who: each.who }),
      `: ${became}`,
      each.error && h("span.sub", {}, each.error),
    ),
  );
}

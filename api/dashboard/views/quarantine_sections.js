/** Parts of one group: the packet as it came, what a replay would make of it, prevention, and its trail. */

import { toast } from "../announce.js";
import { h } from "../dom.js";
import { moment, ms, number, timeWithSeconds } from "../format.js";
import { message, skeleton } from "../parts.js";
import { may } from "../roles.js";
import { state } from "../store.js";
import { t } from "../words/quarantine.js";
import { outcomeText } from "./quarantine_act.js";
import { senderOf } from "./quarantine_data.js";
import { guilty } from "./quarantine_why.js";

/** @typedef {import("./quarantine_data.js").Group} Group */
/** @typedef {{ entries: import("./quarantine_data.js").Entry[], whole: import("./quarantine_data.js").Whole[] }} Found */
/** @typedef {ReturnType<typeof import("./quarantine_why.js").foretold>} Foretold */

const SHOWN_CHARS = 2_000;

/** @param {Group} of */
export const isStranger = (of) => of.reason === "unknown_device" && !state.devices.has(senderOf(of));

/** @param {Group} of */
export const isOpen = (of) => Boolean(of.states.open || of.states.claimed);

/** @param {Found | null} found @param {string | null} failed */
export function packet(found, failed) {
  if (!may("operator"))
    return h("div.sect", {}, h("h3", {}, t("packet")), h("p.t3", {}, t("needs_role", { role: t("role_operator") })));
  if (failed) return h("div.sect", {}, message(t("cannot_load", { what: t("packet") }), failed));
  const first = found?.whole[0];
  if (!first) return h("div.sect", {}, skeleton(3));
  const marked = guilty(first);
  const title = `${t("packet")}, ${timeWithSeconds(ms(first.first_seen))}`;
  return h(
    "div.sect",
    {},
    h("h3", {}, title),
    first.has_payload
      ? h(
          "pre.packet",
          { tabindex: 0, role: "region", "aria-label": title },
          withMark(first.topic, marked.topic),
          "\n",
          first.payload_text === null
            ? t("no_text", { n: number(first.payload_base64?.length) })
            : withMark(first.payload_text, marked.payload),
        )
      : h("p.t3", {}, t("no_payload")),
  );
}

/** @param {Group} group @param {Found | null} found @param {Foretold | null} told */
export function preview(group, found, told) {
  if (!found || !isOpen(group)) return null;
  const title = t(isStranger(group) ? "if_registered" : "if_replayed");
  const section = (/** @type {any} */ content) => h("div.sect", {}, h("h3", {}, title), content);
  if (!told) return section(skeleton(3));
  const { reading, duplicate, conflict, stays, unread, late, first, last, hours, days } = told;
  const line = (/** @type {string} */ word, /** @type {any} */ value, strong = false) => [
    h("dt", {}, word),
    h(strong ? "dd.b" : "dd", {}, value),
  ];
  return section([
    h(
      "dl.kv",
      {},
      line(t("p_reading"), number(reading), true),
      reading > 0 && line(t("p_times"), reading > 1 ? `${moment(first)} – ${moment(last)}` : moment(first)),
      line(t("p_duplicate"), number(duplicate)),
      line(t("p_conflict"), number(conflict)),
      line(t("p_stays"), number(stays + unread), stays + unread > 0),
      reading > 0 && line(t("p_rollups"), t("hours_days", { hours: number(hours), days: number(days) })),
      reading > 0 && line(t("p_live"), number(reading - late), reading > late),
      reading > 0 && line(t("p_late"), number(late)),
    ),
    found.whole.length < found.entries.length &&
      h("p.t3.note", {}, t("p_of_newest", { n: number(found.whole.length), all: number(found.entries.length) })),
    unread > 0 && h("p.t3.note", {}, t("p_unread")),
  ]);
}

/** @param {Group} of @param {Found | null} found */
export function prevention(of, found) {
  return h(
    "div.sect",
    {},
    h("h3", {}, t("prevention")),
    h("p.t2", {}, t(`prevent_${of.reason}`)),
    h("button.btn.small", { type: "button", onclick: () => copyReport(of, found) }, t("copy_report")),
  );
}

/** @param {Group} of @param {Found | null} found */
async function copyReport(of, found) {
  const first = found?.whole[0];
  const lines = [
    `Siaga: ${t(`reason_${of.reason}`)}, ${senderOf(of)}`,
    t("report_count", { n: number(of.count), first: moment(of.first_seen), last: moment(of.last_seen) }),
    of.detail,
    first?.topic ?? of.topic,
    first?.payload_text ?? "",
  ];
  try {
    await navigator.clipboard.writeText(lines.join("\n"));
    toast(t("copied"));
  } catch {
    toast(t("not_copied"), "alerts");
  }
}

/** @param {Group} group @param {Found | null} found */
export function trail(group, found) {
  if (!found) return null;
  const events = found.whole.flatMap((each) => each.events);
  const once = [...new Map(events.map((each) => [`${each.at} ${each.what} ${each.who}`, each])).values()].sort((a, b) =>
    a.at.localeCompare(b.at),
  );
  const claimed = new Map(
    found.entries.flatMap((each) => (each.state === "claimed" ? [[each.claimed_by, each.claimed_at]] : [])),
  );
  return h(
    "div.sect",
    {},
    h("h3", {}, t("trail")),
    h(
      "ul.trail",
      {},
      once.map((each) =>
        h(
          "li",
          {},
          h("time", {}, moment(each.at)),
          ` ${t(`event_${each.what}`)}`,
          ` · ${each.who}`,
          each.note && ` · ${each.note}`,
          each.outcome && ` · ${outcomeText(each.outcome)}`,
        ),
      ),
      !claimed.size && isOpen(group) && h("li.t3", {}, t("not_claimed")),
    ),
  );
}

/** @param {string} text_ @param {[number, number] | null} span */
function withMark(text_, span) {
  const cut = text_.length > SHOWN_CHARS ? text_.slice(0, SHOWN_CHARS) : text_;
  const more =
    text_.length > cut.length && h("span.t3", {}, ` ${t("more_chars", { n: number(text_.length - cut.length) })}`);
  if (!span || span[0] >= cut.length) return [cut, more];
  return [cut.slice(0, span[0]), h("mark", {}, cut.slice(span[0], span[1]) || " "), cut.slice(span[1]), more];
}

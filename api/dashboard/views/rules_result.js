/** What came of a dry run: how many alerts, what the proposal would have cost, day by day and alert by alert. */

import { h, s } from "../dom.js";
import { age, date, moment, number, signed } from "../format.js";
import { message } from "../parts.js";
import { segments } from "../segments.js";
import { deviceName } from "../store.js";
import { t } from "../words/rules.js";

/** @typedef {"lost" | "milder" | "later" | "sooner" | "joined" | "new"} What */
/** @typedef {{ begin: string, end: string, severity: number }} Stood */
/** @typedef {{ what: What, rule: string, device_id: string, severity: number, before: Stood | null, after: Stood | null }} Changed */
/** @typedef {{ alerts: number, floods: number, transitions: number }} Total */
/** @typedef {{ from: string, to: string, devices: number, readings: number, current: Total, candidate: Total,
 *    days: { day: string, current: number, candidate: number }[], short: { current: number, candidate: number },
 *    price: { same: number, counts: Partial<Record<What, number>>, later_s: number | null, severe: number, named: Changed[] } }} Answer */

/** @type {readonly What[]} */
export const WHATS = ["lost", "milder", "later", "sooner", "joined", "new"];

/**
 * @param {Answer} answer
 * @param {{ shown: What | null, show: (what: What) => void, tick: (words: string) => Node }} options  shown: which changes are
 *   listed; tick: a box to tick
 */
export function trialResult({ current: now, candidate, price, days: counts, short, from, to }, { shown, show, tick }) {
  const share = now.alerts ? ` (${signed((100 * (candidate.alerts - now.alerts)) / now.alerts, 0)}%)` : "";
  const most = (/** @type {"current" | "candidate"} */ run) => Math.max(0, ...counts.map((each) => each[run]));
  const severe = price.named.filter((each) => ["lost", "milder"].includes(each.what) && each.severity >= 2);
  const names = [...new Set(severe.map(({ device_id }) => deviceName(device_id)))].slice(0, 5).join(", ");
  return [
    h(
      "div.body.verdict",
      {},
      h(
        "p.headline",
        {},
        t("headline", { before: number(now.alerts), after: number(candidate.alerts) }),
        h("span.t3", {}, share),
      ),
      h("p", {}, priceText(price)),
    ),
    price.severe > 0 && h("div.body", {}, tick(t("understand_severe", { n: number(price.severe), names }))),
    h("div.body", {}, dayBars(counts, from, to)),
    h(
      "table.compact",
      { "aria-label": t("compared") },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td"),
          h("th.r", { scope: "col" }, t("now")),
          h("th.r", { scope: "col" }, t("proposal")),
          h("th.r", { scope: "col" }, t("difference")),
        ),
      ),
      h(
        "tbody",
        {},
        compared("c_alerts", now.alerts, candidate.alerts),
        compared("c_most", most("current"), most("candidate")),
        compared("c_floods", now.floods, candidate.floods),
        compared("c_short", short.current, short.candidate),
        compared("c_changes", now.transitions, candidate.transitions),
      ),
    ),
    changes(price, shown, show),
  ];
}

/** @param {Answer["price"]} price @param {What | null} shown @param {(what: What) => void} show */
function changes({ counts, named }, shown, show) {
  const there = WHATS.filter((what) => counts[what]);
  if (!there.length) return message(t("nothing_changes"));
  const rows = named.filter(({ what }) => what === shown).sort((a, b) => beginOf(b) - beginOf(a));
  const longest = Math.max(...rows.map((each) => endOf(each) - beginOf(each)), 60_000);
  return [
    h(
      "div.body.whats",
      {},
      segments(
        t("changed_alerts"),
        there.map((what) => /** @type {const} */ ([what, `${t(`what_${what}`)} ${number(counts[what])}`])),
        () => shown ?? there[0],
        show,
      ),
      h("span.t3", {}, t("line_legend")),
    ),
    h(
      "ul.changes",
      {},
      rows.map((each) => changeRow(each, longest)),
    ),
    rows.length < (counts[/** @type {What} */ (shown)] ?? 0) &&
      h("p.t3.body", {}, t("named_of", { n: number(rows.length), all: number(counts[/** @type {What} */ (shown)]) })),
  ];
}

/** @param {Answer["price"]} price */
function priceText({ same, counts, later_s, severe }) {
  const kept = same + (counts.later ?? 0) + (counts.sooner ?? 0) + (counts.joined ?? 0) + (counts.milder ?? 0);
  const parts = [
    counts.lost
      ? t("price_lost", { n: number(counts.lost), kept: number(kept) })
      : kept
        ? t("price_none_lost", { n: number(kept) })
        : t("price_none_before"),
  ];
  if (counts.later) parts.push(t("price_later", { n: number(counts.later), age: age((later_s ?? 0) * 1000) }));
  if (counts.milder) parts.push(t("price_milder", { n: number(counts.milder) }));
  if (counts.new) parts.push(t("price_new", { n: number(counts.new) }));
  if (severe) parts.push(t("price_severe", { n: number(severe) }));
  return parts.join(" ");
}

/** @param {string} word @param {number} before @param {number} after */
const compared = (word, before, after) =>
  h(
    "tr",
    {},
    h("th", { scope: "row" }, t(word)),
    h("td.r.t2", {}, number(before)),
    h("td.r.b", {}, number(after)),
    h("td.r", {}, after === before ? "0" : signed(after - before, 0)),
  );

/** @param {Changed} each */
const beginOf = ({ before, after }) => Math.min(...[before, after].flatMap((of) => (of ? [Date.parse(of.begin)] : [])));
/** @param {Changed} each */
const endOf = ({ before, after }) => Math.max(...[before, after].flatMap((of) => (of ? [Date.parse(of.end)] : [])));

/** @param {Changed} each @param {number} longest */
function changeRow(each, longest) {
  const { before, after, device_id } = each,
    stood = before ?? after;
  const lasted = stood ? Date.parse(stood.end) - Date.parse(stood.begin) : 0;
  const label = [
    before && t("was_from", { from: moment(before.begin), to: moment(before.end) }),
    after && t("would_from", { from: moment(after.begin), to: moment(after.end) }),
  ]
    .filter(Boolean)
    .join(", ");
  return h(
    "li",
    {},
    h("time.num", {}, moment(beginOf(each))),
    h("a.link", { href: `/perangkat/${device_id}` }, deviceName(device_id)),
    timeline(each, longest, label),
    h("span.r.num", {}, t("active_for", { age: age(lasted) })),
  );
}

/** Box: stood by the rule of now; dashes: from when and until when it would stand with the proposal. @param {Changed} each @param {number} longest @param {string} label */
function timeline(each, longest, label) {
  const width = 260,
    begin = beginOf(each) - longest * 0.06;
  const x = (/** @type {string} */ at) => Math.round(((Date.parse(at) - begin) / (longest * 1.12)) * width * 10) / 10;
  const { before, after } = each;
  return s(
    "svg.timeline",
    { viewBox: `0 0 ${width} 18`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("path.base", { d: `M0 9H${width}` }),
    before &&
      s("rect.before", { x: x(before.begin), y: 4, width: Math.max(2, x(before.end) - x(before.begin)), height: 10 }),
    after && s("path.after", { d: `M${x(after.begin)} 1V17M${x(after.begin)} 9H${x(after.end)}` }),
  );
}

/** Alerts by day: outline by the rule of now, filled with the proposal. @param {Answer["days"]} counts @param {string} from @param {string} to */
function dayBars(counts, from, to) {
  const days = allDays(counts, from, to),
    peak = Math.max(0, ...days.map(({ current, candidate }) => Math.max(current, candidate))),
    most = Math.max(1, peak);
  const width = 560,
    height = 92,
    step = width / days.length;
  const tall = (/** @type {number} */ n) => (n * height) / most;
  const bar = (/** @type {"current" | "candidate"} */ run) =>
    days
      .map((each, i) =>
        each[run] ? `M${(i + 0.12) * step} ${height}v${-tall(each[run])}h${step * 0.76}v${tall(each[run])}z` : "",
      )
      .join("");
  const label = t("days_label", {
    days: days.length,
    before: number(days.reduce((n, { current }) => n + current, 0)),
    after: number(days.reduce((n, { candidate }) => n + candidate, 0)),
    most: number(peak),
  });
  return [
    h(
      "div.row.legend",
      {},
      h("i.was"),
      t("now"),
      h("i.would"),
      t("proposal"),
      h("span.t3.end", {}, t("per_day", { n: number(peak) })),
    ),
    s(
      "svg.day-bars",
      { viewBox: `0 0 ${width} ${height + 1}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      s("path.base", { d: `M0 ${height}H${width}` }),
      s("path.would", { d: bar("candidate") }),
      s("path.was", { d: bar("current") }),
    ),
    h("div.row.t3.ends", {}, h("span", {}, date(from)), h("span.end", {}, date(to))),
  ];
}

/** Days without any alert too, so that the axis is true. @param {Answer["days"]} counts @param {string} from @param {string} to */
function allDays(counts, from, to) {
  const known = new Map(counts.map((each) => [each.day, each]));
  const first = counts.length
    ? Math.min(Date.parse(counts[0].day), Date.parse(from.slice(0, 10)))
    : Date.parse(from.slice(0, 10));
  const last = Math.max(Date.parse(to.slice(0, 10)), Date.parse(counts.at(-1)?.day ?? from.slice(0, 10)));
  const days = [];
  for (let at = first; at <= last; at += 86_400_000) {
    const day = new Date(at).toISOString().slice(0, 10);
    days.push(known.get(day) ?? { day, current: 0, candidate: 0 });
  }
  return days;
}

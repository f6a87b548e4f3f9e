/** The document that two people sign: sentences and short tables, readable on paper; what has changed since is bold. */

import { h } from "../dom.js";
import { completeness } from "../completeness.js";
import { age, date, moment, number, percent, said, signed as withSign, time, zoneName } from "../format.js";
import { hasLadder, state } from "../store.js";
import { SLOW, alertMark, icon } from "../marks.js";
import { kindInText } from "../parts.js";
import { shortName } from "../gauges.js";
import { t } from "../words/handover.js";
import { byKind, linesOf } from "./handover_lines.js";

/** @typedef {import("./handover_lines.js").Draft} Draft */
/** @typedef {import("./handover_lines.js").Gauge} Gauge */
/** @typedef {import("../store.js").Alert} Alert */
/** told: what is shown; signed: what was signed, or the same; at: the moment it is read at, ms
 *  @typedef {{ told: Draft, signed: Draft, changes: import("./handover_lines.js").Change[], at: number }} Shown */

const MOST_LINES = 40,
  MOST_NAMES = 5,
  LOW_ALONE = 3;
// So little time is left that whoever takes over meets it at once.
const SOON_MS = 30 * 60_000;

/** @param {Shown} shown */
export function documentOf(shown) {
  const { told } = shown;
  const words = { day: date(told.to), from: moment(told.from), to: time(told.to), zone: zoneName() };
  return [
    h("h2.doc-title", {}, t("title")),
    h("p.t2", {}, t("of_time", words)),
    onDuty(told),
    heading(t("rivers")),
    riversOf(shown),
    ...openOf(shown),
    ...asideOf(shown),
    ...degradedOf(shown),
    ...forecastsOf(shown),
  ];
}

/** @param {string} word @param {string} [count] */
const heading = (word, count) => h("h3", {}, word, count && h("span", {}, count));

/** @param {import("./handover_lines.js").Change["what"] | null} change */
const changeTag = (change) => change && h("span.tag.changed", {}, t(`what_${change}`));

/** A line that is no longer so is struck through, one that has come or changed is bold. @param {string | null} change */
const rowClass = (change) => (change === null ? "tr" : `tr.${change}`);

/** @param {Draft} told */
function onDuty({ on_duty }) {
  const teams = (on_duty ?? []).filter((team) => team.on_duty.length);
  if (!teams.length) return null;
  const who = teams.map(({ team, on_duty: people }) => t("team_of", { team, people: people.join(", ") })).join("; ");
  return h("p.t2", {}, t("on_duty", { who }));
}

/** @param {Shown} shown */
function riversOf({ told, signed, changes }) {
  if (!told.rivers.length) return h("p.t2", {}, t("no_rivers"));
  const changed = new Set(changes.filter(({ part }) => part === "gauges").map(({ id }) => id));
  const lively = told.rivers.filter(({ gauges }) => gauges.some((gauge) => isNotable(gauge) || changed.has(gauge.device_id)));
  const calm = told.rivers.filter((river) => !lively.includes(river));
  const before = new Map(signed.rivers.flatMap(({ gauges }) => gauges).map((gauge) => [gauge.device_id, gauge]));
  return [
    lively.map(({ river, gauges }) =>
      h(
        "p",
        {},
        trendOf(river, gauges),
        " ",
        joined(
          gauges
            .filter((gauge) => isNotable(gauge) || changed.has(gauge.device_id))
            .map((gauge) => gaugeText(gauge, changed.has(gauge.device_id) ? before.get(gauge.device_id) : undefined)),
        ),
        ".",
      ),
    ),
    calm.length > 0 && h("p", {}, t("rivers_normal", { rivers: calm.map(({ river }) => river ?? t("unknown")).join(", ") })),
  ];
}

/** Worth a word: it is or was above normal, or nobody knows. @param {Gauge} gauge */
const isNotable = ({ siaga, peak }) => siaga === null || siaga < 4 || (peak !== null && (peak.siaga ?? 4) < 4);

/** @param {string | null} river @param {Gauge[]} gauges */
function trendOf(river, gauges) {
  const rates = gauges.map(({ rate }) => rate ?? 0);
  const fastest = rates.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
  const word = Math.abs(fastest) < SLOW ? "river_steady" : fastest > 0 ? "river_rises" : "river_falls";
  return h("b", {}, t(word, { river: river ?? t("unknown") }));
}

/** @param {Gauge} gauge @param {Gauge} [before]  as it was signed, where it is at another level now */
function gaugeText(gauge, before) {
  const name = nameOf(gauge);
  if (gauge.level_m === null) return t("gauge_unknown", { name });
  const now_ = t("gauge_now", { name, level: metres(gauge.level_m), siaga: levelName(gauge.siaga) });
  const { peak } = gauge;
  const words = peak && { level: metres(peak.level_m), siaga: levelName(peak.siaga), time: moment(peak.at) };
  return [
    before ? [h("s", {}, levelName(before.siaga)), " ", h("b.changed", {}, now_)] : now_,
    words && peak.level_m > gauge.level_m && `, ${t("gauge_peak", words)}`,
  ];
}

/** @param {Gauge} gauge */
function nameOf({ device_id, device_name }) {
  const device = state.devices.get(device_id);
  return device ? shortName(device) : device_name;
}

/** @param {number | null} level */
const metres = (level) => `${number(level, 2)} m`;

/** @param {number | null} siaga */
const levelName = (siaga) => (siaga === null ? t("unknown") : siaga === 4 ? t("level4") : t("siaga", { n: siaga }));

/** @param {any[]} parts */
const joined = (parts) => parts.flatMap((part, i) => (i ? ["; ", part] : [part]));

/** @param {Shown} shown */
function openOf({ told, signed, changes }) {
  const lines = linesOf("open", told, signed, changes);
  // Many low ones that somebody looks after are one line; whatever needs a person has its own.
  const low = lines.filter(({ item, change }) => item.severity === 0 && item.acked && change === null);
  const folded = low.length > LOW_ALONE ? low : [];
  const own = lines.filter((line) => !folded.includes(line));
  const more = told.open.count - told.open.items.length + Math.max(0, own.length - MOST_LINES);
  const gauges = new Map(told.rivers.flatMap((river) => river.gauges).map((gauge) => [gauge.device_id, gauge]));
  const every = told.unacked === told.open.count;
  const unacked = told.unacked ? `, ${every ? t("all_unacked") : t("n_unacked", { n: number(told.unacked) })}` : "";
  return [
    heading(t("still_open"), number(told.open.count) + unacked),
    lines.length
      ? h(
          "table.lines",
          { "aria-label": t("still_open") },
          h(
            "tbody",
            {},
            own.slice(0, MOST_LINES).map(({ item, change }) => openRow(item, change, gauges.get(item.device_id))),
            folded.length > 0 &&
              h(
                "tr",
                {},
                h("td.mk", {}, alertMark(folded[0].item, { size: 15 })),
                h("td.b", {}, t("low_others", { n: number(folded.length) })),
                h("td.t2", { colspan: 2 }, ofKinds(folded.map(({ item }) => item))),
              ),
          ),
        )
      : h("p.t2", {}, t("nothing_open")),
    more > 0 && h("p.t2", {}, h("a.link", { href: "/peringatan" }, t("more_lines", { n: number(more) }))),
  ];
}

/** @param {Alert} alert @param {import("./handover_lines.js").Change["what"] | null} change @param {Gauge} [gauge] */
function openRow(alert, change, gauge) {
  const value = gauge ? [metres(gauge.level_m), gauge.rate !== null && `${withSign(gauge.rate)} ${t("per_hour")}`].filter(Boolean).join(", ") : "";
  const cleared = alert.state === "cleared" && alert.cleared_at;
  const seen = alert.acked
    ? [t("acked_who", { who: alert.acked_by ?? "–" })]
    : [h("b", {}, cleared ? t("over_unseen", { time: moment(cleared) }) : t(alert.worsened ? "worse_unacked" : "not_acked"))];
  const parts = [value, seen, alert.assignee && t("of_assignee", { who: alert.assignee }), alert.comment].filter(Boolean);
  return h(
    rowClass(change),
    {},
    h("td.mk", {}, alertMark(alert, { size: 15 })),
    h("td.b.what", {}, h("a", { href: `/peringatan?id=${alert.id}` }, said(alert.title)), " ", changeTag(change)),
    h("td.t2", {}, parts.flatMap((part, i) => (i ? [" · ", part] : [part]))),
    h("td.r.t3.num", {}, t("since", { time: moment(alert.raised_at) })),
  );
}

/** 3 lampu jalan, 1 pos muka air @param {{ kind: string }[]} items */
function ofKinds(items) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { kind } of items) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, n]) => `${number(n)} ${kindInText(kind)}`).join(", ");
}

/** @param {Shown} shown */
function asideOf({ told, signed, changes, at }) {
  const shelved = linesOf("shelved", told, signed, changes),
    windows = linesOf("windows", told, signed, changes);
  const rows = [
    ...shelved.map(({ item, change }) =>
      asideRow(said(item.title), item.shelved_until, [item.shelved_by, item.shelved_why], change, at),
    ),
    ...windows.map(({ item, change }) => asideRow(t("window_of", { what: item.name }), item.to, [item.who, item.reason], change, at)),
  ];
  return [
    heading(t("put_aside"), number(told.shelved.count + told.windows.count)),
    rows.length
      ? h("table.lines", { "aria-label": t("put_aside") }, h("tbody", {}, rows.slice(0, MOST_LINES)))
      : h("p.t2", {}, t("nothing_aside")),
  ];
}

/**
 * @param {string} what @param {string | null} until @param {(string | null)[]} why
 * @param {import("./handover_lines.js").Change["what"] | null} change @param {number} at
 */
function asideRow(what, until, why, change, at) {
  const left = until === null ? null : Date.parse(until) - at;
  const parts = [until && t("until", { time: moment(until) }), ...why].filter(Boolean).join(" · ");
  const remains = left === null ? "" : left <= 0 ? t("is_over") : t("left", { age: age(left) });
  return h(
    rowClass(change),
    {},
    h("td.mk", {}, icon("shelve")),
    h("td.b.what", {}, what, " ", changeTag(change)),
    h("td.t2", {}, parts),
    h("td.r.num", {}, left !== null && left < SOON_MS ? h("b", {}, remains) : h("span.t3", {}, remains)),
  );
}

/** @param {Shown} shown */
function degradedOf({ told, signed, changes, at }) {
  const { silent, suspect, incomplete } = told.degraded;
  const parts = /** @type {const} */ (["silent", "suspect", "incomplete"]).flatMap((part) => {
    const lines = linesOf(part, told, signed, changes);
    const rest = told.degraded[part].count - told.degraded[part].items.length;
    return lines.length ? [[devicesText(part, lines, at), rest > 0 && ` (+${number(rest)})`]] : [];
  });
  const { share, missing } = completeness(told.ledger);
  const { count, longest } = told.standing;
  const words = { share: percent(share), missing: number(missing), waiting: number(told.quarantine_open) };
  const oldest = longest[0];
  return [
    heading(t("degraded"), number(silent.count + suspect.count + incomplete.count)),
    h("p.t2", {}, parts.length ? [joined(parts), ". "] : `${t("all_report")} `, t("ledger_says", words)),
    count > 0 &&
      oldest &&
      h("p.t2", {}, t("standing", { n: number(count), what: oldest.device_name, age: age(at - Date.parse(oldest.raised_at)) })),
  ];
}

/**
 * Gauges by their names, of other kinds how many.
 * @param {"silent" | "suspect" | "incomplete"} part @param {import("./handover_lines.js").Line<any>[]} lines @param {number} at
 */
function devicesText(part, lines, at) {
  const bold = new Map(lines.map(({ item, change }) => [item.device_id, change]));
  const texts = [...byKind(lines.map(({ item }) => item))].map(([kind, devices]) => {
    const declared = state.kinds.get(kind);
    const named = (declared && hasLadder(declared)) || devices.length <= 2 ? devices.slice(0, MOST_NAMES) : [];
    const changed = devices.filter(({ device_id }) => bold.get(device_id));
    const names = (named.length ? named : changed.slice(0, MOST_NAMES)).map((device) => {
      const change = bold.get(device.device_id) ?? null;
      const old = device.since ? `, ${age(at - Date.parse(device.since))}` : "";
      return h(change ? `span.${change}` : "span", {}, device.device_name, old, change && [" ", changeTag(change)]);
    });
    return [`${number(devices.length)} ${kindInText(kind)}`, names.length > 0 && [" (", joined(names), ")"]];
  });
  const [before, after] = t(part, { what: "\u0000" }).split("\u0000");
  return [before, texts.flatMap((each, i) => (i ? [", ", each] : [each])), after];
}

/** @param {Shown} shown */
function forecastsOf({ told, signed, changes }) {
  const lines = linesOf("forecasts", told, signed, changes);
  const rows = lines.map(({ item, change }) =>
    h(
      `p.t2.${change ?? "same"}`,
      {},
      h("b", {}, item.device_name),
      ": ",
      /** @type {import("../forecast_way.js").Expected[]} */ (item.levels)
        .map(({ siaga, at, earliest, latest }) =>
          t("forecast_says", { siaga: t("siaga", { n: siaga }), at: moment(at), from: time(earliest), to: time(latest) }),
        )
        .join("; "),
      " ",
      changeTag(change),
    ),
  );
  return [heading(t("forecasts"), number(told.forecasts.length)), rows.length ? rows : h("p.t2", {}, t("no_forecasts"))];
}

/** What the document depends on, but for the time that passes: redrawn when something is told otherwise, or a minute later. @param {Shown} shown */
export const documentKey = ({ told, changes, at }) =>
  JSON.stringify([told, changes, Math.floor(at / 60_000), state.devices.size, document.documentElement.lang]);

/** The figures of the shift, at the side. @param {Draft} told */
export function figuresOf({ shift }) {
  const span = (/** @type {number | null} */ s) => (s === null ? "–" : age(s * 1000));
  const dead = { sent: number(shift.notices_sent), dead: number(shift.notices_dead) };
  const rows = /** @type {const} */ ([
    ["raised", number(shift.raised)],
    ["acknowledged", number(shift.acknowledged)],
    ["median", span(shift.median_s)],
    ["longest", span(shift.longest_s)],
    ["in_floods", span(shift.flood_s)],
    ["notices", t("notices_dead", dead)],
  ]);
  return h("dl.figures", {}, rows.map(([word, value]) => [h("dt", {}, t(`${word}`)), h("dd.num", {}, value)]));
}

/** Panels or feeders tonight: each a row with its night as a strip. The API puts what is dark first. */

import { now } from "../clock.js";
import { h, s } from "../dom.js";
import { moment, number, time } from "../format.js";
import { severityMark } from "../marks.js";
import { districtName, state } from "../store.js";
import { strip } from "../strip.js";
import { makeTable } from "../table.js";
import { t } from "../words/lamps.js";
import { darkRuns, dueOf, faultsOf, nameOf, nightSays, partsOf, startOf } from "./lamps_night.js";

/** @typedef {import("./lamps_night.js").Night} Night */
/** @typedef {import("./lamps_night.js").Group} Group */

const HOURS = 12,
  HOUR_MS = 3_600_000;
// An outage is of high severity (alerts/default_rules.toml); what else stands against single lamps is low.
const OUTAGE = 2;

/**
 * @param {"panel" | "feeder"} by
 * @param {() => Night | null} night
 * @param {() => Map<string | null, number>} energy  kWh of the month by group
 * @param {(group: Group) => void} open
 */
export function groupsTable(by, night, energy, open) {
  const axis = h("div.night-axis", {});
  const minute = () => Math.floor(now() / 60_000);
  return {
    axis,
    ...makeTable({
      label: t(by === "panel" ? "panels" : "feeders"),
      keyOf: (/** @type {Group} */ group) => `${group.group ?? "-"} ${group.district ?? "-"}`,
      open,
      rowClass: (group) => (group.dark_since ? "bad" : ""),
      columns: [
        { name: "group", words: t(by), key: (group) => String(group.group), cell: (group) => h("span.b", {}, nameOf(group)) },
        {
          name: "district",
          words: t("district"),
          key: (group) => `${group.district} ${state.districts.size}`,
          cell: (group) => districtName(group.district) ?? "–",
        },
        {
          name: "night",
          words: axis,
          key: (group) => `${JSON.stringify([group.lit_share, group.dark, group.no_data_share, group.dimmed_share])} ${minute()}`,
          cell: (group) => stripOf(group, night()),
        },
        {
          name: "lit.r",
          words: t("lit"),
          key: (group) => `${group.lit} ${group.expected} ${group.lamps}`,
          cell: (group) => {
            const due = group.expected || group.lamps;
            return h("span.num", {}, h(group.expected && group.lit < due ? "b" : "span.t2", {}, number(group.lit)), h("span.t3", {}, `/${number(due)}`));
          },
        },
        { name: "power.r", words: t("power_kw"), key: (group) => String(group.power_w), cell: (group) => number(group.power_w / 1000, 1) },
        {
          name: "energy.r",
          words: t("kwh_month"),
          key: (group) => String(energy().get(group.group)),
          cell: (group) => number(energy().get(group.group) ?? null),
        },
        {
          name: "remark",
          words: t("remark"),
          key: (group) => `${group.dark_since} ${JSON.stringify(group.faults)} ${group.silent} ${group.dark.lastIndexOf(true)}`,
          cell: (group) => remarks(group, night()),
        },
      ],
    }),
  };
}

/** @param {Group} group @param {Night | null} night */
function stripOf(group, night) {
  if (!night) return null;
  const from = startOf(night),
    to = Date.parse(night.to);
  return strip({ from, to, parts: partsOf(group, night), due: dueOf(group, night), label: nightSays(group, night), ticks: now() < to ? [now()] : [] });
}

/** @param {Group} group @param {Night | null} night */
function remarks(group, night) {
  const lines = [];
  if (group.dark_since) {
    const alert = group.alert_id === null ? null : state.alerts.get(group.alert_id);
    const words = h("b", {}, t("dark_since", { time: moment(group.dark_since) }));
    const mark = severityMark(alert?.severity ?? OUTAGE, { fill: alert?.acked ? "outlined" : "filled", size: 14 });
    lines.push(h("a.row.link-row", { href: `/peringatan?id=${group.alert_id}` }, mark, words));
  }
  for (const run of night ? darkRuns(group, night) : [])
    if (!run.open) lines.push(h("span", {}, t("dark_between", { from: time(run.from), to: time(run.to) }), ", ", t("over")));
  for (const fault of faultsOf(group)) lines.push(h("span.row", {}, severityMark(0, { fill: "outlined", size: 14 }), fault));
  if (group.silent) lines.push(h("span", {}, t("n_silent", { n: number(group.silent) })));
  return lines.length ? h("div.remarks", {}, lines) : null;
}

/** The hours over the strips. @param {Night} night */
export function hoursOf(night) {
  const from = startOf(night);
  const at = (/** @type {number} */ hour) => (hour / HOURS) * 100;
  return [
    s(
      "svg.hours",
      { "aria-hidden": "true" },
      [0, 3, 6, 9, 12].map((hour) =>
        s("text", { x: `${at(hour)}%`, y: 12, "text-anchor": hour === 0 ? "start" : hour === HOURS ? "end" : "middle" }, time(from + hour * HOUR_MS)),
      ),
    ),
    h("span.only-read", {}, `${time(night.from)}–${time(night.to)}`),
  ];
}

export function groupsLegend() {
  const entry = (/** @type {string} */ name, /** @type {string} */ word) => h("span", {}, h(`i.${name}`), word);
  return h(
    "div.foot",
    {},
    entry("on", t("l_on")),
    entry("dim", t("l_dim")),
    entry("alarm", t("l_dark")),
    entry("was", t("l_was")),
    entry("unknown", t("gap")),
    entry("due", t("l_due")),
  );
}

/** The wall's page of streetlights: what is dark that should be lit, and the night of every panel. */

import { h, keyed, redraw, text } from "../dom.js";
import { moment, number } from "../format.js";
import { severityMark } from "../marks.js";
import { drawResource, resource } from "../resource.js";
import { districtName } from "../store.js";
import { strip } from "../strip.js";
import { t } from "../words/wall.js";
import { dueOf, nameOf, partsOf, startOf } from "./lamps_night.js";
import { litNumber, numberOf } from "./wall_situation.js";

/** @typedef {import("./lamps_night.js").Group} Group */
/** @typedef {import("./lamps_night.js").Night} Night */

const ROWS = 9,
  NIGHT_MS = 120_000;

/** @param {import("./wall.js").Known} known @param {() => void} draw @returns {import("./wall.js").Page} */
export function lampsPage(known, draw) {
  const night = resource("streetlights/night?by=panel", draw, { every_ms: NIGHT_MS, topics: ["alerts"], watch: () => JSON.stringify(known.lamps.value?.dark), shape: (answer) => /** @type {Night} */ (answer) });
  const rows = h("tbody"),
    more = h("p.t3.more"),
    body = h("div.panels-body"),
    numbers = h("dl.numbers");
  const head = [t("tonight"), "", t("lit_of"), t("remark")].map((word, i) => h(i === 2 ? "th.r" : "th", { scope: "col" }, word));
  const table = h("table", {}, h("thead", {}, h("tr", {}, head)), rows);
  const panels = h("section.panel.panels", { "aria-label": t("tonight") }, body, more);
  const element = h("div.page.lamps-page", {}, panels, numbers);

  /** @param {Night} value */
  function drawRows(value) {
    const sorted = [...value.items].sort((a, b) => weight(b) - weight(a) || b.lamps - a.lamps);
    keyed(rows, sorted.slice(0, ROWS), nameOf, () => h("tr"), (row, group) =>
      redraw(row, JSON.stringify([group, document.documentElement.lang]), () => cells(group, value)),
    );
    text(more, sorted.length > ROWS ? t("more_panels", { n: number(sorted.length - ROWS) }) : "");
  }

  return {
    element,
    update() {
      drawResource(body, night, { what: t("tonight"), lines: 9, key: () => "", content: () => table });
      if (night.value) drawRows(night.value);
      const lamps = known.lamps.value;
      redraw(numbers, JSON.stringify([lamps, document.documentElement.lang]), () => lamps && numbersOf(lamps));
    },
    close: night.close,
  };
}

/** Dark panels first, then those of which something is wrong. @param {Group} group */
const weight = (group) => (group.dark_since ? 1e6 : 0) + troubled(group) + group.silent;

/** @param {Group} group */
const troubled = ({ faults, dark_since }) =>
  Object.entries(faults).reduce((sum, [rule, n]) => sum + (dark_since && (rule === "unpowered" || rule === "outage") ? 0 : n), 0);

/** @param {Group} group @param {Night} night */
function cells(group, night) {
  const label = t("panel_says", { name: nameOf(group), lit: number(group.lit), n: number(group.lamps) });
  const remarks = [
    group.dark_since && t("dark_since", { time: moment(group.dark_since) }),
    troubled(group) > 0 && t("n_faulty", { n: number(troubled(group)) }),
    group.silent > 0 && t("n_silent", { n: number(group.silent) }),
  ].filter(Boolean);
  const times = { from: startOf(night), to: Date.parse(night.to), due: dueOf(group, night) };
  return [
    h("td.place", {}, h("span.name", {}, group.dark_since && severityMark(2, { size: 28 }), nameOf(group)), h("span.sub", {}, districtName(group.district) ?? "")),
    h("td.course", {}, strip({ ...times, parts: partsOf(group, night), label })),
    h("td.level.r.num", {}, h("span.v.b", {}, number(group.lit)), h("span.unit", {}, ` / ${number(group.lamps)}`)),
    h("td.next", {}, remarks.join(", ")),
  ];
}

/** @param {any} lamps */
function numbersOf(lamps) {
  const dark = lamps.dark.reduce((/** @type {number} */ sum, /** @type {{ lamps: number }} */ each) => sum + each.lamps, 0);
  return [
    litNumber(lamps),
    numberOf(t("dark_together"), [dark > 0 && severityMark(2, { size: 30 }), h("span.v", {}, number(dark))]),
    numberOf(t("dark_alone"), h("span.v", {}, number(lamps.failed_alone))),
    numberOf(t("not_heard"), h("span.v", {}, number(lamps.silent))),
    numberOf(t("power"), [h("span.v", {}, number(lamps.power_w / 1000, 1)), h("span.unit", {}, " kW")]),
  ];
}

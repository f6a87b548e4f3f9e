/** Beside the panels: the energy of a month by day, and what is wrong with lamps, by kind of fault. */

import { dayOfMonth, monthOf } from "../days.js";
import { attribute, h, s } from "../dom.js";
import { monthName, number, shortDay } from "../format.js";
import { icon } from "../marks.js";
import { message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { t } from "../words/lamps.js";
import { faultName } from "./lamps_night.js";

const WIDTH = 294,
  HEIGHT = 118,
  LEFT = 28,
  BASE = 100,
  TOP = 8;
const OLDEST = 23;
const RENEW_MS = 300_000;

/**
 * @param {import("../resource.js").Resource<any>} summary
 * @param {(by_group: Map<string | null, number>) => void} told  kWh of the month, by panel or feeder
 * @param {"panel" | "feeder"} by
 */
export function lampsSide(summary, told, by) {
  let back = 0;
  const energy = panel("energy", t("energy")),
    faults = panel("faults", t("faults"));
  energy.body.className = faults.body.className = "body";
  faults.meta.textContent = t("days30");
  const step = (/** @type {string} */ name, /** @type {"back" | "next"} */ drawn, /** @type {number} */ by_n) =>
    h("button.btn.small.quiet", { type: "button", "aria-label": t(name), title: t(name), onclick: () => move(by_n) }, icon(drawn));
  const earlier = step("month_before", "back", 1),
    later = step("month_after", "next", -1),
    csv = h("a.btn.small", {}, icon("download"), "CSV");
  energy.end.append(earlier, later, csv);
  energy.end.classList.add("row");
  const days = resource(paths().days, update, { every_ms: RENEW_MS, shape: ({ items }) => items });
  const groups = resource(paths().groups, update, { every_ms: RENEW_MS, shape: ({ items }) => items });
  const element = h("div.side", {}, energy.element, faults.element);

  /** @param {number} n */
  function move(n) {
    back = Math.min(OLDEST, Math.max(0, back + n));
    days.ask(paths().days);
    groups.ask(paths().groups);
    update();
  }

  function paths() {
    const { from, to } = monthOf(back);
    const range = `metric=energy_wh&agg=delta&from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`;
    return {
      days: `metrics/streetlight?group=all&bucket=1d&${range}`,
      groups: `metrics/streetlight?group=${by}&bucket=1mo&${range}`,
      file: `/api/v1/metrics/streetlight?group=${by}&bucket=1d&${range}&format=csv&dialect=excel-id`,
    };
  }

  function update() {
    const month = monthOf(back);
    attribute(csv, "href", paths().file);
    attribute(csv, "download", `energi-${by}-${month.from.slice(0, 7)}.csv`);
    energy.meta.textContent = `${monthName(month.at)}, kWh`;
    earlier.disabled = back >= OLDEST;
    later.disabled = back === 0;
    drawResource(energy.body, days, {
      what: t("energy"),
      key: (items) => `${JSON.stringify(items)} ${back}`,
      empty: (items) => (items.length ? null : message(t("no_energy"))),
      content: (items) => bars(items, month),
    });
    if (groups.value) told(new Map(groups.value.map((/** @type {any} */ each) => [each.group, each.energy_wh.delta === null ? null : each.energy_wh.delta / 1000])));
    else told(new Map());
    drawResource(faults.body, summary, {
      what: t("faults"),
      key: (answer) => JSON.stringify(answer.faults),
      empty: (answer) => (answer.faults.length ? null : message(t("no_faults"))),
      content: (answer) => faultBars(answer.faults),
    });
  }

  return {
    element,
    update,
    close() {
      days.close();
      groups.close();
    },
  };
}

/** @param {{ bucket: string, partial: boolean, energy_wh: { delta: number | null } }[]} items @param {import("../days.js").Month} month */
function bars(items, month) {
  const kwh = items.map((each) => (each.energy_wh.delta ?? 0) / 1000);
  const most = Math.max(...kwh),
    top = nice(most),
    y = (/** @type {number} */ value) => BASE - ((BASE - TOP) * value) / top,
    pace = (WIDTH - LEFT) / month.days;
  const x = (/** @type {number} */ i) => LEFT + i * pace;
  const sum = kwh.reduce((a, b) => a + b, 0),
    best = items[kwh.indexOf(most)];
  const total = sum >= 10_000 ? `${number(sum / 1000, 1)} MWh` : `${number(sum, 1)} kWh`;
  const label = t("energy_says", { month: monthName(month.at), total, day: shortDay(best.bucket), most: `${number(most, 1)} kWh` });
  const grid = [0, top / 2, top].map((value) => [
    s("path.grid", { d: `M${LEFT} ${y(value)}H${WIDTH}` }),
    s("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, number(value, top < 4 ? 1 : 0)),
  ]);
  const drawn = items.map((each, i) => {
    const d = dayOfMonth(Date.parse(each.bucket));
    return s(each.partial ? "rect.partial" : "rect", { x: x(d) + pace * 0.12, y: y(kwh[i]), width: pace * 0.76, height: Math.max(0.5, BASE - y(kwh[i])) });
  });
  const days = [1, Math.ceil(month.days / 2), month.days].map((n) => s("text", { x: n === month.days ? WIDTH : x(n - 0.5), y: HEIGHT - 4, "text-anchor": n === month.days ? "end" : "middle" }, n));
  return [
    s("svg.month", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, grid, drawn, days),
    h("p.t2", {}, t("in_all"), " ", h("b.num", {}, total), items.some((each) => each.partial) && h("span.t3", {}, ` · ${t("day_runs")}`)),
  ];
}

/** The next round number. @param {number} value */
function nice(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 10].find((each) => each * power >= value) ?? 10) * power;
}

/** @param {{ rule: string, devices: number, alone: number, raised: number }[]} faults */
function faultBars(faults) {
  const most = Math.max(1, ...faults.map((each) => each.raised));
  const bar = (/** @type {number} */ n) =>
    s("svg.bar", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { width: (100 * n) / most, height: 8 }));
  const rows = [...faults]
    .sort((a, b) => b.raised - a.raised || b.devices - a.devices)
    .map((each) =>
      h("tr", {}, h("td", {}, faultName(each.rule)), h("td.bar-cell", {}, bar(each.raised)), h("td.r.num", {}, number(each.raised)), h(each.devices ? "td.r.num.b" : "td.r.num.t3", {}, number(each.devices))),
    );
  const heads = h("tr", {}, h("th", { scope: "col" }, t("fault")), h("th.r", { scope: "col", colspan: 2 }, t("raised")), h("th.r", { scope: "col" }, t("stands")));
  return h("table.compact", {}, h("thead", {}, heads), h("tbody", {}, rows));
}

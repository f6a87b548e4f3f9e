/** One gauge of the cascade: its name and level at the left, its curve on the time axis of all. */

import { makeChart } from "../chart.js";
import { attribute, h, redraw } from "../dom.js";
import { signed } from "../format.js";
import { shortName, siagaOf } from "../gauges.js";
import { boundsOf } from "../ladder.js";
import { levelMark, trendArrow, unknownMark } from "../marks.js";
import { dataAge, isOld, latestValue, message, metricOf, primaryOf } from "../parts.js";
import { state } from "../store.js";
import { summaryOf } from "../summary.js";
import { t } from "../words/rivers.js";

/** @typedef {import("../series.js").Series} Series */
/** @typedef {import("./rivers_basins.js").Gauge} Gauge */

const LEVEL = "level_m";

/** @param {Gauge} gauge @param {boolean} last */
export function makeLane({ device, place }, last) {
  const mark = h("span.sign"),
    value = h("div.level"),
    rate = h("div.rate"),
    data = h("div.data");
  const river = device.attributes.river;
  const link = h("a.name", { href: `/perangkat/${device.id}` }, shortName(device));
  const where = [river, place && t(`place_${place}`)].filter(Boolean).join(", ");
  const label = h("div.about", {}, h("div.head", {}, mark, link), where && h("div.where", {}, where), value, rate, data);
  const chart = makeChart();
  const note = h("div.note");
  const element = h(last ? "section.lane.last" : "section.lane", { "aria-label": shortName(device) }, label, chart.element, note);
  const metric = () => metricOf(device.kind, LEVEL) ?? primaryOf(device.kind);

  function updateLabel() {
    const latest = state.latest.get(device.id),
      old = isOld(latest),
      siaga = siagaOf(device.id),
      lost = state.stream === "lost",
      language = document.documentElement.lang;
    attribute(label, "class", old ? "about stale" : "about");
    redraw(mark, `${siaga} ${lost} ${language}`, () =>
      siaga === null || lost
        ? unknownMark({ size: 14, label: t("unknown") })
        : levelMark(siaga, { size: 14, label: `${t("siaga", { n: siaga })}, ${t(`level${siaga}`)}` }),
    );
    redraw(value, `${latest?.ts} ${old} ${language}`, () => latestValue(latest, metric()));
    redraw(rate, `${latest?.rate} ${old} ${language}`, () =>
      old || latest?.rate === null || latest?.rate === undefined
        ? t("no_rate")
        : h("span.num.row", {}, trendArrow(latest.rate), h("span", {}, signed(latest.rate), h("span.unit", {}, ` ${t("per_hour")}`))),
    );
    redraw(data, `${latest?.ts} ${latest && dataAge(latest).children.length} ${language}`, () =>
      latest ? [`${t("data")} `, dataAge(latest)] : t("none"),
    );
  }

  /**
   * @param {Series | null} series @param {import("../chart.js").Forecast | null} way @param {[number, number]} span
   * @param {string} range  in words
   */
  async function show(series, way, span, range) {
    const shown = metric(),
      empty = !series || !series.values.some((each) => each !== null);
    chart.element.hidden = empty;
    redraw(note, `${empty} ${document.documentElement.lang}`, () => empty && message(t("no_points")));
    if (!series || !shown || empty) return;
    const siaga = siagaOf(device.id);
    const bounds = (boundsOf(device.attributes) ?? []).map((bound, i) => ({
      siaga: 3 - i,
      value: bound,
      reached: siaga !== null && siaga <= 3 - i,
    }));
    await chart.show(
      { series, metric: shown, bounds, siaga, small: false, span, forecasts: way ? [way] : [], lane: !last, sync: "rivers" },
      summaryOf(series, shown, range),
    );
  }

  return {
    device,
    element,
    updateLabel,
    show,
    /** Where a moment and a level lie, from the corner of the lane. @param {number} at @param {number} level */
    placeOf(at, level) {
      const inPlot = chart.placeOf(at, level);
      if (!inPlot || chart.element.hidden) return null;
      const plot = /** @type {Element} */ (chart.element.querySelector(".plot")).getBoundingClientRect(),
        own = element.getBoundingClientRect();
      return { x: plot.left - own.left + inPlot.x, y: plot.top - own.top + inPlot.y };
    },
    close: chart.close,
  };
}

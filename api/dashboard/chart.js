/**
 * The chart: uPlot, with what this trade needs drawn on it. Thresholds as lines with their own dash, gaps hatched and
 * never bridged, doubtful points as rings off the line, buckets as a band from lowest to highest so that no peak is lost,
 * forecasts dashed with their interval. One chart is also a lane among others, on one time axis.
 */

import { NARROW, columnsOf, optionsOf, shapeOf, spanOf } from "./chart_options.js";
import { attribute, h, text } from "./dom.js";
import { moment, number } from "./format.js";
import { unitText } from "./parts.js";
import { onPreference } from "./prefs.js";
import { useScript, useStyles } from "./tags.js";
import { t } from "./words/chart.js";

/** @typedef {import("./series.js").Series} Series */
/** reached: its mark is filled, as it is where nobody says so; else outlined.
 *  @typedef {{ siaga: number, value: number, reached?: boolean }} Bound */
/** A line with its interval; times in s. usual: what is usual at this hour, grey and without a line, not what is expected.
 *  crossings: where it comes to a bound.
 *  @typedef {{ times: number[], values: (number | null)[], low: number[], high: number[], usual?: boolean,
 *    crossings?: { at: number, value: number }[] }} Forecast */
/**
 * @typedef {object} Spec
 * @property {Series} series
 * @property {import("./store.js").Metric} metric
 * @property {Bound[]} bounds
 * @property {number | null} siaga  of the newest point, which is filled with its colour
 * @property {boolean} small
 * @property {[number, number]} [span]  from when to when, s; that of the series, unless a forecast reaches further
 * @property {Forecast[]} [forecasts]
 * @property {{ times: number[], values: (number | null)[] }[]} [others]  to compare with: dotted grey
 * @property {boolean} [lane]  above other lanes, whose last one has the hours
 * @property {boolean} [zero]  the axis begins at nought at the latest: of what is never below
 * @property {string} [sync]  charts of one name show their cursors at the same time
 */

/** uPlot, which is fetched only where there is a chart. */
async function uplot() {
  await Promise.all([useScript("/vendor/uPlot.iife.min.js"), useStyles(["/vendor/uPlot.min.css"])]);
  return window.uPlot;
}

/**
 * @param {{ zoomed?: (zoomed: boolean, span: [number, number]) => void }} [options]
 */
export function makeChart({ zoomed = () => {} } = {}) {
  const readout = h("div.readout", { "aria-hidden": "true" });
  const place = h("div.plot", { tabindex: 0, role: "img", "aria-busy": "true", onkeydown: onKey });
  const element = h("div.chart", {}, readout, place);
  /** @type {import("uplot") | null} */
  let plot = null;
  /** @type {Spec | null} */
  let spec = null;
  let shape = "",
    isZoomed = false,
    closed = false;

  const observer = new ResizeObserver(() => {
    const { width, height } = place.getBoundingClientRect();
    if (!plot || width < 20 || height < 20) return;
    if (plot.width < NARROW !== width < NARROW) build();
    else if (Math.abs(plot.width - width) > 0.5 || Math.abs(plot.height - height) > 0.5)
      plot.setSize({ width, height });
  });
  observer.observe(place);
  const stop = onPreference((what) => what === "theme" && build());

  /** @param {Spec} next @param {string} summary  the chart in a sentence */
  async function show(next, summary) {
    attribute(place, "aria-label", summary);
    await uplot();
    if (closed) return;
    spec = next;
    attribute(element, "data-lane", spec.lane);
    if (!plot || shapeOf(spec) !== shape) build();
    else {
      const { min, max } = plot.scales.x;
      plot.setData(columnsOf(spec), false);
      const [from, to] = spanOf(spec);
      plot.setScale("x", isZoomed && min !== undefined && max !== undefined ? { min, max } : { min: from, max: to });
    }
    attribute(place, "aria-busy", null);
  }

  /** Only once uPlot is there. */
  function build() {
    if (!spec || closed) return;
    plot?.destroy();
    shape = shapeOf(spec);
    const { width, height } = place.getBoundingClientRect();
    const size = { width: Math.max(width, 120), height: Math.max(height, 80) };
    const options = optionsOf(window.uPlot, () => /** @type {Spec} */ (spec), size, {
      setCursor: [read],
      setSelect: [select],
      ready: [(u) => u.over.addEventListener("dblclick", whole)],
    });
    plot = new window.uPlot(options, columnsOf(spec), place);
    isZoomed = false;
    zoomed(false, spanOf(spec));
  }

  /** @param {import("uplot")} u */
  function read(u) {
    const { series, metric } = /** @type {Spec} */ (spec);
    const i = u.cursor.idx;
    const value = i === null || i === undefined ? undefined : series.values[i];
    if (i === null || i === undefined || value === undefined) return text(readout, "");
    const d = metric.decimals,
      low = series.low[i],
      high = series.high[i];
    const span = typeof low === "number" && typeof high === "number" ? ` (${number(low, d)}–${number(high, d)})` : "";
    const said = value === null ? t("gap") : `${number(value, d)}${unitText(metric)}${span}`;
    text(readout, `${moment(series.times[i] * 1000)} · ${said}`);
  }

  /** @param {import("uplot")} u */
  function select(u) {
    if (u.select.width < 6) return;
    const min = u.posToVal(u.select.left, "x"),
      max = u.posToVal(u.select.left + u.select.width, "x");
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    zoomTo(min, max);
  }

  /** @param {number} min @param {number} max */
  function zoomTo(min, max) {
    if (!plot || !spec) return;
    const [from, to] = spanOf(spec);
    const least = Math.max(min, from),
      most = Math.min(max, to);
    isZoomed = most - least < (to - from) * 0.999;
    plot.setScale("x", { min: least, max: most });
    zoomed(isZoomed, [least, most]);
  }

  function whole() {
    if (spec) zoomTo(...spanOf(spec));
  }

  /** The cursor by keys, so that every point can be read without a mouse. @param {KeyboardEvent} event */
  function onKey(event) {
    if (!plot || !spec || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const { times, values } = spec.series;
    const { min = 0, max = 0 } = plot.scales.x,
      lowest = plot.scales.y.min ?? 0,
      at = plot.cursor.idx ?? null;
    if (step && times.length) {
      const from = at ?? (step > 0 ? -1 : times.length);
      const to = Math.min(times.length - 1, Math.max(0, from + step * (event.shiftKey ? 10 : 1)));
      plot.setCursor({ left: plot.valToPos(times[to], "x"), top: plot.valToPos(values[to] ?? lowest, "y") });
    } else if (event.key === "+" || event.key === "-") {
      const middle = at === null ? (min + max) / 2 : times[at];
      const half = ((max - min) / 2) * (event.key === "+" ? 0.5 : 2);
      zoomTo(middle - half, middle + half);
    } else return;
    event.preventDefault();
  }

  return {
    element,
    show,
    whole,
    zoomTo,
    /** Where a moment (s) and a value lie, px from the corner of the plot; null before it is drawn. @param {number} at @param {number} value */
    placeOf(at, value) {
      if (!plot) return null;
      const { left, top } = plot.over.getBoundingClientRect(),
        origin = place.getBoundingClientRect();
      return { x: left - origin.left + plot.valToPos(at, "x"), y: top - origin.top + plot.valToPos(value, "y") };
    },
    close() {
      closed = true;
      stop();
      observer.disconnect();
      plot?.destroy();
      plot = null;
    },
  };
}

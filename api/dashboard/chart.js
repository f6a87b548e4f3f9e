/**
 * The chart: uPlot, with what this trade needs drawn on it. Thresholds as lines with their own dash, gaps hatched and
 * never bridged, doubtful points as rings off the line, buckets as a band from lowest to highest so that no peak is lost.
 */

import { drawBehind, drawOver } from "./chart_draw.js";
import { h, text } from "./dom.js";
import { moment, number, shortDay, time, zone } from "./format.js";
import { unitText } from "./parts.js";
import { colour, fontFamily, onPreference } from "./prefs.js";
import { t } from "./words.js";

/** @typedef {import("./series.js").Series} Series */
/** @typedef {{ siaga: number, value: number }} Bound */
/**
 * @typedef {{ series: Series, metric: import("./store.js").Metric, bounds: Bound[], siaga: number | null, small:
 *   boolean }} Spec
 */

const NARROW = 560;

/** @type {Promise<any> | null} */
let library = null;

function uplot() {
  library ??= import("/vendor/uPlot.esm.js").then((module) => module.default);
  library.catch(() => {
    library = null;
  });
  return library;
}

/**
 * @param {{ zoomed?: (zoomed: boolean) => void }} [options]
 */
export function makeChart({ zoomed = () => {} } = {}) {
  const readout = h("div.readout", { "aria-hidden": "true" });
  const place = h("div.plot", { tabindex: 0, role: "img", onkeydown: onKey });
  const element = h("div.chart", {}, readout, place);
  /** @type {any} */
  let plot = null;
  /** @type {Spec | null} */
  let spec = null;
  let shape = "",
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

  /** @param {Spec} next @param {string} summary */
  async function show(next, summary) {
    const library_ = await uplot();
    if (closed) return;
    place.setAttribute("aria-label", summary);
    spec = next;
    const now_ = [
      next.metric.name,
      next.series.bucket,
      next.series.low.length > 0,
      next.bounds.length,
      next.small,
    ].join();
    const scales = plot?.zoomed_ ? [plot.scales.x.min, plot.scales.x.max] : null;
    if (!plot || now_ !== shape) {
      shape = now_;
      build(library_);
    } else {
      plot.setData(columns(next.series), false);
      const [min, max] = scales ?? [next.series.from, next.series.to];
      plot.setScale("x", { min, max });
    }
  }

  /** @param {any} [library_] */
  async function build(library_) {
    const made = library_ ?? (await uplot());
    if (!spec || closed) return;
    plot?.destroy();
    const { width, height } = place.getBoundingClientRect();
    plot = new made(options(made, Math.max(width, 120), Math.max(height, 80)), columns(spec.series), place);
    plot.zoomed_ = false;
    zoomed(false);
  }

  /** @param {Series} series */
  const columns = ({ times, values, low, high }) => (low.length ? [times, values, low, high] : [times, values]);

  /** @param {any} library_ @param {number} width @param {number} height */
  function options(library_, width, height) {
    const { metric, series, small, bounds } = /** @type {Spec} */ (spec);
    const ink = () => colour("--ink");
    const axis = {
      stroke: () => colour("--text3"),
      font: `11px ${fontFamily()}`,
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { show: false },
    };
    const asBars = series.aggregate === "total" || series.aggregate === "change";
    const line = {
      label: metric.name,
      stroke: ink,
      width: 1.8,
      spanGaps: false,
      points: { show: true, size: 5, fill: ink, filter: alone },
    };
    const edge = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: false };
    const bars = library_.paths.bars({ size: [0.8, 60], align: 0 });
    const right = bounds.length ? (width < NARROW && !small ? 40 : 108) : 16;
    return {
      width,
      height,
      padding: [12, right, 0, 0],
      legend: { show: false },
      tzDate: (/** @type {number} */ at) => library_.tzDate(new Date(at * 1000), zone()),
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7, fill: ink } },
      scales: {
        x: { time: true, range: [series.from, series.to] },
        y: { range: (/** @type {any} */ u) => vertical(u) },
      },
      series: [
        {},
        asBars ? { ...line, width: 0, fill: () => colour("--bar"), paths: bars } : line,
        ...(series.low.length ? [edge, edge] : []),
      ],
      bands: series.low.length && !asBars ? [{ series: [3, 2], fill: () => colour("--band") }] : [],
      axes: [
        {
          ...axis,
          size: 26,
          space: small ? 60 : 80,
          values: (/** @type {any} */ _, /** @type {number[]} */ splits) => splits.map(tick),
        },
        {
          ...axis,
          size: small ? 38 : 48,
          space: small ? 32 : 56,
          values: (/** @type {any} */ _, /** @type {number[]} */ splits) =>
            splits.map((v) => number(v, decimalsOf(splits))),
        },
      ],
      hooks: {
        drawClear: [(/** @type {any} */ u) => drawBehind(u, /** @type {Spec} */ (spec))],
        draw: [(/** @type {any} */ u) => drawOver(u, /** @type {Spec} */ (spec))],
        setCursor: [read],
        setSelect: [select],
        ready: [(/** @type {any} */ u) => u.over.addEventListener("dblclick", whole)],
      },
    };
  }

  /** Room for the values and the thresholds; a level may be below nought. @param {any} u */
  function vertical(u) {
    const { series, bounds, metric } = /** @type {Spec} */ (spec);
    const [first, last] = u.series[0].idxs ?? [0, series.times.length - 1];
    const seen = [
      ...series.values.slice(first, last + 1),
      ...series.low.slice(first, last + 1),
      ...series.high.slice(first, last + 1),
      ...series.suspect.map(([, v]) => v),
    ]
      .filter((value) => value !== null)
      .map(Number);
    const all = [...seen, ...bounds.map((bound) => bound.value)];
    if (!all.length) return [0, 1];
    const asBars = series.aggregate === "total" || series.aggregate === "change";
    const low = Math.min(...all, ...(asBars ? [0] : [])),
      high = Math.max(...all);
    // A value that stands still is drawn as standing still, not as a rage of its last digit.
    const room = Math.max((high - low) * 0.06, 3 * 10 ** -metric.decimals);
    return [asBars ? low : low - room, high + room];
  }

  /** @param {any} u */
  function read(u) {
    const { series, metric } = /** @type {Spec} */ (spec);
    const i = u.cursor.idx;
    const value = i === null || i === undefined ? undefined : series.values[i];
    if (value === undefined) return text(readout, "");
    const unit = unitText(metric),
      d = metric.decimals;
    const span =
      series.low[i] !== undefined && series.low[i] !== null
        ? ` (${number(series.low[i], d)}–${number(series.high[i], d)})`
        : "";
    text(
      readout,
      `${moment(series.times[i] * 1000)} · ${value === null ? t("gap") : `${number(value, d)}${unit}${span}`}`,
    );
  }

  /** @param {any} u */
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
    const { from, to } = spec.series;
    const least = Math.max(min, from),
      most = Math.min(max, to);
    plot.zoomed_ = most - least < (to - from) * 0.999;
    plot.setScale("x", { min: least, max: most });
    zoomed(plot.zoomed_);
  }

  function whole() {
    if (spec) zoomTo(spec.series.from, spec.series.to);
  }

  /** The cursor by keys, so that every point can be read without a mouse. @param {KeyboardEvent} event */
  function onKey(event) {
    if (!plot || !spec || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const { times, values } = spec.series;
    if (step && times.length) {
      const at = plot.cursor.idx ?? (step > 0 ? -1 : times.length);
      const to = Math.min(times.length - 1, Math.max(0, at + step * (event.shiftKey ? 10 : 1)));
      plot.setCursor({ left: plot.valToPos(times[to], "x"), top: plot.valToPos(values[to] ?? plot.scales.y.min, "y") });
    } else if (event.key === "+" || event.key === "-") {
      const { min, max } = plot.scales.x,
        middle = plot.cursor.idx === null || plot.cursor.idx === undefined ? (min + max) / 2 : times[plot.cursor.idx];
      const half = ((max - min) / 2) * (event.key === "+" ? 0.5 : 2);
      zoomTo(middle - half, middle + half);
    } else return;
    event.preventDefault();
  }

  return {
    element,
    show,
    whole,
    close() {
      closed = true;
      stop();
      observer.disconnect();
      plot?.destroy();
      plot = null;
    },
  };
}

/**
 * A value between two holes has no line to lie on: it is drawn as a point, or it would not be seen.
 * @param {any} u
 * @param {number} i
 */
function alone(u, i) {
  const values = /** @type {(number | null)[]} */ (u.data[i]);
  return values.flatMap((value, at) =>
    value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : [],
  );
}

/** @param {number[]} splits */
function decimalsOf(splits) {
  const step = Math.abs((splits[1] ?? 1) - (splits[0] ?? 0));
  for (let decimals = 0; decimals < 4; decimals++)
    if (Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) < 1e-6) return decimals;
  return 4;
}

/** The hour, or the day where a day begins. @param {number} at  s */
function tick(at) {
  const clock = time(at * 1000);
  return /^00.00$/.test(clock) ? shortDay(at * 1000) : clock;
}

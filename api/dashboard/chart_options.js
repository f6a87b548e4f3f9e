/** What uPlot is told: scales, axes, lines. Everything here follows from what is to be shown. */

import { drawBehind, drawOver } from "./chart_draw.js";
import { number, shortDay, time, zone } from "./format.js";
import { colour, fontFamily } from "./prefs.js";

/** @typedef {import("./chart.js").Spec} Spec */
/** @typedef {import("uplot")} Plot */
/** @typedef {import("uplot").Options} Options */

export const NARROW = 560;
// A threshold's name and value beside the plot; only its mark on a phone.
const NAMES_PX = 108,
  MARKS_PX = 40,
  EDGE_PX = 16;

/** From when to when, s. @param {Spec} spec @returns {[number, number]} */
export const spanOf = ({ span, series }) => span ?? [series.from, series.to];

/** @param {Spec} spec */
export const columnsOf = ({ series: { times, values, low, high } }) =>
  /** @type {import("uplot").AlignedData} */ (low.length ? [times, values, low, high] : [times, values]);

/** What a chart is made anew for: anything else is new data for the one there is. @param {Spec} spec */
export const shapeOf = ({ metric, series, bounds, small, lane, sync }) =>
  [metric.name, series.bucket, series.low.length > 0, bounds.length, small, lane, sync].join();

/** @param {Spec} spec */
const isBars = ({ series }) => series.aggregate === "total" || series.aggregate === "change";

/**
 * @param {typeof import("uplot")} library
 * @param {() => Spec} current
 * @param {{ width: number, height: number }} size
 * @param {Options["hooks"]} hooks
 * @returns {Options}
 */
export function optionsOf(library, current, { width, height }, hooks) {
  const spec = current(),
    { metric, series, small, bounds, lane, sync } = spec;
  const ink = () => colour("--ink");
  /** @type {import("uplot").Axis} */
  const axis = {
    stroke: () => colour("--text3"),
    font: `11px ${fontFamily()}`,
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
  };
  /** @type {import("uplot").Series} */
  const line = {
    label: metric.name,
    stroke: ink,
    width: 1.8,
    spanGaps: false,
    points: { show: true, size: 5, fill: ink, filter: alone },
  };
  const edge = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: false };
  const bars = library.paths.bars?.({ size: [0.8, 60], align: 0 });
  // Lanes lie under each other: their edges must meet whether they have thresholds or not.
  const named = lane || sync !== undefined || bounds.length > 0;
  const right = !named ? EDGE_PX : width < NARROW && !small ? MARKS_PX : NAMES_PX;
  return {
    width,
    height,
    // Half a figure stands below the lowest line of a lane, which has no hours under it.
    padding: [12, right, lane ? 6 : 0, 0],
    legend: { show: false },
    tzDate: (at) => library.tzDate(new Date(at * 1000), zone()),
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 7, fill: ink },
      ...(sync ? { sync: { key: sync, scales: ["x", null] } } : {}),
    },
    scales: { x: { time: true, range: spanOf(spec) }, y: { range: (u) => vertical(u, current()) } },
    series: [
      {},
      isBars(spec) ? { ...line, width: 0, fill: () => colour("--bar"), paths: bars } : line,
      ...(series.low.length ? [edge, edge] : []),
    ],
    bands: series.low.length && !isBars(spec) ? [{ series: [3, 2], fill: () => colour("--band") }] : [],
    axes: [
      {
        ...axis,
        // The grid stays; the hours stand under the last of the lanes.
        size: lane ? 0 : 26,
        space: small ? 60 : 80,
        values: (_, splits) => (lane ? splits.map(() => "") : splits.map(tick)),
      },
      {
        ...axis,
        size: small && !lane ? 38 : 48,
        space: small || lane ? 32 : 56,
        values: (_, splits) => splits.map((v) => number(v, decimalsOf(splits))),
      },
    ],
    hooks: {
      ...hooks,
      drawClear: [(u) => drawBehind(u, current())],
      draw: [(u) => drawOver(u, current())],
    },
  };
}

/**
 * Room for the values, the thresholds and the forecast; a level may be below nought.
 * @param {Plot} u
 * @param {Spec} spec
 * @returns {[number, number]}
 */
function vertical(u, spec) {
  const { series, bounds, metric, others = [], forecasts = [] } = spec;
  const [first, last] = u.series[0].idxs ?? [0, series.times.length - 1];
  const { min, max } = u.scales.x;
  const within = (/** @type {number} */ at) => at >= (min ?? -Infinity) && at <= (max ?? Infinity);
  const seen = [
    ...series.values.slice(first, last + 1),
    ...series.low.slice(first, last + 1),
    ...series.high.slice(first, last + 1),
    ...series.suspect.map(([, v]) => v),
    ...others.flatMap(({ times, values }) => values.filter((_, i) => within(times[i]))),
    ...forecasts.flatMap(({ times, low, high }) => [...low, ...high].filter((_, i) => within(times[i % times.length]))),
  ]
    .filter((value) => value !== null)
    .map(Number);
  const all = [...seen, ...bounds.map((bound) => bound.value)];
  if (!all.length) return [0, 1];
  const low = all.reduce((a, b) => Math.min(a, b), isBars(spec) || spec.zero ? 0 : Infinity),
    high = all.reduce((a, b) => Math.max(a, b));
  // A value that stands still is drawn as standing still, not as a rage of its last digit.
  const room = Math.max((high - low) * 0.06, 3 * 10 ** -metric.decimals);
  return [isBars(spec) || spec.zero ? low : low - room, high + room];
}

/**
 * A value between two holes has no line to lie on: it is drawn as a point, or it would not be seen.
 * @param {Plot} u
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

/**
 * Readings and buckets of one metric, as the chart draws them: columns, holes where nothing is known, doubtful
 * points.
 */

import { now } from "./clock.js";
import { call, pages } from "./load.js";
import { state } from "./store.js";

/** @typedef {import("./store.js").Metric} Metric */
/** times in s; low and high only of buckets; value null: nothing known; first: nothing is known before it.
 *  @typedef {{ times: number[], values: (number | null)[], low: (number | null)[], high: (number | null)[],
 *    suspect: [number, number][], gaps: [number, number][], first: number | null, from: number, to: number, bucket: string | null,
 *    aggregate: "raw" | "mean" | "total" | "change" }} Series */

const SUSPECT = 3;
const RAW_MOST_S = 86_400;
const BUCKETS = /** @type {const} */ ([
  ["5m", 300],
  ["15m", 900],
  ["30m", 1800],
  ["1h", 3600],
  ["2h", 7200],
  ["4h", 14_400],
  ["12h", 43_200],
]);
const POINTS_MOST = 720;
const GRACE_S = 300;

/** What stands for a bucket, by how a metric rolls up. */
const AGGREGATES = /** @type {const} */ ({
  gauge: ["avg", "mean"],
  counter: ["delta", "change"],
  sum: ["sum", "total"],
  state: ["last", "raw"],
});

/**
 * @param {number} length_s
 * @param {number} interval_s
 * @returns {readonly ["5m" | "15m" | "30m" | "1h" | "2h" | "4h" | "12h", number] | null}
 */
export function bucketFor(length_s, interval_s) {
  if (length_s <= RAW_MOST_S) return null;
  return BUCKETS.find(([, s]) => s >= 4 * interval_s && s >= length_s / POINTS_MOST) ?? BUCKETS[BUCKETS.length - 1];
}

/**
 * @param {{ id: string, kind: string }} device
 * @param {Metric} metric
 * @param {number} from  ms
 * @param {number} to  ms
 * @param {AbortSignal} signal
 * @returns {Promise<Series>}
 */
export async function loadSeries(device, metric, from, to, signal) {
  const interval = state.kinds.get(device.kind)?.interval_s ?? 3600;
  const bucket = bucketFor((to - from) / 1000, interval);
  // Diagnostics are not rolled up: their readings themselves, however many.
  return bucket && metric.rollup
    ? loadBuckets(device, metric, from, to, bucket, signal)
    : loadRaw(device, metric, from, to, interval, signal);
}

/** @param {number} at  ms */
const iso = (at) => encodeURIComponent(new Date(at).toISOString());

/**
 * @param {{ id: string }} device
 * @param {Metric} metric
 * @param {number} from
 * @param {number} to
 * @param {number} interval_s
 * @param {AbortSignal} signal @returns {Promise<Series>}
 */
async function loadRaw(device, metric, from, to, interval_s, signal) {
  /** @type {[number, number | null][]} */
  const points = [];
  /** @type {[number, number][]} */
  const suspect = [];
  for await (const items of pages(`readings?device=${device.id}&from=${iso(from)}&to=${iso(to)}`, signal)) {
    for (const reading of items) {
      const at = Date.parse(reading.ts) / 1000,
        value = reading[metric.name];
      if (reading.qc >= SUSPECT && value !== null) suspect.push([at, value]);
      else points.push([at, value]);
    }
  }
  const gaps = gapsOf(
    points.map(([at]) => at),
    interval_s,
  );
  const times = [],
    values = [];
  let gap = 0;
  for (const [at, value] of points) {
    while (gap < gaps.length && gaps[gap][1] <= at) {
      // A point without a value breaks the line.
      times.push((gaps[gap][0] + gaps[gap][1]) / 2);
      values.push(null);
      gap++;
    }
    times.push(at);
    values.push(value);
  }
  const last = points.at(-1)?.[0];
  if (last !== undefined && to / 1000 - last > 4 * interval_s + GRACE_S) gaps.push([last, Math.min(to, now()) / 1000]);
  return {
    times,
    values,
    low: [],
    high: [],
    suspect,
    gaps,
    first: firstOf(times[0], from, 4 * interval_s + GRACE_S),
    from: from / 1000,
    to: to / 1000,
    bucket: null,
    aggregate: "raw",
  };
}

/**
 * When the first reading is, if the range begins well before it: perhaps there was no device yet, so that is no gap.
 * @param {number | undefined} first  s @param {number} from  ms @param {number} space  s
 */
const firstOf = (first, from, space) => (first !== undefined && first - from / 1000 > space ? first : null);

/**
 * Where readings are missing. A lamp by day reports at a slower pace: a space like those beside it is a pace, not a gap.
 * @param {number[]} times @param {number} interval_s @returns {[number, number][]}
 */
export function gapsOf(times, interval_s) {
  /** @type {[number, number][]} */
  const gaps = [];
  for (let i = 1; i < times.length; i++) {
    const space = times[i] - times[i - 1];
    const beside = Math.max(times[i - 1] - (times[i - 2] ?? times[i - 1]), (times[i + 1] ?? times[i]) - times[i]);
    if (space > 4 * interval_s + GRACE_S || (space > 2.5 * interval_s && space > 1.6 * beside))
      gaps.push([times[i - 1], times[i]]);
  }
  return gaps;
}

/**
 * @param {{ id: string, kind: string }} device @param {Metric} metric @param {number} from @param {number} to
 * @param {readonly [string, number]} bucket @param {AbortSignal} signal @returns {Promise<Series>}
 */
async function loadBuckets(device, metric, from, to, [name, length], signal) {
  const [key, aggregate] = AGGREGATES[metric.rollup === undefined ? "gauge" : /** @type {"gauge"} */ (metric.rollup)];
  const what = `device=${device.id}&metric=${metric.name}&bucket=${name}&fill=null`;
  const path = `metrics/${device.kind}?${what}&from=${iso(from)}&to=${iso(to)}`;
  const { items } = await call(path, { signal });
  /** @type {Series} */
  const series = {
    times: [],
    values: [],
    low: [],
    high: [],
    suspect: [],
    gaps: [],
    first: null,
    from: from / 1000,
    to: to / 1000,
    bucket: name,
    aggregate,
  };
  for (const item of items) {
    const start = Date.parse(item.bucket) / 1000,
      found = item[metric.name];
    // Where the middle of a bucket lies in the future there is nothing yet, and that is no gap.
    if (item.n === 0 && start + length > now() / 1000) continue;
    series.times.push(start + length / 2);
    series.values.push(found[key] ?? null);
    series.low.push(found.min ?? null);
    series.high.push(found.max ?? null);
    const last = series.gaps.at(-1);
    if (item.n > 0) continue;
    if (last && last[1] >= start) last[1] = start + length;
    else series.gaps.push([start, start + length]);
  }
  const lead = series.gaps[0];
  if (lead && lead[0] <= series.from && series.values.some((value) => value !== null)) {
    series.gaps.shift();
    series.first = lead[1];
  }
  return series;
}

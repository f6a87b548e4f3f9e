/** What the cascade draws: curves as the chart has them, and where a wave began. Pure. */

/** @typedef {import("../series.js").Series} Series */
const SUSPECT = 3;
const GRACE_S = 300;

/**
 * One curve of /series.
 * @param {{ t: number[], v: (number | null)[], min: (number | null)[] | null, max: (number | null)[] | null, qc: number[] }} item
 * @param {number} from  s
 * @param {number} to  s: now
 * @param {number} interval_s
 * @returns {Series}
 */
export function curveOf({ t, v, min, max, qc }, from, to, interval_s) {
  /** @type {Series} */
  const series = {
    times: [], values: [], low: [], high: [], suspect: [], gaps: [], first: null, from, to, bucket: null, aggregate: "raw",
  }; // prettier-ignore
  t.forEach((at_ms, i) => {
    const at = at_ms / 1000,
      value = v[i];
    if (value !== null && qc[i] >= SUSPECT) {
      series.suspect.push([at, value]);
      return;
    }
    if (value === null) series.gaps.push([(t[i - 1] ?? at_ms) / 1000, (t[i + 1] ?? to * 1000) / 1000]);
    series.times.push(at);
    series.values.push(value);
    if (min && max) {
      series.low.push(min[i]);
      series.high.push(max[i]);
    }
  });
  const room = 4 * interval_s + GRACE_S,
    newest = series.times.at(-1),
    oldest = series.times[0];
  if (newest !== undefined && to - newest > room) series.gaps.push([newest, to]);
  if (oldest !== undefined && oldest - from > room) series.first = oldest;
  return series;
}

// A wave worth a link, and how much of it has come where it is said to begin.
const WAVE_M = 0.3,
  BEGUN = 0.1;

/**
 * Where the highest rise on the screen began: the last moment before its top at which a tenth of it had come.
 * @param {Series} series
 * @param {number} [after]  s
 * @returns {{ at: number, value: number } | null}
 */
export function frontOf({ times, values }, after = -Infinity) {
  let low = Infinity,
    rise = 0,
    bottom = 0,
    top = -1;
  values.forEach((value, i) => {
    if (value === null || times[i] < after) return;
    low = Math.min(low, value);
    if (value - low > rise) [rise, bottom, top] = [value - low, low, i];
  });
  if (rise < WAVE_M) return null;
  for (let i = top; i >= 0; i--) {
    const value = values[i];
    if (value !== null && value <= bottom + BEGUN * rise) return times[i] < after ? null : { at: times[i], value };
  }
  return null;
}

/** Roads as they were and as they usually are, as charts take them. Pure. */

/** @typedef {"A" | "B" | "C" | "D" | "E" | "F"} Letter */
/** @typedef {{ p10_kmh: number | null, p50_kmh: number | null, p90_kmh: number | null, n: number }} UsualSpeed */
/** @typedef {{ p10_vph: number | null, p50_vph: number | null, p90_vph: number | null, n: number }} UsualFlow */
/** @typedef {{ site: string, district: string | null, devices: number, reporting: number, ts: string | null,
 *    speed_kmh: number | null, free_flow_kmh: number | null, flow_vph: number | null, occupancy_pct: number | null,
 *    los: Letter | null, usual_speed: UsualSpeed, usual_flow: UsualFlow, departure_share: number | null,
 *    vehicles_per_h: { motorcycles: number | null, cars: number | null, heavy: number | null } }} Site */
/** @typedef {{ bucket: string, speed_kmh: number | null, flow_vph: number | null, los: Letter | null }} Quarter */
/** @typedef {{ bucket: string, speed: UsualSpeed, flow: UsualFlow }} UsualQuarter */
/** @typedef {"speed" | "flow"} What */

export const QUARTER_S = 900,
  DAY_S = 86_400;
// Of fewer weeks nobody knows what is usual.
export const LEAST_WEEKS = 3;
const UNITS = /** @type {const} */ ({ speed: "kmh", flow: "vph" });

/** Slower than in nine of ten weeks at this time. @param {Site} site */
export const isBelowUsual = ({ speed_kmh, usual_speed: { p10_kmh, n } }) =>
  speed_kmh !== null && p10_kmh !== null && n >= LEAST_WEEKS && speed_kmh < p10_kmh;

/** @param {Quarter} quarter */
const begin = (quarter) => Date.parse(quarter.bucket) / 1000;

/**
 * What was, a point in the middle of each quarter; where there is none the line breaks.
 * @param {readonly Quarter[]} quarters
 * @param {What} what
 * @param {number} from  s
 * @param {number} to  s: now
 * @returns {import("../series.js").Series}
 */
export function courseOf(quarters, what, from, to) {
  /** @type {import("../series.js").Series} */
  const series = {
    times: [], values: [], low: [], high: [], suspect: [], gaps: [], first: null, from, to, bucket: "15m", aggregate: "mean",
  }; // prettier-ignore
  const known = new Map(quarters.map((quarter) => [begin(quarter), what === "speed" ? quarter.speed_kmh : quarter.flow_vph]));
  for (let at = from; at + QUARTER_S <= to + QUARTER_S / 2; at += QUARTER_S) {
    const value = known.get(at);
    series.times.push(at + QUARTER_S / 2);
    series.values.push(value ?? null);
    const last = series.gaps.at(-1);
    if (value !== undefined) continue;
    if (last && last[1] === at) last[1] = at + QUARTER_S;
    else series.gaps.push([at, at + QUARTER_S]);
  }
  return series;
}

/**
 * What is usual: a band for each stretch of which enough weeks are known.
 * @param {readonly UsualQuarter[]} quarters
 * @param {What} what
 * @returns {import("../chart.js").Forecast[]}
 */
export function usualOf(quarters, what) {
  /** @type {import("../chart.js").Forecast[]} */
  const bands = [];
  let before = -Infinity;
  for (const quarter of quarters) {
    const spread = /** @type {any} */ (quarter[what]),
      [low, middle, high] = ["p10", "p50", "p90"].map((name) => spread[`${name}_${UNITS[what]}`]);
    if (spread.n < LEAST_WEEKS || middle === null) continue;
    const at = Date.parse(quarter.bucket) / 1000 + QUARTER_S / 2;
    if (at - before > 1.5 * QUARTER_S) bands.push({ times: [], values: [], low: [], high: [], usual: true });
    const band = bands[bands.length - 1];
    band.times.push(at);
    band.values.push(middle);
    band.low.push(low);
    band.high.push(high);
    before = at;
  }
  return bands;
}

/**
 * A day as bars: their height the flow, their state the level of service.
 * @param {readonly Quarter[]} quarters
 * @param {number} most  veh/h of the highest bar
 * @returns {import("../strip.js").Part[]}
 */
export const barsOf = (quarters, most) =>
  quarters.map((quarter) => ({
    from: begin(quarter) + QUARTER_S * 0.1,
    to: begin(quarter) + QUARTER_S * 0.9,
    share: most ? (quarter.flow_vph ?? 0) / most : 0,
    is: quarter.los === "F" ? "jammed" : quarter.los === "E" ? "busy" : "on",
  }));

/** @param {readonly Quarter[]} quarters */
export const mostFlow = (quarters) => quarters.reduce((most, quarter) => Math.max(most, quarter.flow_vph ?? 0), 0);

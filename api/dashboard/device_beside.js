/** What is drawn beside the measured line of a device: another device, or what its lamp should draw. */

import { loadSeries } from "./series.js";
import { metricOf } from "./parts.js";
import { state } from "./store.js";

/** @typedef {import("./store.js").Device} Device */
/** @typedef {{ times: number[], values: (number | null)[] }} Line */

/** Devices of the same kind to compare with: the gauge upstream first, then its panel, river or road, then the rest. @param {Device} device */
export function comparable(device) {
  const near = (/** @type {Device} */ other) =>
    other.id === device.attributes.upstream ? 0 : ["panel", "river", "site"].some((name) => device.attributes[name] && other.attributes[name] === device.attributes[name]) ? 1 : 2;
  return [...state.devices.values()]
    .filter((other) => other.kind === device.kind && other.id !== device.id)
    .sort((a, b) => near(a) - near(b) || (a.name ?? a.id).localeCompare(b.name ?? b.id))
    .slice(0, MOST);
}
// A list that a person can choose from.
const MOST = 60;

/** Whether it is known what this metric should be. @param {Device} device @param {string} metric */
export const hasExpected = (device, metric) => metric === "power_w" && typeof device.attributes.nominal_w === "number";

/**
 * What a lamp should draw: its nominal power as far as it is dimmed.
 * @param {Device} device @param {number} from  ms @param {number} to  ms @param {AbortSignal} signal @returns {Promise<Line | null>}
 */
export async function expectedLine(device, from, to, signal) {
  const dimming = metricOf(device.kind, "dimming_pct");
  if (!dimming) return null;
  const { times, values } = await loadSeries(device, dimming, from, to, signal);
  return { times, values: values.map((value) => (value === null ? null : (device.attributes.nominal_w * value) / 100)) };
}

/**
 * @param {Device} other @param {import("./store.js").Metric} metric @param {number} from  ms @param {number} to  ms
 * @param {AbortSignal} signal @returns {Promise<Line>}
 */
export const otherLine = (other, metric, from, to, signal) => loadSeries(other, metric, from, to, signal);

/** Speed is read with its flow below it. @param {Device} device @param {string} metric */
export const belowOf = (device, metric) => (device.kind === "traffic" && metric === "speed_kmh" ? (metricOf(device.kind, "flow_vph") ?? null) : null);


/** Incidents on the map: each at the middle of the devices that it stands for. */

import { state } from "./store.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./map_points.js").Points} Points */

/** What an incident's device is called: $panel/P-01 is all whose attribute `panel` is P-01. */
const GROUP = /^\$(\w+)\/(.+)$/;

/**
 * Open incidents of devices that have a place, each with the member that is nearest to their middle.
 * @param {Points} points
 * @returns {{ alert: Alert, i: number }[]}
 */
export function incidentsOn(points) {
  return [...state.alerts.values()].flatMap((alert) => {
    const found = alert.members === null ? null : GROUP.exec(alert.device_id);
    if (!found) return [];
    const i = middleOf(points, found[1], found[2]);
    return i === null ? [] : [{ alert, i }];
  });
}

/** @param {Points} points @param {string} attribute @param {string} name */
function middleOf({ devices, x, y, shown }, attribute, name) {
  const members = devices.flatMap((device, i) => (shown[i] && device.attributes[attribute] === name ? [i] : []));
  if (!members.length) return null;
  const mean = (/** @type {Float64Array} */ of) => members.reduce((sum, i) => sum + of[i], 0) / members.length;
  const [mx, my] = [mean(x), mean(y)];
  const far = (/** @type {number} */ i) => Math.hypot(x[i] - mx, y[i] - my);
  return members.reduce((a, b) => (far(b) < far(a) ? b : a));
}

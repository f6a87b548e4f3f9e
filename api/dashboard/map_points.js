/**
 * What the map knows of every device, in columns: its place on the world square, how it is drawn, and whether the
 * filters let it through. Places change only with the registry; states with every reading.
 */

import { fillOf } from "./marks.js";
import { freshness, isBelievable } from "./freshness.js";
import { incidentsOn } from "./map_incidents.js";
import { hasLadder, state, worstAlert } from "./store.js";

/** @typedef {import("./store.js").Device} Device */
/** @typedef {{ kind: string, district: string, problems: boolean }} Filter */
/** @typedef {{ devices: Device[], x: Float64Array, y: Float64Array, shown: Uint8Array, dot: Uint8Array,
 *    marks: Mark[], unplaced: number }} Points */
/** severity null: a gauge without any alert. @typedef {{ i: number, severity: number | null, filled: boolean,
 *    dashed: boolean, digit: number | null, gauge: boolean, acked: boolean,
 *    incident?: import("./store.js").Alert }} Mark  incident: it stands for many, of which i is one in their middle */

export const ON = 1,
  OFF = 2,
  OLD = 3,
  RARE = 4,
  RARE_OLD = 5;
// A kind with so few devices is drawn as small rings that can be seen and picked; more are a texture.
const RARE_MAX = 60;
// Of a kind's primary metric: a lamp that draws less than a watt gives no light.
const IDLE = 1;

/** @returns {Points} */
export function placeDevices() {
  const all = [...state.devices.values()];
  const devices = all.filter((device) => device.lat !== null && device.lon !== null);
  const x = new Float64Array(devices.length),
    y = new Float64Array(devices.length);
  devices.forEach(({ lat, lon }, i) => {
    x[i] = Number(lon) / 360 + 0.5;
    const sine = Math.sin((Number(lat) * Math.PI) / 180);
    y[i] = 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
  });
  const n = devices.length;
  return { devices, x, y, shown: new Uint8Array(n), dot: new Uint8Array(n), marks: [], unplaced: all.length - n };
}

/**
 * Look at the state of every device.
 * @param {Points} points
 * @param {Filter} filter
 */
export function stateDevices(points, filter) {
  const kinds = kindsOf(points);
  points.marks = [];
  points.devices.forEach((device, i) => {
    const kind = kinds.get(device.kind);
    const alert = worstAlert(device.id);
    const passes =
      (!filter.kind || device.kind === filter.kind) && (!filter.district || device.district === filter.district);
    points.shown[i] = Number(passes && (!filter.problems || alert !== null));
    if (!points.shown[i]) return;
    const latest = state.latest.get(device.id);
    const old = !latest || !isBelievable(freshness(latest));
    const idle = (latest?.values[kind?.primary ?? ""] ?? IDLE) < IDLE;
    points.dot[i] = kind?.rare ? (old ? RARE_OLD : RARE) : old ? OLD : idle ? OFF : ON;
    if (alert) {
      const fill = fillOf(alert);
      const digit = alert.rule === "siaga" && fill !== "cleared" ? alert.siaga : null;
      points.marks.push({
        i,
        severity: alert.severity,
        filled: fill === "filled",
        dashed: fill === "cleared",
        digit,
        gauge: kind?.ladder ?? false,
        acked: alert.acked,
      });
    } else if (kind?.ladder) {
      points.marks.push({ i, severity: null, filled: false, dashed: old, digit: null, gauge: true, acked: true });
    }
  });
  for (const { alert, i } of incidentsOn(points)) {
    const fill = fillOf(alert);
    const drawn = { filled: fill === "filled", dashed: fill === "cleared", digit: null, gauge: false, acked: alert.acked };
    points.marks.push({ i, severity: alert.severity, ...drawn, incident: alert });
  }
  // What matters most is drawn last, and gets its place for a text first.
  points.marks.sort((a, b) => rank(b) - rank(a));
}

/** @param {Mark} mark */
const rank = ({ severity, acked, gauge }) =>
  (severity === null ? -1 : severity * 2 + Number(!acked) * 10) + Number(gauge) / 2;

/** @param {Points} points */
function kindsOf(points) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { kind } of points.devices) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return new Map(
    [...state.kinds.values()].map((kind) => [
      kind.kind,
      { primary: kind.primary, ladder: hasLadder(kind), rare: (counts.get(kind.kind) ?? 0) <= RARE_MAX },
    ]),
  );
}

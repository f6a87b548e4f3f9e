/** How the two canvases of the map are drawn, and what lies under a pointer on them. */

import { Labels, drawMark, palette } from "./map_canvas.js";
import { OFF, OLD, ON, RARE, RARE_OLD } from "./map_points.js";
import { metricOf, quantityText } from "./parts.js";
import { age, number, said } from "./format.js";
import { freshness, isBelievable, measuredAt } from "./freshness.js";
import { now } from "./clock.js";
import { deviceName, state } from "./store.js";
import { t } from "./words/map.js";

/** @typedef {import("./map_points.js").Points} Points */
/** @typedef {import("./map_points.js").Mark} Mark */
/** @typedef {import("./map_canvas.js").View} View */
/** @typedef {import("./map_canvas.js").Target} Target */
/** @typedef {{ name: string, x: number, y: number }} Place  a district's name at its middle, on the world square */

// From here on single lamps can be told apart and picked.
export const PICK_ZOOM = 14;
const CELL = 32,
  MARK = 20,
  CLUSTER = 18,
  LOW = 14,
  GAUGE = 12;
const SPARSE = 2_000;
// Names of devices that are well, once there is room.
const NAMES_ZOOM = 12;

/**
 * Normal devices are texture: one colour at a time, no paths.
 * @param {Points} points
 * @param {CanvasRenderingContext2D} ctx
 * @param {(i: number) => [number, number]} place
 * @param {View} view
 */
export function drawDots(points, ctx, place, view) {
  const colours = palette();
  const marked = new Set(points.marks.map((mark) => mark.i));
  // Ten thousand dots are a texture; a few hundred of that size could not be seen.
  const far = points.devices.length < SPARSE ? 2.8 : 1.4;
  const size = view.zoom >= PICK_ZOOM ? 5 : view.zoom >= NAMES_ZOOM ? Math.max(2, far) : far;
  for (const [kind, name] of /** @type {const} */ ([
    [OLD, "lamp-off"],
    [OFF, "lamp-off"],
    [ON, "lamp"],
  ])) {
    ctx.fillStyle = colours[name];
    each(
      points,
      place,
      view,
      (i) => points.dot[i] === kind && !marked.has(i),
      (x, y) => ctx.fillRect(x - size / 2, y - size / 2, size, size),
    );
  }
  ctx.lineWidth = 1.4;
  ctx.fillStyle = colours.surface;
  ctx.strokeStyle = colours.line2;
  for (const kind of [RARE, RARE_OLD]) {
    ctx.setLineDash(kind === RARE_OLD ? [2, 1.5] : []);
    each(
      points,
      place,
      view,
      (i) => points.dot[i] === kind && !marked.has(i),
      (x, y) => {
        ctx.fillRect(x - 2.5, y - 2.5, 5, 5);
        ctx.strokeRect(x - 2.5, y - 2.5, 5, 5);
      },
    );
  }
  ctx.setLineDash([]);
}

/**
 * @param {Points} points @param {(i: number) => [number, number]} place @param {View} view
 * @param {(i: number) => boolean} wanted @param {(x: number, y: number, i: number) => void} then
 */
function each(points, place, { left, top, width, height }, wanted, then) {
  for (let i = 0; i < points.devices.length; i++) {
    if (!points.shown[i] || !wanted(i)) continue;
    const [x, y] = place(i);
    if (x > left && x < left + width && y > top && y < top + height) then(x, y, i);
  }
}

/**
 * What is wrong, and every gauge. Returns what can be pointed at.
 * @param {Points} points @param {Place[]} districts @param {CanvasRenderingContext2D} ctx
 * @param {(i: number) => [number, number]} place
 * @param {View} view
 * @param {(place: Place) => [number, number]} placeName
 * @param {[number, number, number, number][]} covered  by filters and legend: no text can be read there
 * @returns {Target[]}
 */
export function drawMarks(points, districts, ctx, place, view, placeName, covered) {
  const colours = palette(),
    labels = new Labels(ctx, colours, view);
  const lost = state.stream === "lost";
  labels.taken.push(...covered);
  const groups = grouped(points, place, view);
  // A ring where it is dark, and its mark beside it: it would lie on the marks of its neighbours.
  for (const group of groups) if (group.marks[0].incident) drawIncident(ctx, colours, group);
  // A name may lie over a mark of low severity: the other way round half the gauges would have none.
  for (const { x, y, marks } of groups)
    if (marks[0].gauge || marks[0].severity) labels.block(x, y, marks[0].severity === null ? GAUGE / 2 : MARK / 2);
  for (const { x, y, marks } of groups) {
    const worst = marks[0];
    const size = worst.severity === null ? GAUGE : worst.severity === 0 ? LOW : marks.length > 1 ? CLUSTER : MARK;
    drawMark(ctx, colours, x, y, {
      ...worst,
      filled: worst.filled && !lost,
      digit: marks.length > 1 ? null : worst.digit,
      size,
    });
  }
  for (const { x, y, marks } of [...groups].reverse()) {
    const text = marks.length > 1 ? number(marks.length) : nameOf(points, marks[0], view.zoom);
    if (text) labels.put(text, x, y, { gap: marks[0].severity === null ? 9 : 13, bold: marks[0].severity !== null });
  }
  for (const district of districts) labels.put(district.name, ...placeName(district), { faint: true, centred: true });
  return groups.filter(({ marks }) => !marks[0].incident).map(({ x, y, marks }) => ({ x, y, radius: 13, devices: marks.map((mark) => mark.i) })).reverse();
}

const AWAY_X = -46,
  AWAY_Y = -30,
  RING = 8;

/**
 * Ring and line; the group goes to where the line ends.
 * @param {CanvasRenderingContext2D} ctx @param {import("./map_canvas.js").Palette} colours
 * @param {{ x: number, y: number, marks: Mark[] }} group
 */
function drawIncident(ctx, colours, group) {
  const { x, y, marks } = group;
  const far = Math.hypot(AWAY_X, AWAY_Y);
  ctx.beginPath();
  ctx.arc(x, y, RING, 0, 2 * Math.PI);
  ctx.moveTo(x + (AWAY_X * RING) / far, y + (AWAY_Y * RING) / far);
  ctx.lineTo(x + AWAY_X, y + AWAY_Y);
  ctx.lineWidth = 1.6;
  ctx.strokeStyle = colours[marks[0].severity ? `s${4 - marks[0].severity}e` : "line2"];
  ctx.stroke();
  group.x = x + AWAY_X;
  group.y = y + AWAY_Y;
}

/**
 * Abnormal devices that would lie on one another become one mark, the worst; gauges stay themselves.
 * Least important first: the last drawn lies on top.
 * @param {Points} points @param {(i: number) => [number, number]} place @param {View} view
 */
function grouped(points, place, view) {
  /** @type {Map<string, { x: number, y: number, marks: Mark[] }>} */
  const cells = new Map();
  for (const mark of points.marks) {
    const [x, y] = place(mark.i);
    if (x < view.left || x > view.left + view.width || y < view.top || y > view.top + view.height) continue;
    const key = mark.incident ? `a${mark.incident.id}` : mark.gauge ? `g${mark.i}` : `${Math.floor(x / CELL)} ${Math.floor(y / CELL)}`;
    const cell = cells.get(key);
    if (cell) cell.marks.push(mark);
    else cells.set(key, { x, y, marks: [mark] });
  }
  return [...cells.values()].reverse();
}

/** @param {Points} points @param {Mark} mark @param {number} zoom */
function nameOf(points, mark, zoom) {
  if (mark.incident) return said(mark.incident.title);
  const device = points.devices[mark.i];
  const latest = state.latest.get(device.id);
  if (mark.severity === 0 && !mark.gauge && zoom < NAMES_ZOOM) return "";
  const name =
    mark.gauge && device.attributes.river
      ? deviceName(device.id).replace(`${device.attributes.river} di `, "")
      : deviceName(device.id);
  if (latest && !isBelievable(freshness(latest)))
    return `${name} · ${t("stale_for", { age: age(now() - measuredAt(latest)) })}`;
  if (mark.severity === null) return mark.gauge ? name : "";
  const metric = metricOf(device.kind, state.kinds.get(device.kind)?.primary ?? null);
  return latest ? `${name}  ${quantityText(latest.values[metric?.name ?? ""], metric)}` : name;
}

/**
 * What is at a point of the map's plane: a mark, else the nearest device that can be told apart.
 * @param {Points} points @param {Target[]} targets @param {(i: number) => [number, number]} place
 * @param {number} zoom @param {number} x @param {number} y
 * @returns {number[]} devices
 */
export function under(points, targets, place, zoom, x, y) {
  const target = targets.find((each) => Math.hypot(each.x - x, each.y - y) <= each.radius);
  if (target) return target.devices;
  let best = -1,
    least = 9;
  // A walk over 10,000 numbers takes less than a frame has to spare: no index is needed.
  for (let i = 0; i < points.devices.length; i++) {
    if (!points.shown[i] || (zoom < PICK_ZOOM && points.dot[i] < RARE)) continue;
    const [px, py] = place(i);
    const far = Math.hypot(px - x, py - y);
    if (far < least) [best, least] = [i, far];
  }
  return best < 0 ? [] : [best];
}

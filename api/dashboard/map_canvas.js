/**
 * Canvas layers over Leaflet, one for the texture of normal devices and one for the marks of what is wrong. No Leaflet
 * object per device: 10,000 dots are one fillStyle a colour and fillRect each.
 */

import { SHAPES, digitY } from "./marks.js";
import { colour, fontFamily } from "./prefs.js";

/** @typedef {import("./map_points.js").Points} Points */
/** @typedef {{ x: number, y: number, radius: number, devices: number[] }} Target  on the map's own plane, in px */
/** @typedef {(ctx: CanvasRenderingContext2D, place: (i: number) => [number, number], view: View) => void} Draw */
/** @typedef {{ zoom: number, left: number, top: number, width: number, height: number }} View */

const TILE = 256;
// Of the view on each side, and what that is of the canvas.
const PADDING = 0.25,
  BEYOND = PADDING / (1 + 2 * PADDING);

/**
 * A canvas that Leaflet moves and scales along and that is drawn anew when a movement has ended. It reaches a quarter
 * of the view beyond each edge, so that a short pull shows no blank.
 * @param {any} L
 * @param {string} pane
 * @param {() => Points} points
 * @param {Draw} draw
 */
export function canvasLayer(L, pane, points, draw) {
  const Layer = L.Renderer.extend({
    options: { pane, padding: PADDING },
    _initContainer() {
      this._container = document.createElement("canvas");
      this._container.setAttribute("aria-hidden", "true");
    },
    _destroyContainer() {
      this._container.remove();
      delete this._container;
    },
    _updatePaths() {},
    _update() {
      if (this._map._animatingZoom && this._bounds) return;
      L.Renderer.prototype._update.call(this);
      this.draw();
    },
    draw() {
      if (!this._map || !this._bounds) return;
      const canvas = this._container,
        size = this._bounds.getSize(),
        ratio = (window.devicePixelRatio || 1) * (canvas.currentCSSZoom ?? 1); // a wall is zoomed
      const { min } = this._bounds;
      const width = Math.round(size.x * ratio),
        height = Math.round(size.y * ratio);
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        canvas.style.width = `${size.x}px`;
        canvas.style.height = `${size.y}px`;
      }
      L.DomUtil.setPosition(canvas, min);
      const ctx = canvas.getContext("2d");
      ctx.setTransform(1, 0, 0, 1, 0, 0);
      ctx.clearRect(0, 0, width, height);
      ctx.setTransform(ratio, 0, 0, ratio, -min.x * ratio, -min.y * ratio);
      const zoom = this._map.getZoom(),
        place = placer(this._map, points(), zoom);
      draw(ctx, place, { zoom, left: min.x, top: min.y, width: size.x, height: size.y });
    },
  });
  return new Layer();
}

/**
 * Where a device is on the map's plane at a zoom.
 * @param {any} map @param {Points} points @param {number} zoom
 * @returns {(i: number) => [number, number]}
 */
export function placer(map, points, zoom) {
  const scale = TILE * 2 ** zoom,
    origin = map.getPixelOrigin();
  return (i) => [points.x[i] * scale - origin.x, points.y[i] * scale - origin.y];
}

/** @typedef {ReturnType<typeof palette>} Palette */

/** The colours of the theme, asked for once a drawing. */
export function palette() {
  const names = [
    "land",
    "surface",
    "text",
    "text2",
    "text3",
    "line2",
    "lamp",
    "lamp-off",
    "bar",
    "s1",
    "s2",
    "s3",
    "s1e",
    "s2e",
    "s3e",
    "s1on",
    "s2on",
    "s3on",
  ];
  return Object.fromEntries(names.map((name) => [name, colour(`--${name}`)]));
}

/** @type {Map<string, Path2D>} */
const paths = new Map();

/** @param {string | number} shape */
function pathOf(shape) {
  const text = SHAPES[/** @type {0} */ (shape)];
  let path = paths.get(text);
  if (!path) paths.set(text, (path = new Path2D(text)));
  return path;
}

/**
 * @param {CanvasRenderingContext2D} ctx @param {Palette} colours @param {number} x @param {number} y
 * @param {{ severity: number | null, filled: boolean, dashed: boolean, digit: number | null, size: number }} mark
 *   severity null: normal
 */
export function drawMark(ctx, colours, x, y, { severity, filled, dashed, digit, size }) {
  const path = pathOf(severity ?? "normal");
  const hue = severity ? `s${4 - severity}` : null;
  ctx.save();
  ctx.translate(x - size / 2, y - size / 2);
  ctx.scale(size / 16, size / 16);
  ctx.lineJoin = "round";
  ctx.lineWidth = 3.4;
  ctx.strokeStyle = colours.land;
  ctx.stroke(path);
  ctx.fillStyle = filled && hue ? colours[hue] : filled && severity === 0 ? colours.line2 : colours.surface;
  ctx.fill(path);
  ctx.lineWidth = filled ? 1.4 : 1.9;
  ctx.strokeStyle = hue ? colours[`${hue}e`] : colours.line2;
  if (dashed) ctx.setLineDash([2.2, 1.7]);
  ctx.stroke(path);
  if (digit !== null) {
    ctx.setLineDash([]);
    ctx.fillStyle = filled && hue ? colours[`${hue}on`] : colours.text;
    ctx.font = `700 ${severity === 2 ? 9 : 10}px ${fontFamily()}`;
    ctx.textAlign = "center";
    ctx.fillText(String(digit), 8, digitY(severity ?? -1));
  }
  ctx.restore();
}

/** Texts that do not lie on one another: who comes first has the place. */
export class Labels {
  /** @param {CanvasRenderingContext2D} ctx @param {Palette} colours @param {View} view */
  constructor(ctx, colours, view) {
    this.ctx = ctx;
    this.colours = colours;
    // The canvas reaches beyond the view; a text may not.
    this.left = view.left + view.width * BEYOND;
    this.right = view.left + view.width * (1 - BEYOND);
    /** @type {[number, number, number, number][]} */
    this.taken = [];
    this.family = fontFamily();
  }

  /** Keep a place free of texts. @param {number} x @param {number} y @param {number} radius */
  block(x, y, radius) {
    this.taken.push([x - radius, y - radius, x + radius, y + radius]);
  }

  /**
   * @param {string} text @param {number} x @param {number} y  middle of the line
   * @param {{ gap?: number, bold?: boolean, faint?: boolean, centred?: boolean }} [options]  gap: beside a mark
   */
  put(text, x, y, { gap = 0, bold = false, faint = false, centred = false } = {}) {
    const { ctx, colours } = this;
    ctx.font = `${bold ? 600 : 400} ${faint ? 11 : 12}px ${this.family}`;
    const width = ctx.measureText(text).width;
    const left = [x + gap, x - gap - width];
    for (const start of centred ? [x - width / 2] : left) {
      /** @type {[number, number, number, number]} */
      const box = [start - 2, y - 8, start + width + 2, y + 8];
      if ((box[0] < this.left && box[2] > this.left) || (box[2] > this.right && box[0] < this.right)) continue;
      if (this.taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]))
        continue;
      this.taken.push(box);
      ctx.textAlign = "left";
      ctx.lineWidth = 3.5;
      ctx.lineJoin = "round";
      ctx.strokeStyle = colours.land;
      ctx.strokeText(text, start, y + 4);
      ctx.fillStyle = bold ? colours.text : faint ? colours.text3 : colours.text2;
      ctx.fillText(text, start, y + 4);
      return true;
    }
    return false;
  }
}

/** What uPlot does not draw: hatched gaps, thresholds with their names, rings, the last point, the line of now. */

import { now } from "./clock.js";
import { age, moment, number } from "./format.js";
import { SHAPES, digitY, severityOf } from "./marks.js";
import { colour, fontFamily } from "./prefs.js";
import { t } from "./words/chart.js";

/** @typedef {import("./chart.js").Spec} Spec */

const DASHES = new Map([
  [1, []],
  [2, [14, 3]],
  [3, [8, 3]],
]);
const LABELLED_PX = 70;
const NARROW = 560;
const FORECAST_DASH = [5, 4],
  OTHER_DASH = [1.5, 3];

/** @param {any} u  uPlot */
function canvas(u) {
  const ratio = window.devicePixelRatio || 1;
  const { left, top, width, height } = u.bbox;
  return {
    ctx: /** @type {CanvasRenderingContext2D} */ (u.ctx),
    ratio,
    left,
    top,
    right: left + width,
    bottom: top + height,
  };
}

/** Gaps, behind everything: nobody measured there. And what is expected. @param {any} u @param {Spec} spec */
export function drawBehind(u, { series, small, forecasts = [], others = [] }) {
  const { ctx, ratio, left, right, top, bottom } = canvas(u);
  for (const forecast of forecasts) drawForecast(u, forecast);
  for (const other of others) drawLine(u, other, "--text3", OTHER_DASH, 1.4);
  ctx.save();
  if (series.first !== null) {
    const x = u.valToPos(series.first, "x", true),
      words = t("none_before", { time: moment(series.first * 1000) });
    ctx.font = `${11 * ratio}px ${fontFamily()}`;
    ctx.textAlign = "right";
    ctx.fillStyle = colour("--text3");
    if (x - left > ctx.measureText(words).width + 8 * ratio)
      ctx.fillText(words, Math.min(x, right) - 6 * ratio, bottom - 8 * ratio);
  }
  for (const [from, to] of series.gaps) {
    const a = Math.max(left, u.valToPos(from, "x", true)),
      b = Math.min(right, u.valToPos(to, "x", true));
    if (b - a < 1) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(a, top, b - a, bottom - top);
    ctx.clip();
    ctx.strokeStyle = colour("--hatch");
    ctx.lineWidth = 2 * ratio;
    ctx.beginPath();
    const step = 8 * ratio,
      tall = bottom - top;
    for (let x = a - tall - ((a - tall) % step); x < b; x += step) {
      ctx.moveTo(x, bottom);
      ctx.lineTo(x + tall, top);
    }
    ctx.stroke();
    ctx.restore();
    if (small || b - a < LABELLED_PX * ratio) continue;
    const words = t("gap_for", { age: age((to - from) * 1000) });
    ctx.font = `${11 * ratio}px ${fontFamily()}`;
    ctx.textAlign = "left";
    const wide = ctx.measureText(words).width;
    if (wide > b - a) continue;
    ctx.fillStyle = colour("--surface");
    ctx.fillRect(a + 3 * ratio, top + 2 * ratio, wide + 6 * ratio, 16 * ratio);
    ctx.fillStyle = colour("--text2");
    ctx.textBaseline = "alphabetic";
    ctx.fillText(words, a + 6 * ratio, top + 14 * ratio);
  }
  ctx.restore();
}

/** The interval as a band, and the middle dashed. @param {any} u @param {import("./chart.js").Forecast} forecast */
function drawForecast(u, forecast) {
  const { ctx, left, right, top, bottom } = canvas(u);
  const { times, low, high, usual } = forecast;
  const x = (/** @type {number} */ i) => u.valToPos(times[i], "x", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, bottom - top);
  ctx.clip();
  ctx.beginPath();
  times.forEach((_, i) => ctx.lineTo(x(i), u.valToPos(high[i], "y", true)));
  for (let i = times.length - 1; i >= 0; i--) ctx.lineTo(x(i), u.valToPos(low[i], "y", true));
  ctx.closePath();
  ctx.fillStyle = colour(usual ? "--line" : "--fc-band");
  ctx.fill();
  ctx.restore();
  if (!usual) drawLine(u, forecast, "--fc", FORECAST_DASH, 1.8);
}

/**
 * A line beside the one that uPlot draws; it breaks where nothing is known.
 * @param {any} u
 * @param {{ times: number[], values: (number | null)[] }} line
 * @param {string} ink
 * @param {number[]} dash
 * @param {number} width
 */
function drawLine(u, { times, values }, ink, dash, width) {
  const { ctx, ratio, left, right, top, bottom } = canvas(u);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, bottom - top);
  ctx.clip();
  ctx.beginPath();
  let drawn = false;
  values.forEach((value, i) => {
    if (value === null) return (drawn = false);
    const x = u.valToPos(times[i], "x", true),
      y = u.valToPos(value, "y", true);
    if (drawn) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    return (drawn = true);
  });
  ctx.strokeStyle = colour(ink);
  ctx.lineWidth = width * ratio;
  ctx.setLineDash(dash.map((n) => n * ratio));
  ctx.stroke();
  ctx.restore();
}

/** @param {any} u @param {Spec} spec */
export function drawOver(u, { series, bounds, siaga, small, metric }) {
  const { ctx, ratio, left, right, top, bottom } = canvas(u);
  ctx.save();
  for (const bound of bounds) drawBound(u, bound, metric.decimals);
  ctx.beginPath();
  ctx.rect(left - 5 * ratio, top - 5 * ratio, right - left + 10 * ratio, bottom - top + 10 * ratio);
  ctx.clip();
  ctx.lineWidth = 1.4 * ratio;
  ctx.fillStyle = colour("--surface");
  ctx.strokeStyle = colour("--text3");
  for (const [at, value] of series.suspect)
    circle(ctx, u.valToPos(at, "x", true), u.valToPos(value, "y", true), 3.5 * ratio);
  const x = u.valToPos(now() / 1000, "x", true);
  if (x > left && x <= right + 1) {
    ctx.strokeStyle = colour("--text");
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, bottom);
    ctx.stroke();
  }
  const last = series.values.findLastIndex((value) => value !== null);
  if (last >= 0 && series.bucket === null) {
    const severity = siaga === null ? null : severityOf(siaga);
    ctx.fillStyle = severity ? colour(`--s${4 - severity}`) : colour("--surface");
    ctx.strokeStyle = severity ? colour(`--s${4 - severity}e`) : colour("--ink");
    ctx.lineWidth = 1.6 * ratio;
    circle(
      ctx,
      u.valToPos(series.times[last], "x", true),
      u.valToPos(series.values[last], "y", true),
      (small ? 3.5 : 4.5) * ratio,
    );
  }
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} radius */
function circle(ctx, x, y, radius) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
  ctx.stroke();
}

/**
 * A line in the edge colour of its level, with its own dash: told apart also without colour.
 * @param {any} u
 * @param {{ siaga: number, value: number }} bound
 * @param {number} decimals
 */
function drawBound(u, { siaga, value }, decimals) {
  const { ctx, ratio, left, right, top, bottom } = canvas(u);
  const y = Math.round(u.valToPos(value, "y", true));
  if (y < top - 1 || y > bottom + 1) return;
  ctx.save();
  ctx.strokeStyle = colour(`--s${siaga}e`);
  ctx.lineWidth = 1.2 * ratio;
  ctx.setLineDash((DASHES.get(siaga) ?? []).map((n) => n * ratio));
  ctx.beginPath();
  ctx.moveTo(left, y);
  ctx.lineTo(right, y);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.translate(right + 8 * ratio, y - 7 * ratio);
  ctx.scale(0.875 * ratio, 0.875 * ratio);
  const path = new Path2D(SHAPES[/** @type {0} */ (4 - siaga)]);
  ctx.fillStyle = colour(`--s${siaga}`);
  ctx.fill(path);
  ctx.lineWidth = 1.2;
  ctx.stroke(path);
  ctx.fillStyle = colour(`--s${siaga}on`);
  const family = fontFamily();
  ctx.font = `700 9px ${family}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "alphabetic";
  ctx.fillText(String(siaga), 8, digitY(4 - siaga) - 0.4);
  ctx.restore();
  if (u.width < NARROW && u.height > 220) return;
  ctx.font = `${11 * ratio}px ${family}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillStyle = colour("--text2");
  ctx.fillText(`${t(`level${siaga}`)} ${number(value, decimals)}`, right + 27 * ratio, y);
}

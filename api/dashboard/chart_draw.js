/** What uPlot does not draw: hatched gaps, thresholds with their names, rings, the last point, the line of now. */

import { now } from "./clock.js";
import { age, moment, number, time } from "./format.js";
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
const LABEL_PX = 14;
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
export function drawOver(u, { series, bounds, siaga, small, metric, forecasts = [] }) {
  const { ctx, ratio, left, right, top, bottom } = canvas(u);
  ctx.save();
  const apart = labelPlaces(bounds.map((bound) => u.valToPos(bound.value, "y", true)), LABEL_PX * ratio);
  bounds.forEach((bound, i) => drawBound(u, bound, metric.decimals, apart[i], u.width >= NARROW || small));
  for (const { crossings = [] } of forecasts) for (const each of crossings) drawCrossing(u, each);
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

/** A ring where a forecast comes to a bound, with the time. @param {any} u @param {{ at: number, value: number }} crossing */
function drawCrossing(u, { at, value }) {
  const { ctx, ratio, left, right } = canvas(u);
  const x = u.valToPos(at, "x", true),
    y = u.valToPos(value, "y", true);
  if (x < left || x > right) return;
  ctx.save();
  ctx.fillStyle = colour("--surface");
  ctx.strokeStyle = colour("--fc");
  ctx.lineWidth = 1.6 * ratio;
  circle(ctx, x, y, 4 * ratio);
  ctx.font = `600 ${12 * ratio}px ${fontFamily()}`;
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = colour("--text");
  const words = time(at * 1000),
    beyond = x + 8 * ratio + ctx.measureText(words).width > right;
  ctx.textAlign = beyond ? "right" : "left";
  ctx.fillText(words, x + (beyond ? -8 : 8) * ratio, y + 15 * ratio);
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
 * Names beside lines that lie close together are moved apart, by as little as that takes.
 * @param {number[]} wanted
 * @param {number} room
 */
function labelPlaces(wanted, room) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const places = [...wanted];
  for (let k = 1; k < order.length; k++) places[order[k]] = Math.max(places[order[k]], places[order[k - 1]] + room);
  // Half of what was gained goes back up, so that the middle of the pile stays where its lines are.
  const pushed = order.length ? places[order[order.length - 1]] - wanted[order[order.length - 1]] : 0;
  if (pushed > 0) for (const i of order) places[i] -= pushed / 2;
  return places;
}

/**
 * A line in the edge colour of its level, with its own dash: told apart also without colour.
 * @param {any} u
 * @param {import("./chart.js").Bound} bound
 * @param {number} decimals
 * @param {number} labelled  where its mark and name stand, so that they do not cover those of another
 * @param {boolean} named  there is room for the name, not only for the mark
 */
function drawBound(u, { siaga, value, reached = true }, decimals, labelled, named) {
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
  ctx.translate(right + 8 * ratio, labelled - 7 * ratio);
  ctx.scale(0.875 * ratio, 0.875 * ratio);
  const path = new Path2D(SHAPES[/** @type {0} */ (4 - siaga)]);
  if (reached) {
    ctx.fillStyle = colour(`--s${siaga}`);
    ctx.fill(path);
  } else ctx.strokeStyle = colour("--line2");
  ctx.lineWidth = 1.2;
  ctx.stroke(path);
  ctx.fillStyle = colour(reached ? `--s${siaga}on` : "--text2");
  const family = fontFamily();
  ctx.font = `700 9px ${family}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "alphabetic";
  ctx.fillText(String(siaga), 8, digitY(4 - siaga) - 0.4);
  ctx.restore();
  if (!named) return;
  ctx.font = `${11 * ratio}px ${family}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillStyle = colour("--text2");
  ctx.fillText(`${t(`level${siaga}`)} ${number(value, decimals)}`, right + 27 * ratio, labelled);
}

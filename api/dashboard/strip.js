/** Small drawings in a row of a table: a night or a day as a strip, and a line of a few points. Each says itself in words. */

import { s } from "./dom.js";

/** What a part of a strip is: its height says how much, its class what (css/base.css).
 *  @typedef {{ from: number, to: number, share: number, is: "on" | "alarm" | "was" | "unknown" | "busy" | "jammed" }} Part */

/**
 * @param {{ from: number, to: number, parts: Part[], label: string, ticks?: number[], due?: [number, number] | null, width?: number,
 *   height?: number }} options  times in one unit; ticks: where a thin line stands over the whole height; due: the line below only there
 * @returns {SVGElement}
 */
export function strip({ from, to, parts, label, ticks = [], due = [from, to], width = 240, height = 22 }) {
  const x = (/** @type {number} */ at) => (width * (Math.min(Math.max(at, from), to) - from)) / (to - from);
  const round = (/** @type {number} */ n) => Math.round(n * 10) / 10;
  /** One path per state. @type {Map<string, string>} */
  const paths = new Map();
  for (const part of parts) {
    const tall = part.is === "unknown" ? height : Math.max(1, part.share * (height - 2));
    const box = `M${round(x(part.from))} ${height}v${-round(tall)}H${round(x(part.to))}V${height}z`;
    paths.set(part.is, (paths.get(part.is) ?? "") + box);
  }
  return s(
    "svg.strip",
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    due && s("path.base", { d: `M${round(x(due[0]))} ${height}H${round(x(due[1]))}` }),
    [...paths].map(([is, d]) => s(`path.${is}`, { d })),
    ticks.map((at) => s("path.tick", { d: `M${round(x(at))} 0V${height}` })),
  );
}

/**
 * The course of a value; where nothing is known the line breaks.
 * @param {(number | null)[]} values
 * @param {string} label
 * @param {{ width?: number, height?: number, least?: number }} [options]  least: what the whole height stands for at least,
 *   so that noise looks like noise
 * @returns {SVGElement}
 */
export function spark(values, label, { width = 72, height = 20, least = 0 } = {}) {
  const known = /** @type {number[]} */ (values.filter((value) => value !== null));
  const lowest = Math.min(...known),
    range = Math.max(...known) - lowest;
  const span = Math.max(range, least),
    low = lowest - (span - range) / 2;
  let pen = "M";
  const d = values.map((value, i) => {
    if (value === null) return ((pen = "M"), "");
    const x = (i * width) / Math.max(1, values.length - 1);
    // What stands still is a line in the middle, not at the bottom.
    const y = span ? height - 2 - ((height - 4) * (value - low)) / span : height / 2;
    const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
    return step;
  });
  return s("svg.spark", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, s("path", { d: d.join("") }));
}

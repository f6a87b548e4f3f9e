/**
 * The siaga ladder: every gauge on the same four equal steps, so that rivers whose thresholds differ by metres compare
 * at a glance. The step a gauge stands in is tinted whole: just inside Siaga 2 must not look calmer than deep in Siaga 3.
 */

import { redraw, s } from "./dom.js";
import { number } from "./format.js";
import { SLOW, severityOf } from "./marks.js";
import { t } from "./words/ladder.js";

/** Rising bounds of Siaga 3, 2 and 1, in m. @typedef {[number, number, number]} Bounds */
/** ahead: the level that is expected in two hours, between which levels
 *  @typedef {{ level: number | null, rate: number | null, siaga: number | null, stale: boolean,
 *    ahead?: { level: number, low: number, high: number } | null }} Stand */

const STEPS = 4;
const WIDTH = 292,
  HEIGHT = 28,
  BAR = 10;

/** @param {Record<string, any>} attributes @returns {Bounds | null} */
export function boundsOf(attributes) {
  const bounds = [attributes.siaga_3_m, attributes.siaga_2_m, attributes.siaga_1_m];
  return bounds.every((bound) => typeof bound === "number") ? /** @type {Bounds} */ (bounds) : null;
}

/**
 * Where a level stands on the steps, 0 to 4. Normal begins at the datum, or two steps below Siaga 3 where that is below
 * the datum; the last step is as high as the one before.
 * @param {Bounds} bounds
 * @param {number} level
 */
export function position(bounds, level) {
  const [first, second, third] = bounds;
  const base = first > 0 ? 0 : first - 2 * (second - first);
  const edges = [base, first, second, third, third + (third - second)];
  const step = edges.findIndex((_, i) => i === STEPS - 1 || level < edges[i + 1]);
  const within = (level - edges[step]) / (edges[step + 1] - edges[step]);
  return Math.min(STEPS, Math.max(0, step + within));
}

/**
 * The next worse level and how far it is; from the worst one, how far above it.
 * @param {Bounds} bounds
 * @param {number} level
 * @returns {{ siaga: number, away: number }}
 */
export function nextLevel(bounds, level) {
  const step = bounds.findIndex((bound) => level < bound);
  return step < 0 ? { siaga: 1, away: bounds[2] - level } : { siaga: 3 - step, away: bounds[step] - level };
}

/** @returns {SVGElement} */
export const makeLadder = () =>
  s("svg.ladder", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });

/**
 * @param {SVGElement} element
 * @param {Bounds | null} bounds
 * @param {Stand} stand
 */
export function drawLadder(element, bounds, stand) {
  const { level, rate, siaga, stale, ahead = null } = stand;
  const seen = ahead && [ahead.level, ahead.low, ahead.high].map((each) => each.toFixed(2));
  const key = [bounds, level?.toFixed(3), rate?.toFixed(2), siaga, stale, seen, document.documentElement.lang].join();
  redraw(element, key, () => {
    element.setAttribute("aria-label", labelOf(bounds, stand));
    if (!bounds || level === null) return steps();
    return [steps(), ...filled(bounds, level, rate, siaga, stale), ahead && !stale && expected(bounds, level, ahead)];
  });
}

const step = WIDTH / STEPS;
const middle = HEIGHT / 2 - 1;
const top = middle - BAR / 2;

/** @param {string} name @param {number} x @param {number} width */
const bar = (name, x, width) => s(`rect.${name}`, { x, y: top, width: Math.max(0, width), height: BAR, rx: 1 });

function steps() {
  return s(
    "g",
    {},
    Array.from({ length: STEPS }, (_, i) => bar("empty", i * step + 1, step - 2)),
  );
}

/**
 * @param {Bounds} bounds @param {number} level @param {number | null} rate @param {number | null} siaga
 * @param {boolean} stale
 */
function filled(bounds, level, rate, siaga, stale) {
  const at = position(bounds, level) * step;
  if (stale) return [s("rect.was", { x: at - 1.5, y: top - 2, width: 3, height: BAR + 4, rx: 1 })];
  const current = Math.min(STEPS - 1, Math.floor(at / step));
  const severity = siaga === null ? null : severityOf(siaga);
  const parts = [];
  if (severity !== null) parts.push(bar(`tint.sev${severity}`, current * step + 1, step - 2));
  for (let i = 0; i <= current && i * step < at; i++) {
    const own = severity !== null && i === current ? `full.sev${severity}` : "full";
    parts.push(bar(own, i * step + 1, Math.min(at, (i + 1) * step - 1) - i * step - 1));
  }
  if (rate) {
    const before = position(bounds, level - rate) * step;
    const y = top + BAR + 5;
    if (Math.abs(at - before) > 4)
      parts.push(s("path.tail", { d: `M${before} ${y}H${at}` }), s("circle.tail", { cx: before, cy: y, r: 1.6 }));
  }
  parts.push(s("rect.now", { x: at - 1.5, y: top - 4, width: 3, height: BAR + 5, rx: 1 }));
  return parts;
}

/** Dotted to where it is expected in two hours, with its interval. @param {Bounds} bounds @param {number} level @param {{ level: number, low: number, high: number }} ahead */
function expected(bounds, level, ahead) {
  const x = (/** @type {number} */ at) => position(bounds, at) * step;
  const [from, to, low, high] = [level, ahead.level, ahead.low, ahead.high].map(x);
  return s(
    "g.ahead",
    {},
    s("path.way", { d: `M${from} ${middle}H${to}` }),
    s("path", { d: `M${low} ${middle}H${high}M${low} ${middle - 3}v6M${high} ${middle - 3}v6` }),
    s("circle", { cx: to, cy: middle, r: 2.6 }),
  );
}

/**
 * @param {Bounds | null} bounds
 * @param {Stand} stand
 */
function labelOf(bounds, { level, rate, siaga, stale }) {
  if (level === null) return t("unknown");
  const metres = t("metre", { n: number(level, 2) });
  if (stale) return t("gauge_stale", { level: metres });
  if (!bounds || siaga === null) return `${metres}, ${t("no_bounds")}`;
  const words = { rate: t("metre", { n: number(Math.abs(rate ?? 0), 2) }) };
  const trend = rate === null ? "" : t(Math.abs(rate) < SLOW ? "steady" : rate > 0 ? "rising" : "falling", words);
  const next = nextLevel(bounds, level);
  const ahead =
    next.away > 0
      ? t("next_says", { siaga: t("siaga", { n: next.siaga }), m: t("metre", { n: number(next.away, 2) }) })
      : "";
  return t("gauge_says", { level: metres, siaga: t("siaga", { n: siaga }), trend, next: ahead });
}

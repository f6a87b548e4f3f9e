/** Past forecasts against what came: each a dot, its place how far off, the band the interval it was given with. */

import { s } from "../dom.js";
import { number } from "../format.js";
import { t } from "../words/rivers.js";

/** @typedef {{ at: string, earliest: string, latest: string, reached_at: string | null, as_of: string }} Past */

const WIDTH = 314,
  HEIGHT = 58,
  BAND = 52,
  ROWS = 4;

/**
 * Where what came lies: −1 and 1 are the ends of the interval, 0 the middle that was told.
 * @param {Past} past
 * @returns {number | null}
 */
export function offOf({ at, earliest, latest, reached_at }) {
  if (reached_at === null) return null;
  const [told, first, last, came] = [at, earliest, latest, reached_at].map((each) => Date.parse(each));
  const room = came < told ? told - first : last - told;
  return came === told ? 0 : (came - told) / Math.max(room, 60_000);
}

/** @param {Past[]} all */
export function scoreDots(all) {
  const offs = all.map(offOf).filter((off) => off !== null);
  const inside = offs.filter((off) => Math.abs(off) <= 1).length,
    early = offs.filter((off) => off < -1).length;
  const label = t("dots_say", { n: number(offs.length), inside: number(inside), early: number(early), late: number(offs.length - inside - early) });
  const dot = (/** @type {number} */ off, /** @type {number} */ i) =>
    s(Math.abs(off) <= 1 ? "circle.in" : "circle.out", {
      cx: WIDTH / 2 + Math.max(-2.8, Math.min(2.8, off)) * BAND,
      cy: 9 + ((i * 3) % ROWS) * 8,
      r: 3.4,
    });
  return s(
    "svg.score-dots",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    s("rect.band", { x: WIDTH / 2 - BAND, y: 2, width: 2 * BAND, height: 38 }),
    s("path.middle", { d: `M${WIDTH / 2} 0V44` }),
    s("path.base", { d: `M0 40.5H${WIDTH}` }),
    offs.map(dot),
    s("text", { x: 0, y: 54 }, t("early")),
    s("text", { x: WIDTH / 2, y: 54, "text-anchor": "middle" }, t("on_time")),
    s("text", { x: WIDTH, y: 54, "text-anchor": "end" }, t("late_side")),
  );
}

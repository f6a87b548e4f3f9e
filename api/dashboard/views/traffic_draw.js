/** Small drawings of roads: the letter, a speed against the usual one, a day as bars, and speed against flow. */

import { now } from "../clock.js";
import { h, s } from "../dom.js";
import { number, time } from "../format.js";
import { strip } from "../strip.js";
import { t } from "../words/traffic.js";
import { DAY_S, barsOf, mostFlow } from "./traffic_data.js";

/** @typedef {import("./traffic_data.js").Quarter} Quarter */
/** @typedef {import("./traffic_data.js").Site} Site */

/** Level of service; colour only from E on. @param {string | null} letter */
export const losMark = (letter) =>
  letter ? h(`span.los.los-${letter}`, { title: t(`los_${letter}`) }, letter) : h("span.t3", {}, "–");

const BULLET = 96;

/** The speed as a bar, the usual one as a line with its spread. @param {Site} site @param {number} most  km/h at the end */
export function bullet({ speed_kmh, usual_speed: { p10_kmh, p50_kmh, p90_kmh } }, most) {
  const x = (/** @type {number} */ value) => (BULLET * Math.min(value, most)) / most;
  const label =
    p50_kmh === null
      ? t("no_usual")
      : t("bullet_says", { speed: number(speed_kmh), usual: number(p50_kmh), low: number(p10_kmh), high: number(p90_kmh) });
  return s(
    "svg.bullet",
    { viewBox: `0 0 ${BULLET} 18`, role: "img", "aria-label": label },
    s("rect.empty", { y: 6, width: BULLET, height: 6, rx: 1 }),
    p10_kmh !== null && p90_kmh !== null && s("rect.spread", { x: x(p10_kmh), y: 3, width: Math.max(1, x(p90_kmh) - x(p10_kmh)), height: 12 }),
    speed_kmh !== null && s("rect.full", { y: 6, width: x(speed_kmh), height: 6, rx: 1 }),
    p50_kmh !== null && s("path.usual", { d: `M${x(p50_kmh)} 2V16` }),
  );
}

/** @param {readonly Quarter[]} quarters @param {number} from  s @param {string} name */
export function dayStrip(quarters, from, name) {
  const own = quarters.filter((quarter) => Date.parse(quarter.bucket) / 1000 >= from && Date.parse(quarter.bucket) / 1000 < from + DAY_S);
  const at = now() / 1000;
  const slow = own.filter((quarter) => quarter.los === "E" || quarter.los === "F");
  const label = t("day_says", { name, most: number(mostFlow(own)), slow: slow.length ? slow.map((each) => time(each.bucket)).join(", ") : t("never_slow") });
  return strip({ from, to: from + DAY_S, parts: barsOf(own, mostFlow(quarters)), label, ticks: at < from + DAY_S ? [at] : [], width: 300, height: 24 });
}

/** The hours over a day's bars. */
export const dayAxis = () => [
  s(
    "svg.hours",
    { "aria-hidden": "true" },
    [0, 6, 12, 18, 24].map((hour) =>
      s("text", { x: `${(100 * hour) / 24}%`, y: 12, "text-anchor": hour === 0 ? "start" : hour === 24 ? "end" : "middle" }, t("hour", { h: String(hour).padStart(2, "0") })),
    ),
  ),
  h("span.only-read", {}, t("today")),
];

const WIDTH = 354,
  HEIGHT = 196,
  LEFT = 34,
  RIGHT = 6,
  TOP = 10,
  BASE = 160;

/**
 * Each quarter of an hour a point: a road that is overloaded leaves the upper branch.
 * @param {readonly Quarter[]} quarters @param {Site} site
 */
export function cloud(quarters, site) {
  const known = quarters.filter((quarter) => quarter.flow_vph !== null && quarter.speed_kmh !== null);
  const flows = Math.max(...known.map((each) => each.flow_vph ?? 0), site.flow_vph ?? 0),
    speeds = Math.max(...known.map((each) => each.speed_kmh ?? 0), site.free_flow_kmh ?? 0, site.speed_kmh ?? 0);
  const wide = roundUp(flows),
    tall = roundUp(speeds);
  const x = (/** @type {number} */ flow) => LEFT + ((WIDTH - LEFT - RIGHT) * flow) / wide,
    y = (/** @type {number} */ speed) => BASE - ((BASE - TOP) * speed) / tall;
  const dots = known.map((each) => `M${x(each.flow_vph ?? 0).toFixed(1)} ${y(each.speed_kmh ?? 0).toFixed(1)}h.01`).join("");
  const here = site.flow_vph !== null && site.speed_kmh !== null ? { x: x(site.flow_vph), y: y(site.speed_kmh) } : null;
  const right = here && here.x > WIDTH / 2;
  return s(
    "svg.cloud",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("cloud_says", { n: number(known.length), speed: number(site.speed_kmh), flow: number(site.flow_vph) }) },
    [0, tall / 2, tall].map((speed) => [s("path.grid", { d: `M${LEFT} ${y(speed)}H${WIDTH - RIGHT}` }), s("text", { x: LEFT - 6, y: y(speed) + 4, "text-anchor": "end" }, number(speed))]),
    [0, wide / 2, wide].map((flow, i) => s("text", { x: x(flow), y: BASE + 16, "text-anchor": i === 2 ? "end" : "middle" }, number(flow))),
    s("path.dots", { d: dots }),
    here && s(`circle.here.los-${site.los}`, { cx: here.x, cy: here.y, r: 5 }),
    here && site.ts && s("text.here", { x: here.x + (right ? -10 : 10), y: here.y + 4, "text-anchor": right ? "end" : "start" }, time(site.ts)),
    s("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, t("vph")),
    s("text", { x: LEFT, y: HEIGHT - 6 }, `↑ ${t("kmh")}`),
  );
}

/** @param {number} value */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return ([1, 2, 3, 4, 5, 6, 8, 10].find((each) => each * power >= value) ?? 10) * power;
}

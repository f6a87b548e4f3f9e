/**
 * Marks of severity and level, icons, the trend arrow. Colour never stands alone: each severity has its own shape, each
 * level its digit, and every mark a name.
 */

import { s } from "./dom.js";
import { t } from "./words/common.js";

/** @typedef {"filled" | "outlined" | "cleared"} Fill */

/** Shapes on a 16 × 16 grid by internal severity; level 4 (normal) is the circle. */
export const SHAPES = {
  3: "M2.6 1.4h10.8q1.2 0 1.2 1.2v10.8q0 1.2-1.2 1.2H2.6q-1.2 0-1.2-1.2V2.6q0-1.2 1.2-1.2z",
  2: "M8 1.1q.6 0 .9.6l6 11.4q.3.6 0 1-.3.5-.9.5H2q-.6 0-.9-.5-.3-.4 0-1l6-11.4q.3-.6.9-.6z",
  1: "M7.1 1.2q.9-.9 1.8 0l5.9 5.9q.9.9 0 1.8l-5.9 5.9q-.9.9-1.8 0L1.2 8.9q-.9-.9 0-1.8z",
  0: "M2.4 5.6h11.2q.9 0 .9.9v3q0 .9-.9.9H2.4q-.9 0-.9-.9v-3q0-.9.9-.9z",
  normal: "M8 1.6a6.4 6.4 0 1 1 0 12.8A6.4 6.4 0 1 1 8 1.6z",
};
export const NORMAL_LEVEL = 4;

/** Where a digit stands in a shape: a triangle has its room at the bottom. @param {number} severity */
export const digitY = (severity) => (severity === 2 ? 12.6 : 11.5);

/** Severity of a siaga digit: 1 is the worst digit, 3 the worst severity; null for normal. @param {number} siaga */
export const severityOf = (siaga) => (siaga >= NORMAL_LEVEL ? null : NORMAL_LEVEL - siaga);

/**
 * How an alert's mark is filled: filled needs somebody, outlined has somebody or is put aside, dashed is over but unseen.
 * @param {{ acked: boolean, state: string, shelved_until?: string | null, suppressed?: string | null, historical?: boolean }} alert
 * @returns {Fill}
 */
export function fillOf(alert) {
  if (alert.acked || alert.shelved_until || alert.suppressed || alert.historical) return "outlined";
  return alert.state === "cleared" ? "cleared" : "filled";
}

/** What stands in a mark instead of a digit: put aside for a time, held back, only about the past. */
const SIGNS = {
  shelved: "M6.4 5.6v4.8M9.6 5.6v4.8",
  suppressed: "M5.4 8h5.2",
  historical: "M8 5.2V8l2 1.6",
};

/**
 * @param {number} severity
 * @param {{ fill?: Fill, digit?: number | null, size?: number, fresh?: boolean, label?: string | null, many?: boolean,
 *   sign?: keyof typeof SIGNS | null }} [options]  label null: the same word stands beside it; many: an incident
 * @returns {SVGElement}
 */
export function severityMark(
  severity,
  { fill = "filled", digit = null, size = 16, fresh = false, label = null, many = false, sign = null } = {},
) {
  const level = digit !== null && digit < NORMAL_LEVEL && fill !== "cleared" && !sign;
  return s(
    `svg.mark.sev${severity}.${fill}${fresh ? ".fresh" : ""}`,
    named(size, label),
    // An incident is a pile of marks.
    many && s("path.behind", { d: SHAPES[/** @type {0} */ (severity)], transform: "translate(3.4 -2.2)" }),
    s("path.shape", { d: SHAPES[/** @type {0} */ (severity)] }),
    sign && s("path.check", { d: SIGNS[sign], transform: severity === 2 ? "translate(0 1.6)" : null }),
    level && s("text", { x: 8, y: digitY(severity) }, digit),
    fill === "cleared" &&
      s("path.check", { d: severity === 2 ? "M5.2 10l1.9 1.9 3.6-3.9" : "M5.2 8.2l1.9 1.9 3.6-3.9" }),
  );
}

/**
 * The mark of a siaga level.
 * @param {number} siaga
 * @param {{ fill?: boolean, size?: number, label?: string | null }} [options]  fill: some gauge is at this level
 * @returns {SVGElement}
 */
export function levelMark(siaga, { fill = true, size = 16, label = null } = {}) {
  const severity = severityOf(siaga);
  const shape = severity === null ? "normal" : severity;
  return s(
    severity !== null && fill ? `svg.mark.sev${severity}.filled` : severity === 2 ? "svg.mark.sev2" : "svg.mark",
    named(size, label),
    s("path.shape", { d: SHAPES[/** @type {0} */ (shape)] }),
    s("text", { x: 8, y: digitY(severity ?? -1) }, siaga),
  );
}

/**
 * Nobody knows: stale, or never heard.
 * @param {{ size?: number, label?: string | null }} [options]
 * @returns {SVGElement}
 */
export function unknownMark({ size = 16, label = null } = {}) {
  return s(
    "svg.mark.unknown",
    named(size, label),
    s("path.shape", { d: SHAPES.normal }),
    s("text", { x: 8, y: 11.5 }, "?"),
  );
}

/**
 * @param {number} size
 * @param {string | null} label
 */
function named(size, label) {
  const hidden = label === null;
  return {
    width: size,
    height: size,
    viewBox: "0 0 16 16",
    role: hidden ? null : "img",
    "aria-label": label,
    "aria-hidden": hidden ? "true" : null,
  };
}

/** What an alert's mark says aloud. @param {import("./store.js").Alert} alert */
export function alertLabel(alert) {
  const what =
    alert.siaga !== null && alert.rule === "siaga" ? t("siaga", { n: alert.siaga }) : t(`sev${alert.severity}`);
  const named = alert.members === null ? what : t("mark_incident", { what });
  const sign = signOf(alert);
  if (sign) return `${named}, ${t(`mark_${sign}`)}`;
  return t({ filled: "mark_unacked", outlined: "mark_acked", cleared: "mark_cleared" }[fillOf(alert)], { what: named });
}

/** @param {import("./store.js").Alert} alert @returns {keyof typeof SIGNS | null} */
function signOf(alert) {
  if (alert.shelved_until) return "shelved";
  if (alert.suppressed) return "suppressed";
  return alert.historical ? "historical" : null;
}

/**
 * @param {import("./store.js").Alert} alert
 * @param {{ size?: number, fresh?: boolean }} [options]
 */
export function alertMark(alert, { size = 16, fresh = false } = {}) {
  const many = alert.members !== null,
    sign = signOf(alert);
  const options = { fill: fillOf(alert), digit: alert.siaga, size, fresh, label: alertLabel(alert), many, sign };
  return severityMark(alert.severity, options);
}

const ICONS = {
  situation: "M3 5.5 8 3.5l4 2 5-2v11l-5 2-4-2-5 2zM8 3.5v11M12 5.5v11",
  alerts: "M10 3 17.5 16h-15zM10 8v4M10 14.2v.2",
  rivers:
    "M2.5 6.5c2.5-2 5-2 7.5 0s5 2 7.5 0M2.5 11c2.5-2 5-2 7.5 0s5 2 7.5 0M2.5 15.5c2.5-2 5-2 7.5 0s5 2 7.5 0",
  lamps: "M6 17.5V5.5a3 3 0 0 1 3-3h4M13 2.5l3 4h-6zM4 17.5h4M11 9.5v2M13 9.5v2M15 9.5v2",
  traffic: "M7 17.5 8.5 3M13 17.5 11.5 3M10 4v2M10 8.5v2.5M10 13.5v3",
  handover: "M5 3.5h10v13H5zM7.5 2.5h5v2.5h-5zM7.5 9h5M7.5 12h3M11.5 13.5l1 1 2-2.4",
  quarantine: "M3 11.5 5 4h10l2 7.5v5H3zM3 11.5h4.2l1 2.2h3.6l1-2.2H17M10 5.8v3.4M8.4 7.8 10 9.4l1.6-1.6",
  rules:
    "M3 5.5h5M12 5.5h5M3 10h9M16 10h1M3 14.5h3M10 14.5h7M8 3.8v3.4h4V3.8zM12 8.3v3.4h4V8.3zM6 12.8v3.4h4v-3.4z",
  wall: "M3 4h14v9.5H3zM7 17h6M10 13.5V17",
  sound: "M3.5 7.5h3L10 4.5v11l-3.5-3h-3zM13 7.2a4 4 0 0 1 0 5.6M15.2 5a7 7 0 0 1 0 10",
  muted: "M3.5 7.5h3L10 4.5v11l-3.5-3h-3zM13 8l4 4M17 8l-4 4",
  shelve: "M10 2.8a7.2 7.2 0 1 1 0 14.4 7.2 7.2 0 0 1 0-14.4zM8 7.2v5.6M12 7.2v5.6",
  phone:
    "M5 3.5h3l1.2 3.6-2 1.3c.9 2 2.4 3.5 4.4 4.4l1.3-2 3.6 1.2v3c0 .8-.7 1.5-1.5 1.5C8.7 16.5 3.5 11.3 3.5 5c0-.8.7-1.5 1.5-1.5z",
  comment: "M3.5 4.5h13v9h-7l-3.5 3v-3H3.5z",
  view_only:
    "M2.5 10s2.8-5 7.5-5 7.5 5 7.5 5-2.8 5-7.5 5-7.5-5-7.5-5zM10 7.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z",
  devices:
    "M10 11.5v6M6.5 17.5h7M10 8.2a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2zM6.6 13.2a4.8 4.8 0 0 1 0-6.8M13.4 6.4a4.8 4.8 0 0 1 0 6.8M4.2 15.5a8 8 0 0 1 0-11.4M15.8 4.1a8 8 0 0 1 0 11.4",
  person: "M10 3a3.2 3.2 0 1 1 0 6.4A3.2 3.2 0 0 1 10 3zM3.5 17c.6-3.6 3-5.4 6.5-5.4s5.9 1.8 6.5 5.4",
  live: "M2.5 10.5h3l2-5 3.5 9 2.5-6 1 2h3",
  lost: "M2.5 10.5h3l1.5-3.8M12 12.5l1-2h4.5M4 3l12.5 14",
  clock: "M10 2.8a7.2 7.2 0 1 1 0 14.4 7.2 7.2 0 0 1 0-14.4zM10 6v4.2l2.8 1.8",
  search: "M8.8 3.3a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM12.8 12.8l4 4",
  check: "M4 10.5l4 4 8-9",
  back: "M12 5l-5 5 5 5",
  next: "M8 5l5 5-5 5",
  download: "M10 3v9M6.5 9l3.5 3.5L13.5 9M4 16.5h12",
  theme_light:
    "M10 6.4a3.6 3.6 0 1 1 0 7.2 3.6 3.6 0 0 1 0-7.2zM10 1.8v2M10 16.2v2M1.8 10h2M16.2 10h2M4.2 4.2l1.4 1.4M14.4 14.4l1.4 1.4M4.2 15.8l1.4-1.4M14.4 5.6l1.4-1.4",
  theme_dark: "M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5z",
  theme_auto: "M10 3a7 7 0 1 1 0 14zM10 3a7 7 0 1 0 0 14zM12 5.5l3 3M12 9l4 4M12 12.5l2 2",
};

/** @typedef {keyof typeof ICONS} IconName */

/**
 * Always beside a word, so without a name of its own.
 * @param {IconName} name
 * @returns {SVGElement}
 */
export function icon(name) {
  return s("svg.icon", { viewBox: "0 0 20 20", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}

// m/h from which a level counts as moving, and as moving fast.
export const SLOW = 0.05,
  FAST = 0.3;

/** An arrow that leans with the rate. @param {number} rate  m/h @returns {SVGElement} */
export function trendArrow(rate) {
  const size = Math.abs(rate);
  const angle = (size < SLOW ? 0 : size < FAST ? 30 : 60) * (rate > 0 ? -1 : 1);
  const arrow = s("path", { d: "M2 8h11M9.2 4.2 13 8l-3.8 3.8", transform: `rotate(${angle} 8 8)` });
  return s("svg.icon.trend", { viewBox: "0 0 16 16", "aria-hidden": "true" }, arrow);
}

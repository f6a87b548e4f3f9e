/** A night of a panel as it is drawn and said: parts of a strip, and when it was dark. Pure but for the words. */

import { moment, number, percent } from "../format.js";
import { t } from "../words/lamps.js";

/** @typedef {{ group: string | null, district: string | null, lamps: number, lit: number, expected: number, silent: number,
 *    power_w: number, dark_since: string | null, alert_id: number | null, faults: Record<string, number>,
 *    lit_share: (number | null)[], dimmed_share: (number | null)[], no_data_share: (number | null)[],
 *    should_be_lit: (boolean | null)[], dark: (boolean | null)[] }} Group */
/** @typedef {{ from: string, to: string, step_s: number, half: "night" | "day", sunset: string | null, sunrise: string | null,
 *    items: Group[] }} Night */
/** @typedef {import("../strip.js").Part} Part */

// Most lamps of a cell are not heard: nobody knows. A dimmed lamp is drawn at so much of its height.
const UNKNOWN_FROM = 0.5,
  DIMMED = 0.72;

/** @param {Night} night */
export const startOf = (night) => Date.parse(night.from);

/** When the dark runs of a group were, ms; an open one reaches the newest cell. @param {Group} group @param {Night} night */
export function darkRuns(group, night) {
  const step = night.step_s * 1000,
    past = pastOf(group);
  /** @type {{ from: number, to: number, open: boolean }[]} */
  const runs = [];
  group.dark.slice(0, past).forEach((dark, i) => {
    if (!dark) return;
    const last = runs.at(-1),
      from = startOf(night) + i * step;
    if (last && last.to === from) last.to = from + step;
    else runs.push({ from, to: from + step, open: false });
    const run = /** @type {{ open: boolean }} */ (runs.at(-1));
    run.open = i === past - 1 && group.dark_since !== null;
  });
  return runs;
}

/** How many cells have been. @param {Group} group */
const pastOf = (group) => {
  const next = group.lit_share.findIndex((share) => share === null);
  return next < 0 ? group.lit_share.length : next;
};

/** @param {Group} group @param {Night} night @returns {Part[]} */
export function partsOf(group, night) {
  const open = darkRuns(group, night).find((run) => run.open);
  const start = startOf(night),
    step = night.step_s * 1000;
  /** @type {Part[]} */
  const parts = [];
  for (let i = 0; i < pastOf(group); i++) {
    const from = start + i * step,
      lit = group.lit_share[i] ?? 0,
      dimmed = group.dimmed_share[i] ?? 0;
    const is = group.dark[i]
      ? open && from >= open.from
        ? "alarm"
        : "was"
      : (group.no_data_share[i] ?? 0) > UNKNOWN_FROM
        ? "unknown"
        : "on";
    const share = is === "on" ? Math.round((lit - dimmed * (1 - DIMMED)) * 50) / 50 : 1;
    const last = parts.at(-1);
    if (is === "on" && share === 0) continue;
    if (last && last.is === is && last.share === share && last.to === from) last.to = from + step;
    else parts.push({ from, to: from + step, share, is });
  }
  return parts;
}

/** When the sun asks for light, ms; null where nobody knows. @param {Group} group @param {Night} night @returns {[number, number] | null} */
export function dueOf(group, night) {
  const first = group.should_be_lit.indexOf(true),
    last = group.should_be_lit.lastIndexOf(true);
  if (first < 0) return null;
  const at = (/** @type {number} */ i) => startOf(night) + i * night.step_s * 1000;
  return [at(first), at(last + 1)];
}

/** The strip in words. @param {Group} group @param {Night} night */
export function nightSays(group, night) {
  const share = group.lit_share[pastOf(group) - 1] ?? null;
  const dark = darkRuns(group, night).map((run) =>
    run.open
      ? t("dark_since", { time: moment(group.dark_since ?? run.from) })
      : t("dark_between", { from: moment(run.from), to: moment(run.to) }),
  );
  return [
    t(night.half === "night" ? "night_of" : "day_of", { name: nameOf(group) }),
    t("lit_now_share", { share: percent(share) }),
    ...dark,
  ].join(", ");
}

/** @param {Group} group */
export const nameOf = (group) => group.group ?? t("without_group");

/** Which rules stand against how many of a group's lamps, most first. @param {Group} group */
export function faultsOf(group) {
  const said = Object.entries(group.faults)
    // What stands for the whole panel is said by "dark since".
    .filter(([rule]) => !(group.dark_since && (rule === "unpowered" || rule === "outage")))
    .sort((a, b) => b[1] - a[1])
    .map(([rule, n]) => t("n_of_fault", { n: number(n), fault: faultName(rule) }));
  return said;
}

/** A rule that no word is known for is called by its id. @param {string} rule */
export function faultName(rule) {
  const key = `f_${rule}`,
    word = t(`f_${rule}`);
  return word === key ? rule.replaceAll("_", " ") : word;
}

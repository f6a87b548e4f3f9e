/** What a forecast says in short: the next level, and the level in two hours. Pure. */

import { wayOf } from "./forecast_way.js";

/** @typedef {import("./forecast_way.js").Forecast} Forecast */

const AHEAD_S = 2 * 3600;

/** The level that is reached first. @param {Forecast} forecast */
export function nextExpected({ levels }) {
  return levels.length ? levels.reduce((a, b) => (Date.parse(b.at) < Date.parse(a.at) ? b : a)) : null;
}

/**
 * The level in two hours with its interval; where the last level comes before, that level: further nothing is said.
 * @param {Forecast} forecast @param {number} now  ms
 * @returns {{ level: number, low: number, high: number } | null}
 */
export function aheadOf(forecast, now) {
  const way = wayOf(forecast);
  if (!way) return null;
  const at = now / 1000 + AHEAD_S;
  const level = valueAt(way.times, way.values, at),
    low = valueAt(way.times, way.low, at),
    high = valueAt(way.times, way.high, at);
  return level === null || low === null || high === null ? null : { level, low, high };
}

/** @param {number[]} times @param {(number | null)[]} values @param {number} at  s */
function valueAt(times, values, at) {
  const known = times.flatMap((when, i) => (values[i] === null ? [] : [/** @type {[number, number]} */ ([when, Number(values[i])])]));
  const i = known.findIndex(([when]) => when >= at);
  if (i <= 0) return (i === 0 ? known[0] : known.at(-1))?.[1] ?? null;
  const [t0, v0] = known[i - 1],
    [t1, v1] = known[i];
  return v0 + ((v1 - v0) * (at - t0)) / (t1 - t0);
}

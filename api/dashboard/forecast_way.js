/** The way of a forecast, as charts draw it. Pure. */

/** @typedef {import("./chart.js").Forecast} Curve */
/** @typedef {{ siaga: number, bound_m: number, at: string, earliest: string, latest: string, stage: string,
 *    text: import("./store.js").Text }} Expected */
/** @typedef {{ device_id: string, device_name: string, as_of: string | null, made_at: string | null, level_m: number | null,
 *    levels: Expected[], refused: { reason: string, since: string, text: import("./store.js").Text } | null }} Forecast */

/** @param {string} at */
const s = (at) => Date.parse(at) / 1000;

/**
 * The way to each level that is expected, and between which ways eight of ten rises went. The interval is one of time:
 * it ends where the last level is reached.
 * @param {Forecast} forecast
 * @returns {Curve | null}
 */
export function wayOf({ as_of, level_m, levels }) {
  if (!as_of || level_m === null || !levels.length) return null;
  const through = (/** @type {"at" | "earliest" | "latest"} */ when) =>
    [/** @type {[number, number]} */ ([s(as_of), level_m]), ...levels.map((each) => /** @type {[number, number]} */ ([s(each[when]), each.bound_m]))].sort(
      (a, b) => a[0] - b[0],
    );
  const middle = through("at"),
    early = through("earliest"),
    late = through("latest");
  const times = [...new Set([...middle, ...early, ...late].map(([at]) => at))].sort((a, b) => a - b);
  return {
    times,
    values: times.map((at) => between(middle, at)),
    low: times.map((at) => between(late, at) ?? late[late.length - 1][1]),
    high: times.map((at) => between(early, at) ?? early[early.length - 1][1]),
    crossings: levels.map((each) => ({ at: s(each.at), value: each.bound_m })),
  };
}

/** @param {[number, number][]} line  by time @param {number} at @returns {number | null} */
function between(line, at) {
  const i = line.findIndex(([when]) => when >= at);
  if (i < 0) return null;
  if (line[i][0] === at || i === 0) return line[i][1];
  const [t0, v0] = line[i - 1],
    [t1, v1] = line[i];
  return v0 + ((v1 - v0) * (at - t0)) / (t1 - t0);
}

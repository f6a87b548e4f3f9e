/** A handover as the API has it, and its lines beside what has changed since it was signed. Pure. */

/** @typedef {import("../store.js").Alert} Alert */
/** @typedef {{ part: string, id: string, what: "added" | "gone" | "changed", fields: string[] }} Change */
/** @typedef {{ device_id: string, device_name: string, level_m: number | null, siaga: number | null, rate: number | null,
 *    peak: { level_m: number, at: string, siaga: number | null } | null }} Gauge */
/** @typedef {{ device_id: string, device_name: string, kind: string, since?: string | null }} Degraded */
/** @typedef {{ id: number, name: string, reason: string, to: string | null, who: string }} Window */
/**
 * @template T
 * @typedef {{ count: number, items: T[] }} Listed
 */
/** @typedef {object} Draft
 * @property {string} from
 * @property {string} to
 * @property {{ river: string | null, gauges: Gauge[] }[]} rivers
 * @property {Listed<Alert>} open
 * @property {number} unacked
 * @property {Listed<Alert>} shelved
 * @property {Listed<Window>} windows
 * @property {{ silent: Listed<Degraded>, suspect: Listed<Degraded>, incomplete: Listed<Degraded> }} degraded
 * @property {{ kind: string | null, received: number, missing: number, completeness: number | null }[]} ledger
 * @property {number} quarantine_open
 * @property {import("../forecast_way.js").Forecast[]} forecasts
 * @property {{ raised: number, acknowledged: number, median_s: number | null, longest_s: number | null, flood_s: number,
 *    notices_sent: number, notices_dead: number }} shift
 * @property {{ count: number, longest: { device_name: string, raised_at: string }[] }} standing
 * @property {{ team: string, on_duty: string[] }[] | null} on_duty
 */
/** @typedef {{ id: number, version: number, state: "given" | "taken", from: string, given_at: string, given_by: string,
 *    taken_at: string | null, taken_by: string | null, reason: string | null, notes: string }} Row */
/** @typedef {Row & { newest: boolean, draft: Draft, changed: Change[], unacknowledged: Alert[] }} Handover */
/**
 * @template T
 * @typedef {{ item: T, change: Change["what"] | null }} Line
 */

/** @param {any} item */
const keyOf = (item) => String(item.id ?? item.device_id);

/** The lines of a part. @param {Draft} told @param {string} part @returns {any[]} */
function itemsOf(told, part) {
  if (part === "gauges") return told.rivers.flatMap((river) => river.gauges);
  if (part === "forecasts") return told.forecasts;
  if (part === "silent" || part === "suspect" || part === "incomplete") return told.degraded[part].items;
  return told[/** @type {"open"} */ (part)].items;
}

/**
 * The lines of a part as they are told now; after them those that are told no more.
 * @param {string} part
 * @param {Draft} told
 * @param {Draft} signed  the same where nothing else is known
 * @param {Change[]} changes
 * @returns {Line<any>[]}
 */
export function linesOf(part, told, signed, changes) {
  const what = new Map(changes.filter((change) => change.part === part).map((change) => [change.id, change.what]));
  const lines = itemsOf(told, part).map((item) => ({ item, change: what.get(keyOf(item)) ?? null }));
  const there = new Set(lines.map(({ item }) => keyOf(item)));
  const gone = itemsOf(signed, part).filter((item) => what.get(keyOf(item)) === "gone" && !there.has(keyOf(item)));
  return [...lines, ...gone.map((item) => ({ item, change: /** @type {const} */ ("gone") }))];
}

/** Of many devices: how many of each kind. @param {Degraded[]} devices @returns {Map<string, Degraded[]>} */
export function byKind(devices) {
  /** @type {Map<string, Degraded[]>} */
  const kinds = new Map();
  for (const device of devices) kinds.set(device.kind, [...(kinds.get(device.kind) ?? []), device]);
  return kinds;
}

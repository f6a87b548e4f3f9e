/** Why a packet was refused, as far as it can be read: the part of it that is guilty, and what a replay would make of it. */

import { age, said, zone } from "../format.js";
import { metricOf } from "../parts.js";
import { state } from "../store.js";
import { t } from "../words/quarantine.js";
import { kindOf, readingsOf, regionOf, senderOf } from "./quarantine_data.js";

/** @typedef {import("./quarantine_data.js").Group} Group */
/** @typedef {import("./quarantine_data.js").Entry} Entry */
/** @typedef {import("./quarantine_data.js").Whole} Whole */
/** @typedef {[number, number] | null} Span  from, to in a text */

const SECOND = 1000,
  MINUTE = 60 * SECOND,
  HOUR = 60 * MINUTE;
// As ingest takes them when nobody has set them otherwise: SIAGA_FUTURE_MAX_S (which a refusal tells), SIAGA_LIVE_WINDOW_S.
const AHEAD_MS = 5 * MINUTE;
export const LIVE_MS = 15 * MINUTE;
// Clocks of one device agree so far; a wrong zone is met so closely.
const ALIKE_MS = 2 * MINUTE,
  ZONE_MS = 5 * MINUTE;
const MOMENT = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*([Zz]|[+-]\d\d:?\d\d)$/;

/** Offset of the regency's zone from UTC, ms. @param {number} at */
export function offsetOf(at) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone(), timeZoneName: "longOffset" });
  const name = format.formatToParts(at).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, sign, hours, minutes] = /([+-])(\d\d):?(\d\d)/.exec(name) ?? ["", "+", "0", "0"];
  return (sign === "-" ? -1 : 1) * (Number(hours) * HOUR + Number(minutes) * MINUTE);
}

/**
 * How far the clocks were off, whether all alike, and whether that is the zone; null when it is not about clocks.
 * @param {Entry[]} entries
 */
export function skewOf(entries) {
  const skews = entries.flatMap(({ skew_s }) => (skew_s === null ? [] : [skew_s * SECOND])).sort((a, b) => a - b);
  if (!skews.length) return null;
  const middle = skews[skews.length >> 1],
    offset = offsetOf(Date.parse(entries[0].first_seen));
  const alike = skews[skews.length - 1] - skews[0] <= ALIKE_MS;
  const isZone = alike && offset !== 0 && Math.abs(middle - offset) < ZONE_MS;
  return { middle, alike, isZone, shift_ms: isZone ? -offset : -Math.round(middle / MINUTE) * MINUTE };
}

/** When a reading was measured, ms; NaN where its ts says no moment. @param {any} ts */
export function momentOf(ts) {
  if (typeof ts === "number") return ts;
  return typeof ts === "string" && MOMENT.test(ts) ? Date.parse(ts) : NaN;
}

/** A complaint in a few words, for the list. @param {import("./quarantine_data.js").Answered} group */
export function complaintOf({ reason, detail, device_id, topic }) {
  const off = /ts is (\d+) (s ahead|days old)/.exec(detail);
  const field = /^(?:\[?\d+\]?\.)?([a-z][a-z0-9_]*): /.exec(detail)?.[1];
  if (off?.[2] === "days old") return t("in_short_old", { age: age(Number(off[1]) * 24 * HOUR) });
  if (off) return t("in_short_ahead", { age: age(Math.round(Number(off[1]) / 60) * MINUTE) });
  if (reason === "unknown_device") return t("in_short_unknown", { region: regionOf({ topic }) });
  if (reason === "identity_mismatch")
    return t("in_short_identity", { there: regionOf({ topic }), here: state.devices.get(device_id)?.region ?? "?" });
  if (reason === "conflict") return t("in_short_conflict");
  if (/JSON/.test(detail)) return t("in_short_json");
  if (field && /valid (number|integer)/.test(detail)) {
    const metric = metricOf(state.devices.get(device_id)?.kind ?? "", field);
    return t("in_short_field", { field: metric ? said(metric.label) : field });
  }
  return detail;
}

/** The field that a complaint names, and its value. @param {Whole} whole @returns {{ field: string, value: any } | null} */
export function wrongField(whole) {
  const field = /^(?:\[?\d+\]?\.)?([a-z][a-z0-9_]*): /.exec(whole.detail)?.[1];
  const found =
    field && readingsOf(whole.payload_text).find((each) => field in each && typeof each[field] !== "number");
  return field && found ? { field, value: found[field] } : null;
}

/** What is guilty: a part of the topic or of the payload. @param {Whole} whole @returns {{ topic: Span, payload: Span }} */
export function guilty(whole) {
  const text = whole.payload_text ?? "",
    parts = whole.topic.split("/");
  const at = (/** @type {number} */ n) => parts.slice(0, n).join("/").length + 1;
  const none = { topic: null, payload: null };
  switch (whole.reason) {
    case "unknown_device":
      return { ...none, topic: parts[3] ? [at(3), at(3) + parts[3].length] : null };
    case "identity_mismatch":
      return { ...none, topic: parts[2] ? [at(2), at(2) + parts[2].length] : null };
    case "future_timestamp":
    case "too_old":
    case "conflict":
      return { ...none, payload: spanOf(text, "ts") };
  }
  const column = /column (\d+)/.exec(whole.detail)?.[1];
  if (column) return { ...none, payload: [Math.max(0, Math.min(Number(column), text.length) - 1), text.length] };
  const wrong = wrongField(whole);
  return { ...none, payload: wrong && spanOf(text, wrong.field) };
}

/** Where the value of a field stands in JSON. @param {string} text @param {string} field @returns {Span} */
function spanOf(text, field) {
  const found = new RegExp(`"${field}"\\s*:\\s*("(?:[^"\\\\]|\\\\.)*"|[^,}\\]\\s]+)`).exec(text);
  return found ? [found.index + found[0].length - found[1].length, found.index + found[0].length] : null;
}

/** When the readings of these entries were measured, shifted. @param {Whole[]} whole @param {number} shift_ms */
export const timesOf = (whole, shift_ms) =>
  whole
    .flatMap(({ payload_text }) => readingsOf(payload_text).map(({ ts }) => momentOf(ts) + shift_ms))
    .filter((at) => Number.isFinite(at));

/**
 * What a replay would make of these entries now.
 * @param {Whole[]} whole
 * @param {number} shift_ms
 * @param {Map<number, Record<string, any>>} stored  readings of the device that are there already
 * @param {number} now
 */
export function foretold(whole, shift_ms, stored, now) {
  const found = { reading: 0, duplicate: 0, conflict: 0, stays: 0, unread: 0, late: 0 };
  const taken = new Map(stored);
  /** @type {number[]} */
  const times = [];
  for (const entry of whole) {
    const readings = readingsOf(entry.payload_text);
    if (!readings.length) found.unread++;
    for (const reading of readings) {
      const at = momentOf(reading.ts) + shift_ms,
        there = taken.get(at);
      if (staysOut(entry, reading, at)) found.stays++;
      else if (there) found[isSame(entry, reading, there) ? "duplicate" : "conflict"]++;
      else {
        taken.set(at, reading);
        times.push(at);
        found.reading++;
        if (now - at > LIVE_MS) found.late++;
      }
    }
  }
  const first = Math.min(...times),
    last = Math.max(...times);
  const hours = new Set(times.map((at) => Math.floor(at / HOUR))),
    days = new Set(times.map((at) => Math.floor((at + offsetOf(at)) / (24 * HOUR))));
  return { ...found, first, last, hours: hours.size, days: days.size };
}

/** @param {Whole} entry @param {Record<string, any>} reading @param {number} at */
function staysOut(entry, reading, at) {
  const device = deviceOf(entry);
  if (!device || device.region !== regionOf(entry) || !Number.isFinite(at)) return true;
  const limit = Number(/limit (\d+) s/.exec(entry.detail)?.[1] ?? NaN) * SECOND;
  if (at > Date.parse(entry.first_seen) + (limit || AHEAD_MS)) return true;
  return metricsOf(device.kind).some(
    (name) => name in reading && reading[name] !== null && typeof reading[name] === "string",
  );
}

/** @param {Whole} entry @param {Record<string, any>} reading @param {Record<string, any>} there */
const isSame = (entry, reading, there) =>
  metricsOf(deviceOf(entry)?.kind ?? "").every((name) => (reading[name] ?? null) === (there[name] ?? null));

/** The device that sent it; of one that is not registered, what it would be if it were. @param {Whole} entry */
function deviceOf(entry) {
  const known = state.devices.get(senderOf(entry));
  const kind = known ? known.kind : kindOf(readingsOf(entry.payload_text));
  return known ?? (kind ? { kind, region: regionOf(entry) } : null);
}

/** @param {string} kind */
const metricsOf = (kind) =>
  state.kinds.get(kind)?.metrics.flatMap((each) => (/** @type {any} */ (each).derived ? [] : [each.name])) ?? [];

/** Numbers, times and ages as people here write them: Indonesian 2,69 and 01.07, English 2.69 and 01:07. */

import { now } from "./clock.js";
import { language } from "./prefs.js";
import { state } from "./store.js";

export const UNKNOWN = "–";
const SECOND = 1000,
  MINUTE = 60 * SECOND,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR;
const ZONES = new Map([
  ["Asia/Jakarta", "WIB"],
  ["Asia/Pontianak", "WIB"],
  ["Asia/Makassar", "WITA"],
  ["Asia/Jayapura", "WIT"],
]);
const AGES = {
  id: { s: "dtk", min: "mnt", h: "j", d: "hari", ago: "lalu", now: "baru saja" },
  en: { s: "s", min: "min", h: "h", d: "d", ago: "ago", now: "just now" },
};

/** @type {Map<string, any>} */
const formats = new Map();

/**
 * Intl formats are dear to make and cheap to use.
 * @template T
 * @param {string} key
 * @param {(locale: string) => T} make
 * @returns {T}
 */
function kept(key, make) {
  const locale = language() === "en" ? "en-GB" : "id-ID";
  const full = `${locale} ${zone()} ${key}`;
  let format = formats.get(full);
  if (!format) formats.set(full, (format = make(locale)));
  return format;
}

/** The time zone of the regency. */
export const zone = () => state.me?.time_zone ?? "Asia/Jakarta";

/** WIB, WITA or WIT; elsewhere what the browser calls it. */
export function zoneName() {
  const known = ZONES.get(zone());
  if (known) return known;
  const parts = kept("zone", (l) => new Intl.DateTimeFormat(l, { timeZone: zone(), timeZoneName: "short" }));
  return parts.formatToParts(now()).find((part) => part.type === "timeZoneName")?.value ?? zone();
}

/**
 * @param {number | null | undefined} value
 * @param {number} [decimals]
 */
export function number(value, decimals = 0) {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const text = kept(`n${decimals}`, (l) => new Intl.NumberFormat(l, digits)).format(value);
  // A minus as wide as a plus, and no minus before what rounds to nothing.
  return /[1-9]/.test(text) ? text.replace("-", "−") : text.replace("-", "");
}

/**
 * With its sign, also when it rises.
 * @param {number | null | undefined} value
 * @param {number} [decimals]
 */
export function signed(value, decimals = 2) {
  const text = number(value, decimals);
  return value !== null && value !== undefined && value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** @param {number | null} share  of 1 */
export function percent(share) {
  return share === null || !Number.isFinite(share) ? UNKNOWN : `${number(share * 100, 1)}%`;
}

/** @param {number} at  ms */
const clockOf = (at) =>
  kept(
    "time",
    (l) => new Intl.DateTimeFormat(l, { timeZone: zone(), hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  ).format(at);

/** 01.07 @param {number | string} at */
export const time = (at) => clockOf(ms(at));

/** 01.07.42 @param {number} at  ms */
export function timeWithSeconds(at) {
  const options = /** @type {const} */ ({
    timeZone: zone(),
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  return kept("seconds", (l) => new Intl.DateTimeFormat(l, options)).format(at);
}

/** Sel 24 Nov @param {number | string} at */
export function date(at) {
  const options = /** @type {const} */ ({ timeZone: zone(), weekday: "short", day: "numeric", month: "short" });
  return kept("date", (l) => new Intl.DateTimeFormat(l, options))
    .format(ms(at))
    .replace(",", "");
}

/** 24 Nov 2026 @param {number | string} at */
export function day(at) {
  const options = /** @type {const} */ ({ timeZone: zone(), day: "numeric", month: "short", year: "numeric" });
  return kept("day", (l) => new Intl.DateTimeFormat(l, options)).format(ms(at));
}

/** November 2026 @param {number | string} at */
export function monthName(at) {
  const options = /** @type {const} */ ({ timeZone: zone(), month: "long", year: "numeric" });
  return kept("month", (l) => new Intl.DateTimeFormat(l, options)).format(ms(at));
}

/** 23 Nov @param {number | string} at */
export function shortDay(at) {
  const options = /** @type {const} */ ({ timeZone: zone(), day: "numeric", month: "short" });
  return kept("short", (l) => new Intl.DateTimeFormat(l, options)).format(ms(at));
}

/** 01.07 today, 23 Nov 18.24 on another day. @param {number | string} at */
export function moment(at) {
  return day(at) === day(now()) ? time(at) : `${shortDay(at)} ${time(at)}`;
}

/** What a field for date and time means on the clock of the regency, wherever this browser is. @param {string} text */
export function momentOf(text) {
  const guess = Date.parse(`${text}Z`);
  const shown = new Date(guess).toLocaleString("sv-SE", { timeZone: zone() }).replace(" ", "T");
  return guess - (Date.parse(`${shown}Z`) - guess);
}

/** 1 j 47 mnt @param {number} age  ms */
export function age(age) {
  const words = AGES[language()];
  if (age < MINUTE) return `${Math.max(0, Math.floor(age / SECOND))} ${words.s}`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} ${words.min}`;
  if (age >= DAY) return `${number(Math.floor(age / DAY))} ${words.d}`;
  const minutes = Math.floor((age % HOUR) / MINUTE);
  return `${Math.floor(age / HOUR)} ${words.h}${minutes ? ` ${minutes} ${words.min}` : ""}`;
}

/** 1 mnt lalu @param {number} since  ms */
export function ago(since) {
  const words = AGES[language()];
  return since < 10 * SECOND ? words.now : `${age(since)} ${words.ago}`;
}

/** In the language of the screen; a line never ends between Siaga and its digit. @param {{ id: string, en: string }} text */
export const said = (text) => text[language()].replace(/Siaga (\d)/g, "Siaga\u00a0$1");

/** @param {number | string} at */
export const ms = (at) => (typeof at === "number" ? at : Date.parse(at));

/** Days and months on the clock of the installation, as the API takes them. */

import { now } from "./clock.js";
import { zone } from "./format.js";

/** @typedef {{ from: string, to: string, days: number, at: number }} Month  from, to: RFC 3339; at: in its middle, ms */

/** @param {number} back  months before this one @returns {Month} */
export function monthOf(back) {
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone: zone(), year: "numeric", month: "numeric" }).formatToParts(now());
  const [year, month] = ["year", "month"].map((type) => Number(parts.find((part) => part.type === type)?.value));
  const first = (/** @type {number} */ n) => new Date(Date.UTC(year, month - 1 + n, 1));
  const days = (first(1 - back).getTime() - first(-back).getTime()) / 86_400_000;
  return { from: midnight(first(-back)), to: midnight(first(1 - back)), days, at: first(-back).getTime() + 14 * 86_400_000 };
}

/** When today began there, and the days before it, ms. @param {number} [back]  days */
export function dayBegin(back = 0) {
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone: zone(), year: "numeric", month: "numeric", day: "numeric" }).formatToParts(now());
  const [year, month, day] = ["year", "month", "day"].map((type) => Number(parts.find((part) => part.type === type)?.value));
  return Date.parse(midnight(new Date(Date.UTC(year, month - 1, day - back))));
}

/** The begin of a day there. @param {Date} day  its date, in UTC */
function midnight(day) {
  const name = new Intl.DateTimeFormat("en", { timeZone: zone(), timeZoneName: "longOffset" })
    .formatToParts(day)
    .find((part) => part.type === "timeZoneName")?.value;
  return `${day.toISOString().slice(0, 10)}T00:00:00${name?.replace("GMT", "") || "+00:00"}`;
}

/** Which day of the month it is there, from 0. @param {number} at  ms */
export const dayOfMonth = (at) => Number(new Intl.DateTimeFormat("en", { timeZone: zone(), day: "numeric" }).format(at)) - 1;

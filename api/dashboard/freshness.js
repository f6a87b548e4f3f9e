/**
 * How far a value can still be believed: by its age against the interval at which the device reports, and by what the
 * checks said of it.
 */

import { now } from "./clock.js";
import { state } from "./store.js";
import { t } from "./words/common.js";

/** @typedef {"fresh" | "late" | "stale" | "none"} Freshness */
/** @typedef {import("./store.js").Latest} Latest */

const DAY_MS = 86_400_000;
// Radio and gateways take their time; the server's own rule allows the same.
const GRACE_MS = 300_000;
const DEFAULT_INTERVAL_S = 3600;
const SUSPECT = 3;

/**
 * Since when nothing newer is known. Also when a buffered reading has just come in it is as old as it is, and a device
 * whose clock runs ahead does not stay young for ever.
 * @param {Latest} latest
 */
export const measuredAt = (latest) => (latest.at ??= Math.min(Date.parse(latest.ts), Date.parse(latest.received_at)));

/** @param {Latest} latest @returns {Freshness} */
export function freshness(latest) {
  const age = now() - measuredAt(latest);
  const interval = (latest.interval_s ?? DEFAULT_INTERVAL_S) * 1000;
  if (age > DAY_MS) return "none";
  if (age > 4 * interval + GRACE_MS) return "stale";
  return age > 2 * interval + GRACE_MS ? "late" : "fresh";
}

/** Whether a device's newest value may be counted with. @param {string} id */
export function isCurrent(id) {
  const latest = state.latest.get(id);
  return latest !== undefined && isBelievable(freshness(latest));
}

/** @param {Freshness} fresh */
export const isBelievable = (fresh) => fresh === "fresh" || fresh === "late";

/** @typedef {{ bars: 0 | 1 | 2 | 3, word: string, why: string | null }} Trust */

/** @param {Latest} latest @returns {Trust} */
export function trustOf(latest) {
  if (!isBelievable(freshness(latest))) return { bars: 0, word: t("trust_stale"), why: null };
  if (latest.qc > SUSPECT) return { bars: 1, word: t("trust_suspect"), why: t("failed_check") };
  if (latest.qc === SUSPECT) return { bars: 1, word: t("trust_suspect"), why: null };
  if (latest.late) return { bars: 2, word: t("trust_fair"), why: t("late_data") };
  return { bars: 3, word: t("trust_good"), why: null };
}

/** @param {Latest} latest */
export const isSuspect = (latest) => latest.qc >= SUSPECT;

/** Rules as the API tells them, and what each of their fields is called and measured in. */

import { number, said } from "../format.js";
import { kindName, metricOf, unitText } from "../parts.js";
import { state } from "../store.js";
import { hasWord, t } from "../words/rules.js";

/** @typedef {{ severity: number, siaga: number | null, bound: number | null, bound_from: string | null, samples: number,
 *    delay_on_s: number, role: string | null, sop: import("../store.js").Text | null, report_s: number | null }} Level */
/** @typedef {{ id: string, kind: string, scope: Record<string, string>, enabled: boolean, condition: string,
 *    metric: string | null, level: Level[], hysteresis: number, delay_off_s: number, of: string[], alone: string[], by: string[],
 *    to_siaga: number | null } & Record<string, any>} Rule */
/** @typedef {{ id: string, kind: string, scope: string, enabled: boolean, origin: "shipped" | "stored", version: number,
 *    changed_at: string | null, changed_by: string | null, reason: string | null, rule: Rule }} Item */
/** @typedef {{ version: number, kind: string, scope: string, at: string, who: string, reason: string, rule: Rule | null }} Version */
/** How a number is written: shown = stored × scale, with a unit. @typedef {{ unit: string, scale: number }} Measure */

const PERCENT = { unit: "%", scale: 100 },
  MINUTES = { unit: "min", scale: 1 / 60 },
  WATT = { unit: "W", scale: 1 },
  PLAIN = { unit: "", scale: 1 };
/** By condition; all others in the unit of their metric. @type {Record<string, Measure>} */
const BOUNDS = {
  ...Object.fromEntries(
    ["day_burner", "low_power", "high_power", "congestion", "energy_shift", "energy_balance"].map((name) => [
      name,
      PERCENT,
    ]),
  ),
  rising: { unit: "m/h", scale: 1 },
  time_to: MINUTES,
  power_shift: WATT,
};
/** @type {Record<string, Measure>} */
const MEASURES = {
  guard_s: MINUTES,
  delay_off_s: MINUTES,
  delay_on_s: MINUTES,
  within_s: MINUTES,
  after_s: MINUTES,
  report_s: MINUTES,
  share: PERCENT,
  least_w: WATT,
  least_dimming_pct: { unit: "%", scale: 1 },
  occupancy_pct: { unit: "%", scale: 1 },
  full_pct: { unit: "%", scale: 1 },
};
const BOUNDED = ["above", "below", "unpowered", "stopped", "low_power_factor", ...Object.keys(BOUNDS)];
// What the worker judges from several devices at once, or from forecasts: a dry-run does not know it.
const BY_WORKER = ["together", "rising", "time_to", "power_shift", "energy_shift", "energy_balance"];

/** @param {Rule} rule */
export const isBounded = (rule) => BOUNDED.includes(rule.condition);
/** @param {Rule} rule */
export const canTry = (rule) => !BY_WORKER.includes(rule.condition);

/** @param {string} id */
export const ruleName = (id) => (hasWord(`rule_${id}`) ? t(`rule_${id}`) : id);

/** @param {string} kind */
export const kindOrAll = (kind) => (kind === "*" ? t("every_kind") : kindName(kind));

/** panel=PNL-07 as people say it. @param {string} scope */
export function scopeText(scope) {
  const [by, value] = scope.split("=");
  return value ? `${hasWord(`scope_${by}`) ? t(`scope_${by}`) : by} ${value}` : t("scope_all");
}

/** @param {{ id: string, kind: string, scope: string }} item */
export const addressOf = ({ id, kind, scope }) =>
  `/aturan/${id}?jenis=${encodeURIComponent(kind)}${scope ? `&cakupan=${encodeURIComponent(scope)}` : ""}`;

/** What a field is measured in. @param {Rule} rule @param {string} path  "guard_s", "level.0.bound" @returns {Measure} */
export function measureOf(rule, path) {
  const name = path.split(".").at(-1) ?? "";
  if (MEASURES[name]) return MEASURES[name];
  if (name !== "bound" && name !== "hysteresis" && name !== "ignore_below") return PLAIN;
  if (name !== "ignore_below" && BOUNDS[rule.condition]) return BOUNDS[rule.condition];
  const named = name === "ignore_below" && rule.condition !== "below" ? "voltage_v" : rule.metric;
  const metric = metricOf(rule.kind, named);
  return { unit: metric ? unitText(metric).trim() : "", scale: 1 };
}

/** A unit as it is said. @param {Measure} measure */
export const unitOf = ({ unit }) => (unit === "min" ? t("minutes") : unit === "m/h" ? t("per_hour") : unit);

/** A number as it is shown, without more decimals than it has. @param {number | null | undefined} value @param {Measure} measure */
export function shown(value, { scale }) {
  if (value === null || value === undefined) return "";
  const rounded = Math.round(value * scale * 1e6) / 1e6;
  const decimals = (String(rounded).split(".")[1] ?? "").length;
  return number(rounded, Math.min(decimals, 6)).replaceAll(/\u00a0/g, "");
}

/** What somebody has typed: 2,5 and 2.5; NaN when it is no number. @param {string} typed @param {Measure} measure */
export function read(typed, { scale }) {
  const plain = typed.trim().replace("−", "-").replace(",", ".");
  if (plain === "" || !/^-?\d*\.?\d+$/.test(plain)) return NaN;
  return Math.round((Number(plain) / scale) * 1e9) / 1e9;
}

/** @param {any} of @param {string} path */
export const at = (of, path) => path.split(".").reduce((found, name) => found?.[name], of);

/** A copy with one field set. @template T @param {T} of @param {string} path @param {any} value @returns {T} */
export function withAt(of, path, value) {
  const copy = structuredClone(of),
    names = path.split(".");
  /** @type {any} */
  let place = copy;
  for (const name of names.slice(0, -1)) place = place[name];
  place[/** @type {string} */ (names.at(-1))] = value;
  return copy;
}

/** Fields that differ between two rules, as they are said. @param {Rule} before @param {Rule} after */
export function differences(before, after) {
  const paths = [...new Set([...pathsOf(before), ...pathsOf(after)])];
  return paths
    .filter((path) => JSON.stringify(at(before, path) ?? null) !== JSON.stringify(at(after, path) ?? null))
    .map((path) => ({
      path,
      label: labelOf(after, path),
      before: valueText(before, path),
      after: valueText(after, path),
    }));
}

/** @param {Rule} rule */
function pathsOf(rule) {
  const plain = Object.keys(rule).filter((name) => name !== "level" && name !== "id" && name !== "kind");
  return [...plain, ...rule.level.flatMap((level, i) => Object.keys(level).map((name) => `level.${i}.${name}`))];
}

/** @param {Rule} rule @param {string} path */
export function labelOf(rule, path) {
  const [first, i, name] = path.split(".");
  const own = name ?? first,
    text = hasWord(`f_${own}`) ? t(`f_${own}`) : own;
  const severity = name && at(rule, `level.${i}.severity`);
  return name && severity !== undefined && rule.level.length > 1 ? `${text} (${t(`sev${severity}`)})` : text;
}

/** @param {Rule} rule @param {string} path */
export function valueText(rule, path) {
  const value = at(rule, path);
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (path.endsWith(".severity")) return t(`sev${value}`);
  if (path.endsWith(".sop")) return said(value);
  if (typeof value === "number") {
    const measure = measureOf(rule, path);
    return `${shown(value, measure)} ${unitOf(measure)}`.trim();
  }
  return typeof value === "object" ? Object.values(value).join(", ") || "–" : String(value);
}

/** Open alerts of a rule, as far as this screen knows. @param {Item} item */
export function openOf(item) {
  let n = 0;
  for (const alert of state.alerts.values())
    if (alert.rule === item.id && (item.kind === "*" || alert.kind === item.kind)) n++;
  return n;
}

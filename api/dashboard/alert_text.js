/** What is said of an alert on several screens: its value now, its place, its state. */

import { isOver } from "./alert_groups.js";
import { h } from "./dom.js";
import { UNKNOWN, moment, number, signed } from "./format.js";
import { isOld, kindName, metricOf, quantity, quantityText } from "./parts.js";
import { districtName, state } from "./store.js";
import { t } from "./words/alert.js";

/** @typedef {import("./store.js").Alert} Alert */

/** The metric an alert is about, or what its kind is mostly about. @param {Alert} alert */
export function alertMetric(alert) {
  return metricOf(alert.kind, alert.metric ?? state.kinds.get(alert.kind)?.primary ?? null);
}

/**
 * The value now, grey when it is old; what it was for an alert that is over.
 * @param {Alert} alert
 * @returns {HTMLElement}
 */
export function valueNow(alert) {
  if (alert.members !== null)
    return h("span.num", {}, h("span.v.b", {}, number(alert.members)), h("span.unit", {}, ` ${t("devices_unit")}`));
  const metric = alertMetric(alert);
  if (metric && isOver(alert)) return quantity(alert.value, metric);
  const latest = state.latest.get(alert.device_id);
  if (!metric || !latest) return h("span.t3", {}, UNKNOWN);
  return h(isOld(latest) ? "span.stale" : "span", {}, quantity(latest.values[metric.name], metric));
}

/** m/h, where rates are known. @param {Alert} alert */
export function rateText(alert) {
  const latest = state.latest.get(alert.device_id);
  if (isOver(alert) || !latest || isOld(latest) || latest.rate === null || latest.rate === undefined) return "";
  return `${signed(latest.rate, 2)} ${t("per_hour")}`;
}

/** Whether it is about a device; the others are about Siaga itself. @param {Alert} alert */
export const isOfDevice = (alert) => alert.kind !== "installation";

/** Where, and of what kind. @param {Alert} alert */
export function placeText(alert) {
  if (!isOfDevice(alert)) return t("installation");
  return [districtName(alert.district), kindName(alert.kind)].filter(Boolean).join(" · ");
}

/** 2,88 m, +0,50 m/jam: the value now as text, for an alert about a value. @param {Alert} alert */
export function alertValue(alert) {
  const metric = alertMetric(alert);
  const latest = state.latest.get(alert.device_id);
  if (!alert.metric || !metric || !latest || isOver(alert)) return "";
  return [quantityText(latest.values[metric.name], metric), rateText(alert)].filter(Boolean).join(", ");
}

/** One line of numbers under a title. @param {Alert} alert */
export const sentence = (alert) => [alertValue(alert), placeText(alert)].filter(Boolean).join(" · ");

/** @param {Alert} alert @returns {{ word: string, sub: string }} */
export function stateText(alert) {
  if (alert.shelved_until)
    return {
      word: t("shelved_until", { time: moment(alert.shelved_until) }),
      sub: [alert.shelved_by, alert.shelved_why].filter(Boolean).join(": "),
    };
  if (alert.suppressed) return { word: t("suppressed"), sub: heldBy(alert) };
  if (alert.historical) return { word: t("historical"), sub: t(alert.superseded ? "superseded" : "never_paged") };
  const cleared = alert.state === "cleared";
  const word = cleared ? t("cleared") : alert.worsened ? t("worsened") : t("active");
  const acked =
    alert.acked && alert.acked_at
      ? t("acked_by", { who: "", time: moment(alert.acked_at) })
          .replace("  ", " ")
          .trim()
      : t("not_acked");
  if (!cleared || !alert.cleared_at) return { word, sub: acked };
  return { word, sub: alert.acked ? moment(alert.cleared_at) : `${moment(alert.cleared_at)}, ${acked}` };
}

/** Who or what holds an alert back. @param {Alert} alert */
function heldBy(alert) {
  if (alert.suppressed && alert.suppressed !== "parent") return workName(alert.suppressed);
  const parent = alert.parent_id === null ? undefined : state.alerts.get(alert.parent_id);
  return t("by_parent", { what: parent ? subjectName(parent.device_id, parent.device_name) : `#${alert.parent_id}` });
}

/**
 * What a level or severity is called in a history.
 * @param {import("./store.js").Alert} alert
 * @param {number | null} severity
 * @param {number | null} siaga
 */
export function levelName(alert, severity, siaga) {
  if (alert.rule === "siaga") {
    const digit = siaga ?? (severity === null ? 4 : 4 - severity);
    return `${t("siaga", { n: digit })}`;
  }
  return severity === null ? t("level4") : t(`sev${severity}`);
}

/** An incident counts devices. @param {number | null} value @param {Alert} alert */
export function valueText(value, alert) {
  if (alert.members !== null && value !== null) return `${number(value)} ${t("devices_unit")}`;
  const metric = alertMetric(alert);
  return value === null || !metric ? "" : quantityText(value, metric);
}

/** Why nobody is told of a device for a time. @param {"maintenance" | "out_of_service"} what */
export const workName = (what) => t(`by_${what}`);

/** Devices that have something in common. @param {string} by  panel, river … @param {string} name */
export const groupName = (by, name) => `${t(`scope_${by}`)} ${name}`;

/** A device by its name, and what stands for many by what it is. @param {string} id @param {string} name */
export function subjectName(id, name) {
  const [, by, group] = /^\$(\w+)\/(.+)$/.exec(id) ?? [];
  return group ? groupName(by, group) : name;
}

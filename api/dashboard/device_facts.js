/** What is known of one device: its numbers, limits, papers and alerts. */

import { lifeFacts } from "./device_commands.js";
import { h } from "./dom.js";
import { age, date, day, moment, number, said, timeWithSeconds } from "./format.js";
import { freshness, measuredAt } from "./freshness.js";
import { boundsOf } from "./ladder.js";
import { alertMark, levelMark } from "./marks.js";
import { ageOf, isOld, kindName, metricOf, quantity, quantityText } from "./parts.js";
import { districtName, state } from "./store.js";
import { hasWord, t } from "./words/device.js";

/** @typedef {import("./store.js").Device} Device */
/** @typedef {import("./store.js").Metric} Metric */

const LEVEL = "level_m";
/** Attributes that other parts of the page show. */
const ELSEWHERE = new Set(["siaga_1_m", "siaga_2_m", "siaga_3_m", "official"]);

/** Every metric that has a value, in the order of the declaration. @param {Device} device @returns {HTMLElement} */
export function valuesTable(device) {
  const latest = state.latest.get(device.id),
    kind = state.kinds.get(device.kind);
  const metrics = [...(kind?.metrics ?? []), ...(kind?.diagnostics ?? [])].filter(
    (metric) => (latest?.values[metric.name] ?? null) !== null,
  );
  const old = isOld(latest);
  const row = (/** @type {Metric} */ metric) =>
    h(
      old ? "tr.stale" : "tr",
      {},
      h("td", {}, said(metric.label)),
      h("td.r", {}, quantity(latest?.values[metric.name], metric)),
      h(
        "td.r.t2",
        {},
        latest && ageOf(measuredAt(latest)),
        old && latest && [" ", h("span.tag", {}, t(freshness(latest)))],
      ),
    );
  return h(
    "table.compact",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, t("metric")),
        h("th.r", { scope: "col" }, t("value")),
        h("th.r", { scope: "col" }, t("age")),
      ),
    ),
    h("tbody", {}, metrics.map(row)),
  );
}

/** Each bound and how far the level is from it. @param {Device} device @returns {HTMLElement | null} */
export function boundsTable(device) {
  const bounds = boundsOf(device.attributes);
  if (!bounds) return null;
  const latest = state.latest.get(device.id),
    metric = metricOf(device.kind, LEVEL);
  const level = isOld(latest) ? null : (latest?.values[LEVEL] ?? null);
  const { official, valid_from, datum, authority } = device.attributes;
  const row = (/** @type {number} */ siaga) => {
    const bound = bounds[3 - siaga],
      away = level === null ? null : bound - level;
    const words = away === null ? "–" : t(away > 0 ? "below_by" : "above_by", { m: number(Math.abs(away), 2) });
    return h(
      "tr",
      {},
      h(
        "td",
        {},
        h(
          "span.row",
          {},
          levelMark(siaga, { fill: away !== null && away <= 0, size: 14 }),
          `${t("siaga", { n: siaga })} · ${t(`level${siaga}`)}`,
        ),
      ),
      h("td.r", {}, quantity(bound, metric)),
      h("td.r.t2", {}, words),
    );
  };
  return h(
    "div",
    {},
    h("table.compact", {}, h("tbody", {}, [1, 2, 3].map(row))),
    h(
      "p.paper",
      {},
      h("span.tag", {}, t(official ? "official_bounds" : "sample_bounds")),
      " ",
      [
        valid_from && t("valid_from", { day: day(valid_from) }),
        datum && t("datum", { text: datum }),
        official && authority,
      ]
        .filter(Boolean)
        .join(" · "),
    ),
  );
}

/** Kind, place, and every attribute under the name its kind declares. @param {Device} device @returns {HTMLElement} */
export function facts(device) {
  const kind = state.kinds.get(device.kind);
  /** @type {[string, string][]} */
  const rows = [
    [t("id"), device.id],
    [t("kind"), kindName(device.kind)],
    ...lifeFacts(device),
  ];
  const district = districtName(device.district);
  if (district) rows.push([t("district"), district]);
  if (device.lat !== null && device.lon !== null)
    rows.push([t("coordinates"), `${number(device.lat, 5)}; ${number(device.lon, 5)}`]);
  if (kind) rows.push([t("reports_every"), age(kind.interval_s * 1000)]);
  const names = new Set([...(kind?.attributes.map((each) => each.name) ?? []), ...Object.keys(device.attributes)]);
  for (const name of names) {
    const value = device.attributes[name];
    if (value === null || value === undefined || ELSEWHERE.has(name)) continue;
    rows.push([
      hasWord(`a_${name}`) ? t(`a_${name}`) : readable(name),
      attributeText(name, value, kind?.attributes.find((each) => each.name === name)?.format),
    ]);
  }
  return h(
    "dl.kv",
    {},
    rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}

/** An attribute that no text is known for. @param {string} name */
const readable = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

/** Units as the names of attributes end in them. @type {Record<string, { id: string, en: string }>} */
const UNITS = {
  m: { id: "m", en: "m" },
  w: { id: "W", en: "W" },
  kmh: { id: "km/jam", en: "km/h" },
  s: { id: "dtk", en: "s" },
  v: { id: "V", en: "V" },
};

/** @param {string} name @param {unknown} value @param {string | null} [format] */
function attributeText(name, value, format) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  const unit = name.includes("_") ? UNITS[name.slice(name.lastIndexOf("_") + 1)] : undefined;
  if (typeof value === "number") return number(value, Number.isInteger(value) ? 0 : 2) + (unit ? ` ${said(unit)}` : "");
  return format === "date" && !Number.isNaN(Date.parse(String(value))) ? day(String(value)) : String(value);
}

/** @param {import("./store.js").Alert[]} alerts @returns {HTMLElement} */
export function alertsOf(alerts) {
  return h(
    "ul.its-alerts",
    {},
    alerts.map((alert) =>
      h(
        "li",
        {},
        h(
          "a",
          { href: `/peringatan?${alert.state === "cleared" && alert.acked ? "tab=riwayat&" : ""}id=${alert.id}` },
          alertMark(alert),
          h(
            "span.what",
            {},
            said(alert.title),
            h(
              "span.sub",
              {},
              [
                alert.cleared_at && t("cleared_at", { time: moment(alert.cleared_at) }),
                alert.acked &&
                  t("acked_by", { who: alert.acked_by ?? "", time: alert.acked_at ? moment(alert.acked_at) : "" }),
              ]
                .filter(Boolean)
                .join(" · "),
            ),
          ),
          h("time.num.t3", { datetime: alert.raised_at }, moment(alert.raised_at)),
        ),
      ),
    ),
  );
}

/**
 * The last points as a table: the chart for those who do not see it.
 * @param {import("./series.js").Series} series
 * @param {Metric} metric
 * @returns {HTMLElement}
 */
export function pointsTable(series, metric) {
  const most = 48,
    banded = series.low.length > 0;
  const rows = series.times
    .map((at, i) => ({ at, i }))
    .slice(-most)
    .reverse();
  const cell = (/** @type {number | null | undefined} */ value) => h("td.r", {}, quantityText(value, metric));
  return h(
    "table.compact",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, t("time")),
        h("th.r", { scope: "col" }, said(metric.label)),
        banded && [h("th.r", { scope: "col" }, t("lowest")), h("th.r", { scope: "col" }, t("highest_col"))],
      ),
    ),
    h(
      "tbody",
      {},
      rows.map(({ at, i }) =>
        h(
          "tr",
          {},
          h("td.num", {}, series.bucket ? moment(at * 1000) : `${date(at * 1000)} ${timeWithSeconds(at * 1000)}`),
          cell(series.values[i]),
          banded && [cell(series.low[i]), cell(series.high[i])],
        ),
      ),
    ),
  );
}

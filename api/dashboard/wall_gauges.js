/** What the wall says of rivers: gauges in the order of their water, their forecasts, and all of it in one sentence. */

import { nextExpected } from "./forecast_ahead.js";
import { number, time } from "./format.js";
import { gauges, shortName, siagaOf } from "./gauges.js";
import { SLOW } from "./marks.js";
import { isOld } from "./parts.js";
import { state } from "./store.js";
import { basinsOf } from "./views/rivers_basins.js";
import { t } from "./words/wall.js";

/** @typedef {import("./views/rivers_basins.js").Gauge} Gauge */
/** @typedef {import("./forecast_way.js").Forecast} Forecast */

const NORMAL = 4,
  NAMED = 2;

/** Waters one after the other, each downstream. @returns {Gauge[]} */
export const inOrder = () => basinsOf(gauges()).flatMap((basin) => basin.gauges);

/**
 * As many as there is room for, in their order: rather those above normal, or of which nobody knows.
 * @param {Gauge[]} all @param {number} room
 */
export function mostTelling(all, room) {
  if (all.length <= room) return all;
  const chosen = new Set([...all].sort((a, b) => weight(b) - weight(a)).slice(0, room));
  return all.filter((gauge) => chosen.has(gauge));
}

/** @param {Gauge} gauge */
function weight({ device }) {
  const siaga = siagaOf(device.id);
  return siaga === null ? 0.5 : NORMAL - siaga;
}

/** The next level that a gauge is expected at. @param {readonly Forecast[]} forecasts @param {string} id */
export function nextOf(forecasts, id) {
  const found = forecasts.find((forecast) => forecast.device_id === id);
  return found ? nextExpected(found) : null;
}

/**
 * The situation in one sentence, worst first.
 * @param {readonly Forecast[]} forecasts @param {number} darkPanels
 */
export function sentenceOf(forecasts, darkPanels) {
  const all = inOrder();
  const known = all.filter(({ device }) => siagaOf(device.id) !== null);
  const high = known
    .filter(({ device }) => /** @type {number} */ (siagaOf(device.id)) < NORMAL)
    .sort((a, b) => Number(siagaOf(a.device.id)) - Number(siagaOf(b.device.id)));
  const soon = all
    .flatMap(({ device }) => {
      const next = nextOf(forecasts, device.id);
      return next ? [{ device, next }] : [];
    })
    .sort((a, b) => Date.parse(a.next.at) - Date.parse(b.next.at))[0];
  const told = high
    .slice(0, NAMED)
    .map(({ device }) => t("gauge_at", { name: shortName(device), siaga: t("siaga", { n: siagaOf(device.id) }) }));
  if (soon)
    told.push(t("gauge_soon", { name: shortName(soon.device), siaga: t("siaga", { n: soon.next.siaga }), time: time(soon.next.at) }));
  const unknown = all.length - known.length;
  return [
    ...trends(high, soon?.device),
    told.length ? `${told.join(", ")}.` : all.length ? (unknown ? "" : t("all_normal")) : t("no_gauges"),
    unknown ? t("some_unknown", { n: number(unknown) }) : "",
    darkPanels ? t("panels_dark", { n: number(darkPanels) }) : "",
  ]
    .filter(Boolean)
    .join(" ");
}

/** Rivers that are high or will be, and whether they rise. @param {Gauge[]} high @param {import("./store.js").Device} [soon] */
function trends(high, soon) {
  const devices = [...high.map(({ device }) => device), ...(soon ? [soon] : [])];
  /** @type {Map<string, number>} */
  const fastest = new Map();
  for (const { id, attributes } of devices) {
    const latest = state.latest.get(id),
      river = String(attributes.river ?? "");
    if (!river || !latest || isOld(latest) || typeof latest.rate !== "number") continue;
    if (Math.abs(latest.rate) > Math.abs(fastest.get(river) ?? 0)) fastest.set(river, latest.rate);
  }
  return [...fastest].filter(([, rate]) => Math.abs(rate) >= SLOW).map(([river, rate]) => t(rate > 0 ? "rises" : "falls", { river }));
}

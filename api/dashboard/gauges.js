/**
 * The table of gauges with their ladders. Rows keep their places whatever happens to a river: position is memory.
 * Order: water by water, and each downstream.
 */

import { attribute, h, keyed, redraw } from "./dom.js";
import { now } from "./clock.js";
import { aheadOf, nextExpected } from "./forecast_ahead.js";
import { moment, number, signed, time } from "./format.js";
import { boundsOf, drawLadder, makeLadder, nextLevel } from "./ladder.js";
import { levelMark, trendArrow, unknownMark } from "./marks.js";
import { dataAge, isOld, latestValue, metricOf } from "./parts.js";
import { deviceName, hasLadder, state } from "./store.js";
import { basinsOf } from "./views/rivers_basins.js";
import { t } from "./words/ladder.js";

/** @typedef {import("./store.js").Device} Device */
/** @typedef {import("./forecast_way.js").Forecast} Forecast */
/** @typedef {{ device: Device, river: string | null }} Row */

const LEVEL = "level_m";

/** @returns {Device[]} */
export function gauges() {
  const kinds = new Set([...state.kinds.values()].filter(hasLadder).map((kind) => kind.kind));
  return [...state.devices.values()].filter((device) => kinds.has(device.kind)).sort(byRiver);
}

/** @param {Device} a @param {Device} b */
function byRiver(a, b) {
  const names = [a, b].map((device) => device.name ?? device.id);
  return (
    String(a.attributes.river ?? "~").localeCompare(String(b.attributes.river ?? "~")) ||
    names[0].localeCompare(names[1])
  );
}

/** A name on one line often begins with its river, which stands at the left already. @param {Device} device */
export function shortName(device) {
  const name = deviceName(device.id),
    prefix = `${device.attributes.river} di `;
  return device.attributes.river && name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** @param {() => readonly Forecast[]} forecasts */
export function gaugesTable(forecasts) {
  const levels = h("div.levels");
  const body = h("tbody");
  const head = h(
    "thead",
    {},
    h(
      "tr",
      {},
      h("th.river", {}, h("span.only-read", {}, t("a_river"))),
      h("th.sign", {}, h("span.only-read", {}, t("siaga", { n: "" }))),
      h("th", { scope: "col" }, t("ladder")),
      h("th.steps", {}, levels),
      h("th.r", { scope: "col" }, t("water_level")),
      h("th.rate.r", { scope: "col" }, t("rate_head")),
      h("th.next", { scope: "col" }, t("next_level")),
      h("th.r", { scope: "col" }, t("data")),
    ),
  );
  const element = h("div.gauges", { tabindex: -1 }, h("table", {}, head, body));

  function update() {
    const devices = basinsOf(gauges()).flatMap((basin) => basin.gauges.map((gauge) => gauge.device));
    const known = new Map(forecasts().map((forecast) => [forecast.device_id, forecast]));
    const standing = new Set(devices.map((device) => siagaOf(device.id)));
    // The legend is alive: filled only while some gauge is at that level.
    redraw(levels, `${[...standing].sort()}${document.documentElement.lang}`, () =>
      [4, 3, 2, 1].map((level) =>
        h(
          "span",
          {},
          levelMark(level, { fill: standing.has(level), size: 13 }),
          h("span.word", {}, t(`level${level}`)),
        ),
      ),
    );
    /** @type {Row[]} */
    const rows = devices.map((device, i) => {
      const river = device.attributes.river ?? null;
      return { device, river: river === (devices[i - 1]?.attributes.river ?? null) ? null : river };
    });
    keyed(
      body,
      rows,
      (row) => row.device.id,
      (row) => makeRow(row.device),
      (row, item) => updateRow(row, item, known.get(item.device.id)),
    );
    return devices.length;
  }
  return { element, update };
}

/** The level a gauge is known to be at now. @param {string} id */
export function siagaOf(id) {
  const latest = state.latest.get(id);
  return latest && !isOld(latest) ? latest.siaga : null;
}

/** @param {Device} device */
function makeRow(device) {
  const cells = {
    river: h("td.river"),
    sign: h("td.sign"),
    steps: makeLadder(),
    level: h("td.level.r"),
    rate: h("td.rate.r"),
    next: h("td.next"),
    data: h("td.data.r"),
  };
  const link = h("a", { href: `/perangkat/${device.id}` }, shortName(device));
  const row = h(
    "tr",
    {},
    cells.river,
    cells.sign,
    h("td.place.b", {}, link),
    h("td.steps", {}, cells.steps),
    cells.level,
    cells.rate,
    cells.next,
    cells.data,
  );
  row.cells_ = cells;
  return row;
}

/** @param {any} row @param {Row} item @param {Forecast} [forecast] */
function updateRow(row, { device, river }, forecast) {
  const cells = /** @type {ReturnType<typeof makeRow>["cells_"]} */ (row.cells_);
  const latest = state.latest.get(device.id);
  const stale = isOld(latest);
  const lost = state.stream === "lost";
  const level = latest?.values[LEVEL] ?? null;
  const bounds = boundsOf(device.attributes);
  const rate = stale ? null : (latest?.rate ?? null);
  const siaga = stale ? null : (latest?.siaga ?? null);
  attribute(row, "class", stale ? "stale" : null);
  redraw(cells.river, String(river), () => river ?? "");
  redraw(cells.sign, `${siaga} ${lost}`, () => signOf(siaga, lost));
  const told = stale || lost ? undefined : forecast;
  drawLadder(cells.steps, bounds, { level, rate, siaga, stale, ahead: told ? aheadOf(told, now()) : null });
  redraw(cells.level, `${level} ${latest?.ts} ${stale}`, () => latestValue(latest, metricOf(device.kind, LEVEL)));
  redraw(cells.rate, String(rate?.toFixed(2)), () =>
    rate === null ? "–" : h("span.num", {}, trendArrow(rate), signed(rate, 2)),
  );
  const next = told && nextExpected(told);
  redraw(cells.next, `${level} ${siaga} ${stale} ${lost} ${bounds} ${next?.at} ${next?.earliest} ${document.documentElement.lang}`, () =>
    next ? expectedText(next) : nextText(bounds, stale || lost ? null : level, latest !== undefined),
  );
  redraw(
    cells.data,
    `${latest?.ts} ${latest?.received_at} ${stale} ${latest && dataAge(latest).children.length}`,
    () => (latest ? dataAge(latest) : h("span.tag", {}, t("none"))),
  );
}

/** @param {number | null} siaga @param {boolean} lost */
function signOf(siaga, lost) {
  if (siaga === null || lost) return unknownMark({ label: t("unknown") });
  return levelMark(siaga, { label: `${t("siaga", { n: siaga })}, ${t(`level${siaga}`)}` });
}

/** Siaga 2 · 02.20 (02.00–02.50) @param {import("./forecast_way.js").Expected} next */
const expectedText = ({ siaga, at, earliest, latest }) =>
  h(
    "span.num",
    {},
    h("b", {}, `${t("siaga", { n: siaga })} · ${moment(at)}`),
    h("span.interval.t2", {}, ` (${time(earliest)}–${time(latest)})`),
  );

/** @param {import("./ladder.js").Bounds | null} bounds @param {number | null} level @param {boolean} reported */
function nextText(bounds, level, reported) {
  if (!bounds) return h("span.t3", {}, t("no_bounds"));
  if (level === null) return h("span.t3", {}, reported ? t("not_computed") : "–");
  const { siaga, away } = nextLevel(bounds, level);
  const metres = `${number(Math.abs(away), 2)} m`;
  return h(
    "span.num.t3",
    {},
    t("siaga", { n: siaga }),
    ` · ${t(away > 0 ? "to_go" : "above_top", { m: metres })}`,
  );
}

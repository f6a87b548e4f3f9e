/** The wall's first page: every gauge on its ladder, the three worst alerts, the map, four numbers. */

import { alertMark, levelMark, severityMark, unknownMark } from "../marks.js";
import { attribute, h, keyed, redraw, text } from "../dom.js";
import { now } from "../clock.js";
import { completeness } from "../completeness.js";
import { aheadOf } from "../forecast_ahead.js";
import { number, percent, said, signed, time } from "../format.js";
import { siagaOf, shortName } from "../gauges.js";
import { boundsOf, drawLadder, makeLadder } from "../ladder.js";
import { mapPanel } from "../map.js";
import { ageOf, dataAge, isOld, latestValue, metricOf } from "../parts.js";
import { resource } from "../resource.js";
import { compareAlerts, state } from "../store.js";
import { inOrder, mostTelling, nextOf } from "../wall_gauges.js";
import { t } from "../words/wall.js";

/** @typedef {import("./wall.js").Known} Known */
/** @typedef {import("./rivers_basins.js").Gauge} Gauge */

const GAUGES = 8,
  ALERTS = 3,
  MINUTE_MS = 60_000;
const LEVEL = "level_m";
const CONGESTED = new Set(["E", "F"]);

/** @param {Known} known @param {() => void} draw @returns {import("./wall.js").Page} */
export function situationPage(known, draw) {
  const ledger = resource("ledger/summary?by=kind&from=-24h", draw, { every_ms: 5 * MINUTE_MS, shape: ({ items }) => items });
  const traffic = resource("traffic/now", draw, { every_ms: MINUTE_MS, shape: ({ items }) => items });
  const levels = h("div.levels"),
    rows = h("tbody"),
    more = h("p.t3.more"),
    count = h("span.num"),
    list = h("ul"),
    calm = h("p.t2.calm", {}, t("nothing_unacked")),
    numbers = h("dl.numbers");
  const head = h("tr", {}, h("th", { colspan: 2, scope: "col" }, t("gauges_head")), h("th.steps", {}, levels), ...heads());
  const ladders = h("section.panel.ladders", { "aria-label": t("ladder") }, h("table", {}, h("thead", {}, head), rows), more);
  const waiting = h("section.panel.unacked", { "aria-label": t("unacked") }, h("header", {}, h("h2", {}, t("unacked"), " ", count)), list, calm);
  const map = mapPanel();
  const element = h("div.page.situation-page", {}, ladders, h("div.right", {}, waiting, map.element), numbers);

  function drawGauges() {
    const all = inOrder(),
      chosen = mostTelling(all, GAUGES);
    const standing = new Set(all.map(({ device }) => siagaOf(device.id)));
    redraw(levels, `${[...standing].sort()} ${document.documentElement.lang}`, () =>
      [4, 3, 2, 1].map((level) => h("span", {}, levelMark(level, { fill: standing.has(level), size: 20 }), t(`level${level}`))),
    );
    keyed(rows, chosen, ({ device }) => device.id, makeRow, (row, gauge) => updateRow(row, gauge, known));
    text(more, all.length > chosen.length ? t("more_gauges", { n: number(all.length - chosen.length) }) : "");
  }

  function drawAlerts() {
    const unacked = [...state.alerts.values()].filter((alert) => !alert.acked).sort(compareAlerts);
    text(count, state.loaded.has("alerts") ? number(unacked.length) : "–");
    calm.hidden = unacked.length > 0 || !state.loaded.has("alerts");
    keyed(list, unacked.slice(0, ALERTS), ({ id }) => String(id), makeAlert, (row, alert) => {
      redraw(row, `${alert.version} ${alert.state} ${document.documentElement.lang}`, () => [
        alertMark({ ...alert, siaga: null }, { size: 36 }),
        h("h3", {}, said(alert.title)),
        h("span.num.t2", {}, ageOf(Date.parse(alert.raised_at))),
      ]);
    });
  }

  function drawNumbers() {
    const lamps = known.lamps.value,
      sites = traffic.value;
    const jammed = sites?.filter((/** @type {{ los: string }} */ site) => CONGESTED.has(site.los)).length;
    const dark = lamps?.dark.reduce((/** @type {number} */ sum, /** @type {{ lamps: number }} */ each) => sum + each.lamps, 0);
    const share = ledger.value ? completeness(ledger.value).share : null;
    redraw(numbers, JSON.stringify([lamps, jammed, share, sites?.length, document.documentElement.lang]), () => [
      lamps?.lamps > 0 && litNumber(lamps),
      lamps?.lamps > 0 && numberOf(t("dark_together"), [dark > 0 && severityMark(2, { size: 30 }), h("span.v", {}, number(dark))]),
      sites?.length > 0 && numberOf(t("traffic"), h("span.v", {}, jammed ? t("n_congested", { n: number(jammed) }) : t("flowing"))),
      numberOf(t("completeness"), h("span.v", {}, percent(share))),
    ]);
  }

  return {
    element,
    update(topics) {
      attribute(element, "aria-busy", !state.loaded.has("latest") && "true");
      drawGauges();
      drawAlerts();
      drawNumbers();
      if (topics.size) map.update(topics);
    },
    close() {
      map.close();
      ledger.close();
      traffic.close();
    },
  };
}

const heads = () => [
  h("th.r", { scope: "col" }, t("water_level")),
  h("th.r", { scope: "col" }, t("per_hour")),
  h("th", { scope: "col" }, t("forecast")),
];

/** @param {string} word @param {any} value */
export const numberOf = (word, value) => h("div", {}, h("dt", {}, word), h("dd", {}, value));

/** @param {{ lit: number, lamps: number, expected: number }} lamps */
export const litNumber = ({ lit, lamps, expected }) =>
  numberOf(t("lamps_lit"), [
    h("span.v", {}, number(lit)),
    h("span.unit", {}, ` ${expected ? t("of_n", { n: number(expected) }) : `${t("of_n", { n: number(lamps) })}, ${t("by_day")}`}`),
  ]);

/** @param {import("../store.js").Alert} alert */
const makeAlert = (alert) => h("li", { "data-id": alert.id });

/** @param {Gauge} gauge */
function makeRow({ device, place }) {
  const where = [device.attributes.river, place && t(`place_${place}`)].filter(Boolean).join(", ");
  const cells = { sign: h("td.sign"), steps: makeLadder(), level: h("td.level.r"), rate: h("td.rate.r.num"), next: h("td.next.num") };
  const name = h("td.place", {}, h("span.name", {}, shortName(device)), where && h("span.sub", {}, where));
  const row = h("tr", {}, cells.sign, name, h("td.steps", {}, cells.steps), cells.level, cells.rate, cells.next);
  row.parts = cells;
  return row;
}

/** @param {any} row @param {Gauge} gauge @param {Known} known */
function updateRow(row, { device }, known) {
  const { sign, steps, level: levelCell, rate: rateCell, next } = row.parts;
  const latest = state.latest.get(device.id),
    stale = isOld(latest),
    lost = state.stream === "lost",
    lang = document.documentElement.lang;
  const siaga = siagaOf(device.id),
    level = latest?.values[LEVEL] ?? null,
    rate = stale ? null : (latest?.rate ?? null);
  const expected = stale || lost ? null : nextOf(known.forecasts.value ?? [], device.id);
  attribute(row, "class", stale ? "stale" : null);
  redraw(sign, `${siaga} ${lost} ${lang}`, () =>
    siaga === null || lost ? unknownMark({ size: 44, label: t("unknown") }) : levelMark(siaga, { size: 44, label: `${t("siaga", { n: siaga })}, ${t(`level${siaga}`)}` }),
  );
  const forecast = stale || lost ? undefined : known.forecasts.value?.find((each) => each.device_id === device.id);
  drawLadder(steps, boundsOf(device.attributes), { level, rate, siaga, stale, ahead: forecast ? aheadOf(forecast, now()) : null });
  redraw(levelCell, `${level} ${stale} ${lang}`, () => latestValue(latest, metricOf(device.kind, LEVEL)));
  redraw(rateCell, `${rate?.toFixed(2)} ${lang}`, () => (rate === null ? "–" : signed(rate)));
  redraw(next, `${expected?.at} ${expected?.siaga} ${stale} ${latest?.ts} ${lang}`, () =>
    expected
      ? [h("span.name", {}, time(expected.at)), h("span.sub", {}, t("siaga", { n: expected.siaga }))]
      : stale && latest
        ? h("span.sub", {}, dataAge(latest))
        : null,
  );
}

/** The wall's page of rivers: twelve hours of each gauge and what is expected, between the levels it may come to. */

import { now } from "../clock.js";
import { attribute, h, keyed, redraw, s } from "../dom.js";
import { number, signed, time } from "../format.js";
import { shortName, siagaOf } from "../gauges.js";
import { boundsOf } from "../ladder.js";
import { levelMark, severityOf, unknownMark } from "../marks.js";
import { isOld, latestValue, metricOf } from "../parts.js";
import { resource } from "../resource.js";
import { state } from "../store.js";
import { inOrder, mostTelling, nextOf } from "../wall_gauges.js";
import { t } from "../words/wall.js";
import { wayOf } from "../forecast_way.js";
import { curveOf } from "./rivers_data.js";

/** @typedef {import("./rivers_basins.js").Gauge} Gauge */
/** @typedef {import("../series.js").Series} Series */

const LANES = 6,
  BACK_S = 12 * 3600,
  AHEAD_S = 4 * 3600,
  CURVES_MS = 60_000;
const WIDTH = 1000,
  HEIGHT = 100,
  APART = 18;
const LEVEL = "level_m";

/** @param {import("./wall.js").Known} known @param {() => void} draw @returns {import("./wall.js").Page} */
export function riversPage(known, draw) {
  let asked = "";
  const readings = resource("", draw, { every_ms: CURVES_MS, shape: ({ items }) => ({ items, at: now() / 1000 }) });
  const lanes = h("div.lanes"),
    hours = h("div.hours.num");
  const element = h("div.page.rivers-page", {}, h("section.panel", { "aria-label": t("course") }, h("header", {}, h("h2", {}, t("course"))), lanes, hours));

  return {
    element,
    update() {
      const chosen = mostTelling(inOrder(), LANES);
      const ids = chosen.map(({ device }) => encodeURIComponent(device.id)).join(",");
      if (ids !== asked) readings.ask(wanted(ids));
      const { value } = readings;
      keyed(lanes, chosen, ({ device }) => device.id, makeLane, (lane, gauge) => updateLane(lane, gauge, value, known));
      const end = value?.at ?? now() / 1000;
      redraw(hours, `${Math.floor(end / 60)} ${document.documentElement.lang}`, () => axis(end));
    },
    close: readings.close,
  };

  /** @param {string} ids */
  function wanted(ids) {
    asked = ids;
    return ids && `series?device=${ids}&metric=${LEVEL}&from=-12h&points=300`;
  }
}
/** @param {Gauge} gauge */
function makeLane({ device, place }) {
  const where = [device.attributes.river, place && t(`place_${place}`)].filter(Boolean).join(", ");
  const parts = { sign: h("span.sign"), level: h("span.level"), next: h("span.sub"), chart: h("div.course"), scale: h("div.scale.num") };
  const about = h("div.about", {}, parts.sign, h("div", {}, h("span.name", {}, shortName(device)), h("span.sub", {}, where)), h("div.r", {}, parts.level, parts.next));
  const lane = h("section.lane", { "aria-label": shortName(device) }, about, parts.chart, parts.scale);
  lane.parts = parts;
  return lane;
}

/** @param {any} lane @param {Gauge} gauge @param {{ items: any[], at: number } | null} value @param {import("./wall.js").Known} known */
function updateLane(lane, { device }, value, known) {
  const { sign, level, next, chart, scale } = lane.parts;
  const latest = state.latest.get(device.id),
    stale = isOld(latest),
    siaga = siagaOf(device.id),
    lang = document.documentElement.lang;
  attribute(lane, "class", stale ? "lane stale" : "lane");
  redraw(sign, `${siaga} ${lang}`, () => (siaga === null ? unknownMark({ size: 40, label: t("unknown") }) : levelMark(siaga, { size: 40, label: t("siaga", { n: siaga }) })));
  redraw(level, `${latest?.ts} ${stale} ${lang}`, () => latestValue(latest, metricOf(device.kind, LEVEL)));
  const expected = nextOf(known.forecasts.value ?? [], device.id),
    rate = stale ? null : latest?.rate;
  redraw(next, `${expected?.at} ${rate} ${lang}`, () =>
    expected ? `${t("siaga", { n: expected.siaga })} ${time(expected.at)}` : typeof rate === "number" ? `${signed(rate)} ${t("per_hour")}` : "–",
  );
  const item = value?.items.find((each) => each.device_id === device.id);
  const forecast = known.forecasts.value?.find((each) => each.device_id === device.id);
  redraw(chart, `${item?.t.at(-1)} ${value?.at} ${forecast?.made_at} ${siaga} ${lang}`, () => {
    if (!item || !value) return null;
    const series = curveOf(item, value.at - BACK_S, value.at, latest?.interval_s ?? 3600);
    const drawn = drawing(series, boundsOf(device.attributes) ?? [], forecast ? wayOf(forecast) : null, value.at, shortName(device));
    scale.replaceChildren(...drawn.marks);
    return drawn.element;
  });
}

/**
 * @param {Series} series @param {number[]} bounds  of Siaga 3, 2, 1
 * @param {import("../chart.js").Forecast | null} way @param {number} at  now, s
 * @param {string} name
 */
function drawing(series, bounds, way, at, name) {
  const known = /** @type {number[]} */ (series.values.filter((value) => value !== null));
  const ahead = way ? /** @type {number[]} */ ([...way.low, ...way.high].filter((value) => value !== null)) : [];
  const all = [...known, ...ahead];
  const least = Math.min(...all),
    most = Math.max(...all);
  // The next bound above is in sight: how far it still is, is what matters.
  const top = bounds.find((bound) => bound > most) ?? most,
    room = Math.max(0.4, top - least);
  const low = least - room * 0.1,
    span = room * 1.25;
  const x = (/** @type {number} */ when) => (WIDTH * (when - at + BACK_S)) / (BACK_S + AHEAD_S);
  const y = (/** @type {number} */ level) => HEIGHT - (HEIGHT * (level - low)) / span;
  const seen = bounds.map((bound, i) => ({ bound, siaga: 3 - i })).filter(({ bound }) => y(bound) > 0 && y(bound) < HEIGHT);
  const label = known.length ? t("course_says", { name, low: number(Math.min(...known), 2), high: number(Math.max(...known), 2) }) : `${name}: ${t("no_points")}`;
  const element = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    seen.map(({ bound, siaga }) => s(`path.bound.sev${severityOf(siaga)}`, { d: `M0 ${y(bound)}H${WIDTH}` })),
    s("path.now", { d: `M${x(at)} 0V${HEIGHT}` }),
    way && s("path.between", { d: band(way, x, y) }),
    way && s("path.ahead", { d: line(way.times, way.values, x, y) }),
    s("path.level", { d: line(series.times, series.values, x, y) }),
  );
  // Bounds that lie close have one mark, the worst: digits on one another cannot be read.
  const apart = seen.filter(({ bound }, i) => !seen.slice(i + 1).some((worse) => y(bound) - y(worse.bound) < APART));
  const marks = apart.map(({ bound, siaga }) => {
    const mark = h("span", {}, levelMark(siaga, { fill: known.at(-1) !== undefined && Number(known.at(-1)) >= bound, size: 22 }), number(bound, 2));
    mark.style.top = `${y(bound)}%`;
    return mark;
  });
  return { element, marks };
}

/** @param {number[]} times @param {(number | null)[]} values @param {(n: number) => number} x @param {(n: number) => number} y */
function line(times, values, x, y) {
  let pen = "M";
  return values
    .map((value, i) => {
      if (value === null) return ((pen = "M"), "");
      const step = `${pen}${x(times[i]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return step;
    })
    .join("");
}

/** @param {import("../chart.js").Forecast} way @param {(n: number) => number} x @param {(n: number) => number} y */
function band({ times, low, high }, x, y) {
  const there = times.map((at, i) => /** @type {const} */ ([at, high[i]])),
    back = times.map((at, i) => /** @type {const} */ ([at, low[i]])).reverse();
  const points = [...there, ...back].filter(([, level]) => level !== null).map(([at, level]) => `${x(at).toFixed(1)} ${y(Number(level)).toFixed(1)}`);
  return points.length ? `M${points.join("L")}Z` : "";
}

/** Every second hour, below the lanes. @param {number} at  s */
function axis(at) {
  const hour = 3600,
    first = Math.ceil((at - BACK_S) / (2 * hour)) * 2 * hour;
  return Array.from({ length: 8 }, (_, i) => first + i * 2 * hour)
    .filter((when) => when <= at + AHEAD_S)
    .map((when) => {
      const tick = h("span", {}, time(when * 1000));
      tick.style.left = `${(100 * (when - at + BACK_S)) / (BACK_S + AHEAD_S)}%`;
      return tick;
    });
}

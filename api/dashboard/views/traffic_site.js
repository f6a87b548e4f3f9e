/** One road: its day over what is usual, speed against flow, who passes, and its detectors. */

import { makeChart } from "../chart.js";
import { now } from "../clock.js";
import { dayBegin } from "../days.js";
import { h, redraw, s } from "../dom.js";
import { date, number, percent } from "../format.js";
import { alertMark } from "../marks.js";
import { dataAge, message, metricOf, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { deviceName, state, worstAlert } from "../store.js";
import { summaryOf } from "../summary.js";
import { t } from "../words/traffic.js";
import { DAY_S, LEAST_WEEKS, courseOf, usualOf } from "./traffic_data.js";
import { cloud, dayAxis, dayStrip, losMark } from "./traffic_draw.js";

/** @typedef {import("./traffic_data.js").Site} Site */
/** @typedef {import("./traffic_data.js").Quarter} Quarter */
/** @typedef {import("./traffic_data.js").UsualQuarter} UsualQuarter */
/** @typedef {import("./traffic_data.js").What} What */

const KIND = "traffic";
const RENEW_MS = 300_000;
const DAYS = 7;
const METRICS = /** @type {const} */ ({ speed: "speed_kmh", flow: "flow_vph" });

/** Its last week and its usual day, which all parts draw. @param {() => void} changed */
export function siteData(changed) {
  let name = "";
  const week = resource("", changed, { every_ms: RENEW_MS, shape: ({ items }) => /** @type {Quarter[]} */ (items[0]?.items ?? []) });
  const usual = resource("", changed, { every_ms: 3 * RENEW_MS, shape: ({ items }) => /** @type {UsualQuarter[]} */ (items[0]?.items ?? []) });
  return {
    week,
    usual,
    /** @param {string} site */
    ask(site) {
      if (site === name) return;
      name = site;
      week.ask(`traffic/course?site=${encodeURIComponent(site)}&from=${encodeURIComponent(new Date(dayBegin(DAYS - 1)).toISOString())}`);
      usual.ask(`traffic/typical?site=${encodeURIComponent(site)}`);
    },
    close() {
      week.close();
      usual.close();
    },
  };
}
/** @typedef {ReturnType<typeof siteData>} Data */

/** Speed or flow of today. @param {What} what @param {Data} data @param {{ lane?: boolean, small?: boolean }} [options] */
export function todayChart(what, data, { lane = false, small = false } = {}) {
  const chart = makeChart(),
    note = h("div"),
    element = h("div.today", {}, chart.element, note);
  if (small) chart.element.classList.add("small");

  /** @param {string} site */
  function show(site) {
    const metric = metricOf(KIND, METRICS[what]),
      from = dayBegin() / 1000;
    chart.element.hidden = !data.week.value?.length;
    drawResource(note, data.week, { what: site, lines: 4, key: (quarters) => String(quarters.length), empty: (quarters) => (quarters.length ? null : message(t("no_points"))), content: () => null });
    if (!data.week.value?.length || !metric) return;
    const series = courseOf(data.week.value, what, from, now() / 1000);
    const usual = usualOf(data.usual.value ?? [], what);
    chart.show(
      { series, metric, bounds: [], siaga: null, small, zero: true, span: [from, from + DAY_S], forecasts: usual, others: usual.map(({ times, values }) => ({ times, values })), lane, ...(lane || !small ? { sync: "traffic" } : {}) },
      summaryOf(series, metric, `${site}, ${t("today")}`),
    );
  }
  return { element, show, close: chart.close };
}

/** How many weeks the usual is known of, and of which day. @param {Data} data */
export function usualText(data) {
  const weeks = Math.max(0, ...(data.usual.value ?? []).map((each) => each.speed.n));
  return data.usual.value === null ? "" : weeks >= LEAST_WEEKS ? t("usual_band", { day: date(now()).split(" ")[0], n: number(weeks) }) : t("no_usual");
}

/** @param {Data} data */
export function siteSide(data) {
  const today = panel("site-today", ""),
    cloudy = panel("site-cloud", t("speed_flow")),
    classes = panel("site-classes", t("classes")),
    lanes = panel("site-lanes", t("detectors"));
  cloudy.meta.textContent = t("seven_days");
  for (const each of [cloudy, classes]) each.body.className = "body";
  const title = /** @type {HTMLElement} */ (today.element.querySelector("h2")),
    chart = todayChart("speed", data, { small: true }),
    usual = h("p.t3.usual");
  today.body.append(chart.element, usual);
  today.body.className = "body";
  const element = h("div.side", {}, today.element, cloudy.element, classes.element, lanes.element);

  /** @param {Site} site */
  function update(site) {
    const language = document.documentElement.lang;
    title.textContent = site.site;
    redraw(today.end, `${site.los} ${language}`, () => losMark(site.los));
    usual.textContent = usualText(data);
    chart.show(site.site);
    drawResource(cloudy.body, data.week, { what: t("speed_flow"), key: (quarters) => `${quarters.length} ${quarters.at(-1)?.bucket} ${JSON.stringify([site.ts, site.los])}`, empty: (quarters) => (quarters.length ? null : message(t("no_points"))), content: (quarters) => cloud(quarters, site) });
    redraw(classes.body, `${JSON.stringify(site.vehicles_per_h)} ${language}`, () => classBars(site));
    const own = [...state.devices.values()].filter((each) => each.kind === KIND && (each.attributes.site ?? each.name ?? each.id) === site.site);
    lanes.meta.textContent = t("n_heard", { n: number(site.reporting), all: number(site.devices) });
    redraw(lanes.body, `${own.map((each) => `${each.id} ${state.latest.get(each.id)?.ts} ${worstAlert(each.id)?.version}`)} ${language}`, () => laneTable(own));
  }
  return { element, update, close: chart.close };
}

/** @param {Site} site */
function classBars({ vehicles_per_h: { motorcycles, cars, heavy } }) {
  if (motorcycles === null || cars === null || heavy === null) return message(t("no_classes"));
  const all = motorcycles + cars + heavy;
  const bar = (/** @type {number} */ n) =>
    s("svg.bar", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { width: all ? (100 * n) / all : 0, height: 8 }));
  const row = (/** @type {string} */ word, /** @type {number} */ n) => [h("dt", {}, word), h("dd", {}, bar(n)), h("dd.num", {}, all ? percent(n / all) : "–")];
  return h("dl.classes", {}, row(t("motorcycles"), motorcycles), row(t("cars"), cars), row(t("heavy"), heavy));
}

/** @param {import("../store.js").Device[]} devices */
function laneTable(devices) {
  const row = (/** @type {import("../store.js").Device} */ device) => {
    const latest = state.latest.get(device.id),
      alert = worstAlert(device.id);
    return h("tr", {}, h("td", {}, h("span.row", {}, alert && alertMark(alert, { size: 14 }), h("a.link", { href: `/perangkat/${device.id}` }, deviceName(device.id)))), h("td.r.t2", {}, latest ? dataAge(latest) : t("none")));
  };
  return h("table.compact", {}, h("tbody", {}, devices.map(row)));
}

/** The last seven days of a road, a row each. @param {readonly Quarter[]} week @param {string} site */
export function weekTable(week, site) {
  const rows = Array.from({ length: DAYS }, (_, back) => {
    const from = dayBegin(back) / 1000;
    const own = week.filter((each) => Date.parse(each.bucket) / 1000 >= from && Date.parse(each.bucket) / 1000 < from + DAY_S);
    const slowest = own.reduce((/** @type {Quarter | null} */ least, each) => (each.speed_kmh !== null && (least === null || each.speed_kmh < (least.speed_kmh ?? Infinity)) ? each : least), null);
    const vehicles = own.reduce((sum, each) => sum + (each.flow_vph ?? 0) / 4, 0),
      slow = own.filter((each) => each.los === "E" || each.los === "F").length;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, date(from * 1000)),
      h("td.day", {}, own.length ? dayStripOf(week, from, site) : h("span.t3", {}, t("none"))),
      h("td.r.num", {}, own.length ? number(vehicles) : "–"),
      h("td.r.num", {}, slowest ? number(slowest.speed_kmh) : "–"),
      h("td.r.num", {}, own.length ? t("hours_n", { n: number(slow / 4, 1) }) : "–"),
    );
  });
  const head = (/** @type {string} */ word) => h("th.r", { scope: "col" }, word);
  return h("table.week", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("day")), h("th.day", { scope: "col" }, dayAxis()), head(t("vehicles")), head(t("slowest")), head(t("time_slow")))), h("tbody", {}, rows));
}

/** @param {readonly Quarter[]} week @param {number} from @param {string} site */
const dayStripOf = (week, from, site) => dayStrip(week, from, `${site}, ${date(from * 1000)}`);

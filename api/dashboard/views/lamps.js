/** Lampu jalan: what is dark that should be lit, whether it is the lamp or the supply, and what the night costs. */

import { attribute, h, redraw, text } from "../dom.js";
import { number, percent, time } from "../format.js";
import { severityMark } from "../marks.js";
import { fact, failure, message, missing, skeleton } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { asked, go } from "../router.js";
import { tabs } from "../segments.js";
import { state } from "../store.js";
import { t } from "../words/lamps.js";
import { groupsLegend, groupsTable, hoursOf } from "./lamps_groups.js";
import { lampsList } from "./lamps_list.js";
import { lampsSide } from "./lamps_side.js";

/** @typedef {import("./lamps_night.js").Night} Night */
/** @typedef {{ lamps: number, panels: number, feeders: number, lit: number, expected: number, silent: number, power_w: number,
 *    dark: { by: string, group: string, alert_id: number, since: string, lamps: number }[], day_burners: number,
 *    failed_alone: number, faults: any[] }} Summary */

/** Of the address, and what lamps are taken together by. */
/** @type {Record<string, "panel" | "feeder" | "lamp">} */
const TABS = { "": "panel", penyulang: "feeder", lampu: "lamp" };
const SUMMARY_MS = 60_000,
  NIGHT_MS = 300_000;

/** @returns {import("../router.js").View} */
export function view() {
  const tab = TABS[asked("per")] ?? "panel";
  const by = tab === "feeder" ? "feeder" : "panel";
  const watch = () => [...state.alerts.values()].flatMap((alert) => (alert.kind === "streetlight" ? [`${alert.id} ${alert.version}`] : [])).join();
  const summary = resource("streetlights/summary", draw, { every_ms: SUMMARY_MS, topics: ["alerts"], watch, shape: (answer) => /** @type {Summary} */ (answer) });
  const night = resource(tab === "lamp" ? "" : `streetlights/night?by=${by}${asked("bagian") === "siang" ? "&half=day" : ""}`, draw, {
    every_ms: NIGHT_MS,
    topics: ["alerts"],
    watch,
    shape: (answer) => /** @type {Night} */ (answer),
  });
  const tonight = resource("", draw, { every_ms: NIGHT_MS, shape: ({ items }) => /** @type {any[]} */ (items) });
  /** @type {Map<string | null, number>} */
  let energy = new Map();
  const side = lampsSide(summary, (found) => ((energy = found), drawTable()), by);

  const facts = h("dl.head-numbers"),
    ways = h("div.ways"),
    halves = h("div");
  const note = h("div"),
    foot = h("span.end.t3");
  const table = groupsTable(by, () => night.value, () => energy, ({ group }) => group && by === "panel" && go(`/lampu?per=lampu&panel=${encodeURIComponent(group)}`));
  const list = tab === "lamp" ? lampsList(() => new Set(summary.value?.dark.flatMap((each) => (each.by === "panel" ? [each.group] : [])))) : null;
  const legend = groupsLegend();
  legend.append(foot);
  const body = h("section.panel.groups", { "aria-label": t(list ? "lamps" : by === "panel" ? "panels" : "feeders") }, note, list ? list.element : [table.element, legend]);
  const element = h(list ? "div.view.lamps.listed" : "div.view.lamps", {}, h("header.head", {}, facts, halves, ways), body, list ? null : side.element);

  function draw() {
    if (list && state.loaded.has("devices")) list.update(new Set());
    drawHead();
    drawTable();
    side.update();
  }

  function drawHead() {
    const told = summary.value,
      language = document.documentElement.lang;
    const wh = tonight.value?.reduce((sum, each) => sum + (each.energy_wh.delta ?? 0), 0) ?? null;
    redraw(facts, `${JSON.stringify(told)} ${wh} ${summary.failure?.retryAt} ${language}`, () => (told ? headFacts(told, wh, night.value) : null));
    redraw(ways, `${told?.panels} ${told?.feeders} ${told?.lamps} ${language}`, () => {
      const options = Object.entries(TABS).map(([name, what]) => ({ name: what, href: name ? `/lampu?per=${name}` : "/lampu", count: told ? number(told[/** @type {"panels"} */ (`${what}s`)]) : "" }));
      return tabs(t("taken_by"), options, tab, (name) => t(name));
    });
    redraw(halves, language, () => list ? null : tabs(t("half"), [{ name: "night", href: address(false) }, { name: "day", href: address(true) }], asked("bagian") === "siang" ? "day" : "night", (name) => t(name)));
  }

  /** @param {boolean} day */
  const address = (day) => `/lampu?${[tab === "feeder" && "per=penyulang", day && "bagian=siang"].filter(Boolean).join("&")}`.replace(/\?$/, "");

  function drawTable() {
    if (list) return;
    const told = night.value;
    drawResource(note, night, { what: t(by === "panel" ? "panels" : "feeders"), lines: 8, key: (answer) => String(answer.items.length), empty: (answer) => (answer.items.length ? null : message(t("no_lamps"), t("no_gauges_text"))), content: () => null });
    attribute(body, "aria-busy", !told && !night.failure && "true");
    table.element.hidden = legend.hidden = !told?.items.length;
    if (!told) return;
    redraw(table.axis, `${told.from} ${document.documentElement.lang}`, () => hoursOf(told));
    const unnamed = told.items.length > 0 && told.items.every((each) => each.group === null);
    const since = told.half === "night" ? told.from : null;
    if (since) tonight.ask(`metrics/streetlight?group=all&metric=energy_wh&agg=delta&bucket=1h&from=${encodeURIComponent(since)}&to=${encodeURIComponent(told.to)}`);
    text(foot, unnamed ? t("by_district") : t("foot", { n: number(told.items.length), sunset: told.sunset ? time(told.sunset) : "–", sunrise: told.sunrise ? time(told.sunrise) : "–" }));
    table.show(told.items);
  }

  /** @param {Set<import("../store.js").Topic>} topics */
  function update(topics) {
    const gone = missing(["kinds", "devices", "latest"]);
    if (list) {
      redraw(note, `${gone?.is} ${gone && state.failures.get(gone.topic)?.retryAt} ${document.documentElement.lang}`, () =>
        gone ? (gone.is === "failed" ? failure(t("lamps"), gone.topic) : skeleton(8)) : null,
      );
      list.element.hidden = Boolean(gone);
      if (!gone) list.update(topics);
    }
    if (["devices", "alerts", "tick", "stream"].some((topic) => topics.has(/** @type {any} */ (topic)))) draw();
  }

  draw();
  return {
    element,
    title: t("streetlights"),
    update,
    key: (event) => (list ? list.key(event) : table.key(event)),
    close() {
      for (const each of [summary, night, tonight, side]) each.close();
      list?.close();
    },
  };
}

/** @param {Summary} told @param {number | null} wh @param {Night | null} night */
function headFacts(told, wh, night) {
  const small = (/** @type {string} */ words) => h("span.unit", {}, ` ${words}`);
  const panels = told.dark.filter((each) => each.by === "panel"),
    lamps = panels.reduce((sum, each) => sum + each.lamps, 0);
  const due = told.expected || told.lamps;
  return [
    fact(t("lit"), h("span.num", {}, h("span.v", {}, number(told.lit)), small(told.expected ? t("of_share", { n: number(due), share: percent(told.lit / due) }) : t("of_by_day", { n: number(due) })))),
    fact(t("panels_dark"), h("span.num.row", {}, panels.length ? severityMark(2) : null, h("span", {}, number(panels.length), panels.length ? small(t("panels_lamps", { n: number(lamps) })) : null))),
    fact(t("failed_alone"), number(told.failed_alone)),
    fact(t("not_reporting"), number(told.silent)),
    fact(t("day_burners"), number(told.day_burners)),
    fact(t("power_now"), h("span.num", {}, number(told.power_w / 1000, 1), small("kW"))),
    night?.half === "night" ? fact(t("energy_tonight"), h("span.num", {}, wh === null ? "–" : wh >= 1e6 ? number(wh / 1e6, 2) : number(wh / 1000, 1), small(wh !== null && wh >= 1e6 ? "MWh" : "kWh"))) : null,
  ];
}

/** Lalu lintas: which road is worse than it usually is at this hour, since when, and whether its detector can be believed. */

import { dayBegin } from "../days.js";
import { attribute, h, redraw } from "../dom.js";
import { number, percent, signed } from "../format.js";
import { fact, message } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { asked, remember } from "../router.js";
import { tabs } from "../segments.js";
import { state } from "../store.js";
import { makeTable } from "../table.js";
import { t } from "../words/traffic.js";
import { isBelowUsual } from "./traffic_data.js";
import { bullet, dayAxis, dayStrip, losMark } from "./traffic_draw.js";
import { siteData, siteSide, todayChart, usualText, weekTable } from "./traffic_site.js";

/** @typedef {import("./traffic_data.js").Site} Site */
/** @typedef {import("./traffic_data.js").Quarter} Quarter */

/** @type {Record<string, "now" | "profile" | "week">} */
const TABS = { "": "now", profil: "profile", minggu: "week" };
const NOW_MS = 60_000,
  COURSE_MS = 300_000;
const SPEED_STEP = 10;

/** @returns {import("../router.js").View} */
export function view() {
  const tab = TABS[asked("bagian")] ?? "now";
  let chosen = asked("ruas");
  const sites = resource("traffic/now", draw, { every_ms: NOW_MS, shape: ({ items }) => /** @type {Site[]} */ (items) });
  const courses = resource(tab === "now" ? `traffic/course?from=${encodeURIComponent(new Date(dayBegin()).toISOString())}` : "", draw, {
    every_ms: COURSE_MS,
    shape: ({ items }) => new Map(items.map((/** @type {{ site: string, items: Quarter[] }} */ each) => [each.site, each.items])),
  });
  const data = siteData(draw);
  const facts = h("dl.head-numbers"),
    ways = h("div"),
    note = h("div"),
    pick = h("select.field", { "aria-label": t("site"), onchange: () => choose(pick.value) });
  const table = tab === "now" ? sitesTable() : null,
    side = tab === "now" ? siteSide(data) : null,
    lanes = tab === "profile" ? [todayChart("speed", data, { lane: true }), todayChart("flow", data)] : [];
  const content = h("div.content"),
    foot = h("div.foot");
  if (table) content.append(table.element);
  const names = lanes.map((_, i) => h("h3.lane-name", {}, t(i ? "flow_today" : "speed_today")));
  lanes.forEach((lane, i) => content.append(h("div.lane", {}, names[i], lane.element)));
  const body = h("section.panel.roads", { "aria-label": t(tab) }, tab === "now" ? null : h("div.toolbar", {}, pick), note, content, foot);
  const element = h(`div.view.traffic.on-${tab}`, {}, h("header.head", {}, facts, ways), body, side?.element);

  /** The chosen road, else the one furthest below what is usual. */
  const current = () => sites.value?.find((site) => site.site === chosen) ?? sites.value?.[0] ?? null;

  /** @param {string} site */
  function choose(site) {
    chosen = site;
    remember({ ruas: site });
    drawWays();
    draw();
  }

  function drawWays() {
    const query = (/** @type {string} */ name) => [name && `bagian=${name}`, chosen && `ruas=${encodeURIComponent(chosen)}`].filter(Boolean).join("&");
    redraw(ways, `${chosen} ${document.documentElement.lang}`, () =>
      tabs(t("part"), Object.entries(TABS).map(([name, what]) => ({ name: what, href: `/lalu-lintas${query(name) ? `?${query(name)}` : ""}` })), tab, (name) => t(name)),
    );
  }

  function sitesTable() {
    const most = () => Math.ceil(Math.max(...(sites.value ?? []).flatMap((each) => [each.speed_kmh ?? 0, each.free_flow_kmh ?? 0, each.usual_speed.p90_kmh ?? 0]), SPEED_STEP) / SPEED_STEP) * SPEED_STEP;
    const quarters = (/** @type {Site} */ site) => courses.value?.get(site.site) ?? [];
    return makeTable({
      label: t("sites"),
      keyOf: (/** @type {Site} */ site) => site.site,
      open: (site) => choose(site.site),
      rowClass: (site) => [isBelowUsual(site) && "slow", !site.reporting && "stale"].filter(Boolean).join(" "),
      current: (site) => site.site === current()?.site,
      columns: [
        {
          name: "site",
          words: t("site"),
          key: (site) => `${site.reporting} ${site.devices}`,
          cell: (site) => [h("span.name", {}, site.site), site.reporting < site.devices && h("span.sub", {}, site.reporting ? t("n_heard", { n: number(site.reporting), all: number(site.devices) }) : t("silent"))],
        },
        { name: "service", words: t("service"), key: (site) => String(site.los), cell: (site) => losMark(site.los) },
        { name: "speed.r", words: t("kmh"), key: (site) => String(site.speed_kmh), cell: (site) => h("span.num.v", {}, number(site.speed_kmh), h("span.unit.on-phone", {}, ` ${t("kmh")}`)) },
        {
          name: "against",
          words: t("against"),
          key: (site) => `${site.speed_kmh} ${JSON.stringify(site.usual_speed)} ${most()}`,
          cell: (site) => bullet(site, most()),
        },
        { name: "departure.r", words: t("departure"), key: (site) => String(site.departure_share), cell: (site) => h("span.num", {}, departure(site.departure_share)) },
        { name: "flow.r", words: t("vph"), key: (site) => String(site.flow_vph), cell: (site) => h("span.num", {}, number(site.flow_vph), h("span.unit.on-phone", {}, ` ${t("vph")}`)) },
        {
          name: "day",
          words: dayAxis(),
          key: (site) => `${quarters(site).length} ${quarters(site).at(-1)?.flow_vph}`,
          cell: (site) => (quarters(site).length ? dayStrip(quarters(site), dayBegin() / 1000, site.site) : null),
        },
      ],
    });
  }

  function draw() {
    const found = sites.value ?? [],
      site = current(),
      language = document.documentElement.lang;
    drawResource(note, sites, { what: t("sites"), lines: 8, key: (all) => String(all.length), empty: (all) => (all.length ? null : message(t("no_sites"), t("no_gauges_text"))), content: () => null });
    content.hidden = foot.hidden = !found.length;
    attribute(body, "aria-busy", !sites.value && !sites.failure && "true");
    redraw(facts, `${JSON.stringify(found)} ${language}`, () => (found.length ? headFacts(found) : null));
    if (side) side.element.hidden = !site;
    if (!site) return;
    data.ask(site.site);
    redraw(pick, `${found.map((each) => each.site)} ${site.site} ${language}`, () => [...found].sort((a, b) => a.site.localeCompare(b.site)).map((each) => h("option", { value: each.site, selected: each.site === site.site }, each.site)));
    table?.show(found);
    side?.update(site);
    for (const lane of lanes) lane.show(site.site);
    if (tab === "week") drawResource(content, data.week, { what: site.site, lines: 7, key: (week) => `${site.site} ${week.length} ${week.at(-1)?.flow_vph}`, content: (week) => weekTable(week, site.site) });
    redraw(foot, `${found.length} ${usualText(data)} ${tab} ${language}`, () => [h("span", {}, t("los_legend")), h("span", {}, tab === "now" ? t("bullet_legend") : tab === "profile" ? usualText(data) : t("bars_legend")), h("span.end.t3", {}, t("n_sites", { n: number(found.length) }))]);
  }

  drawWays();
  draw();
  return {
    element,
    title: t("roads"),
    /** @param {Set<import("../store.js").Topic>} topics */
    update(topics) {
      if (["devices", "kinds", "alerts", "tick", "stream"].some((topic) => topics.has(/** @type {any} */ (topic)))) draw();
    },
    key: (event) => table?.key(event) ?? false,
    close() {
      for (const each of [sites, courses, data, ...lanes]) each.close();
      side?.close();
    },
  };
}

/** @param {number | null} share */
const departure = (share) => (share === null ? "–" : `${signed(share * 100, 0)}%`);

/** @param {Site[]} sites */
function headFacts(sites) {
  const small = (/** @type {string} */ words) => h("span.unit", {}, ` ${words}`);
  const sum = (/** @type {(site: Site) => number | null} */ of) => sites.reduce((all, site) => all + (of(site) ?? 0), 0);
  const counted = sites.filter((site) => site.vehicles_per_h.motorcycles !== null);
  const all = counted.reduce((n, { vehicles_per_h: { motorcycles, cars, heavy } }) => n + (motorcycles ?? 0) + (cars ?? 0) + (heavy ?? 0), 0);
  const silent = sum((site) => site.devices - site.reporting);
  const known = sites.filter((site) => site.departure_share !== null);
  return [
    fact(t("below_usual"), h("span.num", {}, h("span.v", {}, known.length ? number(sites.filter(isBelowUsual).length) : "–"), known.length > 0 && small(t("of_n", { n: number(known.length) })))),
    fact(t("all_flow"), h("span.num", {}, h("span.v", {}, number(sum((site) => site.flow_vph))), small(t("vph")))),
    fact(t("motorcycles"), all ? percent(sum((site) => site.vehicles_per_h.motorcycles) / all) : "–"),
    fact(t("silent_detectors"), number(silent)),
    fact(t("open_alerts"), number([...state.alerts.values()].filter((alert) => alert.kind === "traffic" && alert.state === "active").length)),
  ];
}

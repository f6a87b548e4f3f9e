/** The panels of lamps and roads beside the map: what lights, what is dark, what is slow. */

import { h, text } from "./dom.js";
import { number, percent, time } from "./format.js";
import { severityMark } from "./marks.js";
import { metricOf, panel, unitText } from "./parts.js";
import { drawResource, resource } from "./resource.js";
import { districtName, state } from "./store.js";
import { TRAFFIC, line } from "./summaries.js";
import { t } from "./words/situation.js";

/** @typedef {{ lamps: number, lit: number, expected: number, silent: number, day_burners: number, failed_alone: number,
 *    dark: { group: string, alert_id: number, since: string, lamps: number }[] }} Lamps */
/** @typedef {{ site: string, devices: number, reporting: number, speed_kmh: number | null, flow_vph: number | null, los: string | null }} Site */

const AGAIN_MS = 60_000;
const NAMED = 3,
  DARK_SEVERITY = 2;
const CONGESTED = new Set(["E", "F"]);

/**
 * @template T
 * @param {string} name @param {string} title @param {string} href @param {string} path
 * @param {(answer: any) => T} shape @param {(value: T, meta: HTMLElement) => any} content
 */
function asking(name, title, href, path, shape, content) {
  const { element, meta, end, body } = panel(name, title);
  body.className = "body";
  end.append(h("a.link", { href }, t("details")));
  const watch = () => JSON.stringify(state.counts);
  const from = resource(path, update, { every_ms: AGAIN_MS, topics: ["counts"], watch, shape });
  function update() {
    // Marks are as their alerts are, which come on their own.
    const key = (/** @type {T} */ value) => JSON.stringify([value, state.loaded.has("alerts"), state.counts]);
    drawResource(body, from, { what: title, lines: 3, key, content: (value) => content(value, meta) });
  }
  update();
  return { element, update, close: from.close };
}

export const lampPanel = () =>
  asking("lamps", t("lamps"), "/lampu", "streetlights/summary", (answer) => /** @type {Lamps} */ (answer), (lamps, meta) => {
    const { lit, expected, dark, failed_alone, silent, day_burners } = lamps;
    text(meta, expected ? t("tonight_of", { n: number(expected) }) : t("by_day_of", { n: number(lamps.lamps) }));
    return [
      h(
        "div.headline",
        {},
        h("span.big.v", {}, number(lit)),
        h("span.t2", {}, t("lit")),
        expected > 0 && h("span.end.t2.num", {}, percent(lit / expected)),
      ),
      expected > 0 && shares(lamps),
      dark.slice(0, NAMED).map(({ group, alert_id, since, lamps: n }) => {
        const place = districtName(state.alerts.get(alert_id)?.district ?? null) ?? "";
        const where = t("panel_named", { panel: group, place, time: time(since) });
        return line([alertSign(alert_id), t("panel_dark"), h("span.t3.cut", { title: where }, where)], h("b.v", {}, number(n)));
      }),
      dark.length > NAMED && line([t("more_panels")], number(dark.length - NAMED)),
      failed_alone > 0 && line([severityMark(0), t("dark_alone")], h("span.v", {}, number(failed_alone))),
      day_burners > 0 && line([severityMark(0), t("day_burners")], h("span.v", {}, number(day_burners))),
      silent > 0 && line([severityMark(0, { fill: "outlined" }), t("not_reporting")], h("span.v", {}, number(silent))),
    ];
  });

/** As its alert is: filled while nobody looks after it. @param {number} id */
function alertSign(id) {
  const alert = state.alerts.get(id);
  return severityMark(alert?.severity ?? DARK_SEVERITY, { fill: alert && !alert.acked ? "filled" : "outlined" });
}

/** @param {Lamps} lamps */
function shares({ expected, lit, dark, failed_alone }) {
  const bar = h("div.shares", { "aria-hidden": "true" });
  const together = dark.reduce((sum, { lamps }) => sum + lamps, 0);
  for (const [name, n] of /** @type {[string, number][]} */ ([
    ["lit", lit],
    [`dark.sev${DARK_SEVERITY}`, together],
    ["dark", failed_alone],
  ])) {
    if (!n) continue;
    const part = h(`i.${name}`);
    part.style.width = `${(100 * n) / expected}%`;
    bar.append(part);
  }
  return bar;
}

export const trafficPanel = () =>
  asking("traffic", t("traffic"), "/lalu-lintas", "traffic/now", ({ items }) => /** @type {Site[]} */ (items), (sites, meta) => {
    const known = sites.filter(({ los }) => los !== null).sort((a, b) => String(a.los).localeCompare(String(b.los)));
    const jammed = known.filter(({ los }) => CONGESTED.has(String(los)));
    const flows = sites.flatMap(({ flow_vph }) => (flow_vph === null ? [] : [flow_vph]));
    const slowest = known.filter(({ speed_kmh }) => speed_kmh !== null).sort((a, b) => Number(a.speed_kmh) - Number(b.speed_kmh))[0];
    const silent = sites.filter(({ reporting, devices }) => reporting < devices).length;
    const mean = flows.length ? flows.reduce((sum, flow) => sum + flow, 0) / flows.length : null;
    text(meta, t("n_sites", { n: number(sites.length) }));
    const letters = [...new Set(known.map(({ los }) => los))].join("–");
    return [
      jammed.length
        ? line(
            [h("b", {}, t("congested")), h("span.t3.cut", {}, jammed.map(({ site, los }) => `${site} ${los}`).join(", "))],
            h("b.v", {}, t("n_places", { n: number(jammed.length) })),
          )
        : known.length > 0 && line([t("flowing", { letters: letters.replace(/–.*–/, "–") })], withUnit(mean, "flow_vph")),
      slowest && line([h("span.cut", {}, t("slowest", { name: slowest.site }))], withUnit(slowest.speed_kmh, "speed_kmh")),
      silent > 0 && line([severityMark(0, { fill: "outlined" }), t("not_reporting")], number(silent)),
    ];
  });

/** @param {number | null} value @param {string} name */
function withUnit(value, name) {
  const metric = metricOf(TRAFFIC, name);
  return h("span", {}, h("span.v", {}, number(value, metric?.decimals ?? 0)), h("span.unit", {}, unitText(metric)));
}

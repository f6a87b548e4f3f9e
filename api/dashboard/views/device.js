/** One device: what it does, against which limits, what of this can be believed, and what has happened to it. */

import { deviceChart } from "../device_chart.js";
import { commandsPanel } from "../device_commands.js";
import { alertsOf, boundsTable, facts, valuesTable } from "../device_facts.js";
import { forecastPanel } from "../device_forecast.js";
import { ledgerPanel } from "../device_ledger.js";
import { deviceWindow } from "../device_window.js";
import { attribute, h, redraw, text } from "../dom.js";
import { moment, said, signed } from "../format.js";
import { freshness, measuredAt } from "../freshness.js";
import { icon, levelMark, trendArrow, unknownMark } from "../marks.js";
import {
  ageOf,
  fact,
  failure,
  isOld,
  kindName,
  latestValue,
  message,
  missing,
  panel,
  primaryOf,
  skeleton,
  trustMark,
} from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { go } from "../router.js";
import { hasLadder, state } from "../store.js";
import { t } from "../words/device.js";

/** @typedef {import("../store.js").Alert} Alert */

const ALERTS = 20;

/** @param {string} id @returns {import("../router.js").View} */
export function view(id) {
  const element = h("div.view.device");
  const note = h("div.panel.note-panel");
  /** @type {ReturnType<typeof parts> | null} */
  let made = null;
  element.append(note);

  /** @param {Set<import("../store.js").Topic>} topics */
  function update(topics) {
    const gone = missing(["kinds", "devices"]);
    const device = state.devices.get(id);
    if (gone || !device) {
      redraw(
        note,
        `${gone?.is} ${gone && state.failures.get(gone.topic)?.retryAt} ${document.documentElement.lang}`,
        () =>
          gone
            ? gone.is === "failed"
              ? failure(t("device"), gone.topic)
              : skeleton(6)
            : message(t("no_device", { id }), null, h("a.btn", { href: "/perangkat" }, t("devices"))),
      );
      return;
    }
    if (!made) {
      made = parts(id);
      element.replaceChildren(...made.elements);
      document.title = `${device.name ?? id} · Siaga`;
      const title = document.querySelector(".page-title");
      if (title) text(title, device.name ?? id);
    }
    made.update(topics);
  }

  return {
    element,
    title: state.devices.get(id)?.name ?? id,
    update,
    back() {
      if (history.length > 1) history.back();
      else go("/perangkat");
      return true;
    },
    close: () => made?.close(),
  };
}

/** @param {string} id */
function parts(id) {
  const device = () => /** @type {import("../store.js").Device} */ (state.devices.get(id));
  const name = h("h2"),
    chip = h("span.level-chip"),
    numbers = h("dl.head-facts");
  const actions = h("div.head-actions.end", {});
  const header = h(
    "header.device-head",
    {},
    h(
      "div",
      {},
      h(
        "div.crumb",
        {},
        h("a.link", { href: "/perangkat" }, t("devices")),
        " › ",
        h("a.link", { href: `/perangkat?jenis=${device().kind}` }, kindName(device().kind)),
        ` › ${id}`,
      ),
      name,
    ),
    chip,
    numbers,
    actions,
  );
  actions.append(
    h(
      "a.btn.csv",
      { href: `/api/v1/readings?device=${encodeURIComponent(id)}&from=-30d&format=csv`, download: `${id}.csv` },
      icon("download"),
      t("csv"),
    ),
  );
  const kind = state.kinds.get(device().kind);
  const forecast = kind && hasLadder(kind) ? forecastPanel(id, () => chart.draw()) : null;
  const chart = deviceChart(device(), () => forecast?.way() ?? null);
  const ledger = ledgerPanel(id),
    work = deviceWindow(id),
    commands = commandsPanel(id, device().kind);
  const values = panel("values", t("latest_values")),
    bounds = panel("bounds", t("thresholds")),
    about = panel("about", t("device")),
    alerts = panel("its", t("its_alerts"));
  about.body.className = "body";
  bounds.element.hidden = true;
  actions.append(work.button);
  header.append(work.strip);
  const side = h("div.side", {}, values.element, forecast?.element, commands?.element, about.element),
    below = h("div.below", {}, ledger.element, bounds.element, alerts.element);
  const past = resource(`alerts?state=all&historical=any&device=${encodeURIComponent(id)}&limit=${ALERTS}`, showAlerts, {
    topics: ["alerts"],
    watch: () => keyOf([...state.alerts.values()].filter((alert) => alert.device_id === id)),
    shape: ({ items }) => /** @type {Alert[]} */ (items),
  });

  function showAlerts() {
    const current = (past.value ?? []).map((alert) => state.alerts.get(alert.id) ?? alert);
    drawResource(alerts.body, past, {
      what: t("its_alerts"),
      lines: 2,
      key: () => keyOf(current),
      empty: () => (current.length ? null : message(t("no_alerts_here"))),
      content: () => alertsOf(current),
    });
  }

  function updateHead() {
    const latest = state.latest.get(id),
      kind = state.kinds.get(device().kind),
      metric = primaryOf(device().kind);
    const old = isOld(latest),
      lost = state.stream === "lost",
      siaga = old ? null : (latest?.siaga ?? null);
    const laddered = kind !== undefined && hasLadder(kind);
    text(name, device().name ?? id);
    redraw(chip, `${siaga} ${laddered} ${lost} ${old} ${document.documentElement.lang}`, () => {
      if (!laddered) return null;
      if (siaga === null || lost) return h("span.chip", {}, unknownMark({ size: 14 }), t("unknown"));
      return h(
        siaga < 4 ? `span.chip.sev${4 - siaga}` : "span.chip",
        {},
        levelMark(siaga, { fill: false, size: 14 }),
        `${t("siaga", { n: siaga })} · ${t(`level${siaga}`)}`,
      );
    });
    attribute(numbers, "class", old ? "head-facts stale" : "head-facts");
    redraw(
      numbers,
      `${latest?.ts} ${latest?.rate} ${latest && freshness(latest)} ${latest?.qc} ${document.documentElement.lang}`,
      () =>
        latest
          ? [
              fact(metric ? said(metric.label) : t("value"), latestValue(latest, metric)),
              laddered && !old && latest.rate !== null && latest.rate !== undefined
                ? fact(
                    t("rate_60"),
                    h(
                      "span.num.row",
                      {},
                      trendArrow(latest.rate),
                      h("span", {}, signed(latest.rate, 2), h("span.unit", {}, ` ${t("per_hour")}`)),
                    ),
                  )
                : null,
              fact(
                t("last_data"),
                h(
                  "span.num",
                  {},
                  moment(measuredAt(latest)),
                  h("span.t3.thin", {}, " · ", ageOf(measuredAt(latest), true)),
                  freshness(latest) !== "fresh" && [" ", h("span.tag", {}, t(freshness(latest)))],
                ),
              ),
              fact(t("trust"), trustMark(latest)),
            ]
          : h("div", {}, h("dd", {}, t("never"))),
    );
  }

  showAlerts();
  return {
    elements: [header, chart.element, below, side],
    /** @param {Set<string>} topics */
    update(topics) {
      const latest = state.latest.get(id),
        language = document.documentElement.lang;
      updateHead();
      redraw(values.body, `${latest?.ts} ${latest && freshness(latest)} ${language}`, () =>
        latest ? valuesTable(device()) : message(t("never")),
      );
      const limits = boundsTable(device());
      bounds.element.hidden = limits === null;
      redraw(bounds.body, `${latest?.ts} ${limits === null} ${isOld(latest)} ${language}`, () => limits);
      redraw(about.body, `${JSON.stringify(device())} ${state.districts.size} ${language}`, () => facts(device()));
      if (topics.has("latest")) chart.append();
      if (topics.has("stream")) chart.draw();
      forecast?.update();
      commands?.update();
      ledger.update();
      work.update();
      showAlerts();
    },
    close() {
      for (const each of [past, chart, forecast, ledger, work, commands]) each?.close();
    },
  };
}

/** @param {Alert[]} alerts */
const keyOf = (alerts) => alerts.map((alert) => `${alert.id} ${alert.version}`).join();

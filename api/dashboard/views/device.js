/** One device: what it does, against which limits, what of this can be believed, and what has happened to it. */

import { deviceChart } from "../device_chart.js";
import { alertsOf, boundsTable, facts, valuesTable } from "../device_facts.js";
import { attribute, h, redraw, text } from "../dom.js";
import { moment, said, signed } from "../format.js";
import { freshness, measuredAt } from "../freshness.js";
import { ApiError, call } from "../load.js";
import { icon, levelMark, trendArrow, unknownMark } from "../marks.js";
import {
  ageOf,
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
import { go } from "../router.js";
import { hasLadder, state } from "../store.js";
import { t } from "../words.js";

/** @typedef {import("../store.js").Alert} Alert */

const ALERTS = 20;
const AGAIN_MS = 3_000;

/** @param {string} id @returns {import("../router.js").View} */
export function deviceView(id) {
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
  const name = h("h1"),
    chip = h("span.level-chip"),
    numbers = h("dl.head-facts");
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
    h(
      "a.btn.end.csv",
      { href: `/api/v1/readings?device=${encodeURIComponent(id)}&from=-30d&format=csv`, download: `${id}.csv` },
      icon("download"),
      t("csv"),
    ),
  );
  const chart = deviceChart(device());
  const values = panel("values", t("latest_values")),
    bounds = panel("bounds", t("thresholds")),
    about = panel("about", t("device")),
    alerts = panel("its", t("its_alerts"));
  about.body.className = "body";
  bounds.element.hidden = true;
  const side = h("div.side", {}, values.element, bounds.element, alerts.element, about.element);
  /** @type {Alert[] | null} */
  let past = null;
  /** @type {number | null} */
  let failed = null;
  let timer = 0,
    closed = false,
    asking = false,
    version = "";

  async function askAlerts() {
    if (asking) return;
    asking = true;
    try {
      const { items } = await call(`alerts?state=all&historical=any&device=${encodeURIComponent(id)}&limit=${ALERTS}`);
      past = items;
      failed = null;
    } catch (error) {
      failed = error instanceof ApiError ? error.status : 0;
    } finally {
      asking = false;
    }
    if (!closed) showAlerts();
  }

  function showAlerts() {
    const now = (past ?? []).map((alert) => state.alerts.get(alert.id) ?? alert);
    redraw(
      alerts.body,
      `${failed} ${past === null} ${now.map((alert) => `${alert.id} ${alert.version}`)} ${document.documentElement.lang}`,
      () => {
        if (past === null)
          return failed === null
            ? skeleton(2)
            : message(
                t("cannot_load", { what: t("its_alerts") }),
                null,
                h("button.btn.small", { type: "button", onclick: askAlerts }, t("try_now")),
              );
        return now.length ? alertsOf(now) : message(t("no_alerts_here"));
      },
    );
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

  askAlerts();
  return {
    elements: [header, chart.element, side],
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
      const own = [...state.alerts.values()]
        .filter((alert) => alert.device_id === id)
        .map((alert) => `${alert.id} ${alert.version}`)
        .join();
      if (own !== version && !timer) {
        // A burst of changes is one question.
        timer = window.setTimeout(() => {
          timer = 0;
          askAlerts();
        }, AGAIN_MS);
        version = own;
      }
      showAlerts();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      chart.close();
    },
  };
}

/** @param {string} word @param {Node | string} value */
const fact = (word, value) => h("div", {}, h("dt", {}, word), h("dd", {}, value));

/** The evidence beside an alert: six hours of its metric up to now, with what is expected; or around its beginning. */

import { makeChart } from "./chart.js";
import { now } from "./clock.js";
import { h, redraw } from "./dom.js";
import { boundsOf } from "./ladder.js";
import { message } from "./parts.js";
import { loadSeries } from "./series.js";
import { call } from "./load.js";
import { state } from "./store.js";
import { summaryOf } from "./summary.js";
import { wayOf } from "./forecast_way.js";
import { t } from "./words/alerts.js";

const HOURS_MS = 6 * 3_600_000;
const AHEAD_MS = 3 * 3_600_000;
const AGAIN_MS = 60_000;

/** @param {HTMLElement} place */
export function smallChart(place) {
  const title = h("h3"),
    note = h("div");
  const chart = makeChart();
  chart.element.classList.add("small");
  place.append(title, chart.element, note);
  let key = "",
    askedAt = 0;
  /** @type {AbortController | null} */
  let asking = null;

  /** @param {import("./store.js").Alert} alert @param {import("./store.js").Metric | undefined} metric */
  async function show(alert, metric) {
    const device = state.devices.get(alert.device_id);
    place.hidden = !metric || !device;
    if (!metric || !device) return;
    const over = alert.state === "cleared" && now() - Date.parse(alert.raised_at) > HOURS_MS;
    const next = `${alert.id} ${metric.name} ${over} ${document.documentElement.lang}`;
    if (next === key && (over || performance.now() - askedAt < AGAIN_MS)) return;
    const first = next !== key;
    key = next;
    askedAt = performance.now();
    asking?.abort();
    const control = (asking = new AbortController());
    const to = over ? Date.parse(alert.raised_at) + HOURS_MS / 2 : now();
    title.textContent = over ? t("around_start") : t("evidence");
    if (first) chart.element.classList.add("waiting");
    try {
      const [series, forecasts] = await Promise.all([
        loadSeries(device, metric, to - HOURS_MS, to, control.signal),
        over ? [] : expected(device, metric.name, control.signal),
      ]);
      if (control.signal.aborted) return;
      const empty = !series.values.some((value) => value !== null);
      chart.element.hidden = empty;
      redraw(note, `${empty}${document.documentElement.lang}`, () => empty && message(t("no_points")));
      const bounds = metric.name === "level_m" ? boundsOf(device.attributes) : null;
      const lines = (bounds ?? []).map((value, i) => ({ siaga: 3 - i, value }));
      if (!empty)
        await chart.show(
          {
            series,
            metric,
            bounds: lines,
            siaga: state.latest.get(device.id)?.siaga ?? null,
            small: true,
            forecasts,
            ...(forecasts.length
              ? { span: /** @type {[number, number]} */ ([series.from, (to + AHEAD_MS) / 1000]) }
              : {}),
          },
          summaryOf(series, metric, t("evidence")),
        );
      chart.element.classList.remove("waiting");
    } catch {
      if (control.signal.aborted) return;
      key = "";
      chart.element.hidden = true;
      redraw(note, "failed", () => message(t("cannot_load", { what: t("chart") })));
    }
  }

  return {
    show,
    close() {
      asking?.abort();
      chart.close();
    },
  };
}

/**
 * The way a gauge is expected to go; without it the chart is what was measured.
 * @param {import("./store.js").Device} device @param {string} metric @param {AbortSignal} signal
 */
async function expected(device, metric, signal) {
  if (metric !== "level_m") return [];
  try {
    const { items } = await call(`forecasts?device=${device.id}`, { signal });
    const way = items.length ? wayOf(items[0]) : null;
    return way ? [way] : [];
  } catch {
    return [];
  }
}

/** Situasi: the one screen an operator keeps open. Which river rises, what needs somebody, can this be trusted? */

import { attribute, h, keyed, redraw } from "../dom.js";
import { gaugesTable } from "../gauges.js";
import { mapPanel } from "../map.js";
import { needsAction } from "../needs_action.js";
import { failure, message, missing, skeleton } from "../parts.js";
import { recentEvents } from "../recent.js";
import { resource } from "../resource.js";
import { asked, remember } from "../router.js";
import { segments } from "../segments.js";
import { state } from "../store.js";
import { LAMP, TRAFFIC, hasDevices, healthPanel, kindPanel, otherKinds } from "../summaries.js";
import { lampPanel, trafficPanel } from "../summary_roads.js";
import { t } from "../words/situation.js";

const TABS = /** @type {const} */ ([
  ["tangga", "tab_ladder"],
  ["peta", "tab_map"],
  ["ringkasan", "tab_summary"],
]);

const SUMS_MS = 2_000,
  FORECAST_MS = 60_000;

/** @returns {import("../router.js").View} */
export function view() {
  const forecasts = resource("forecasts", updateLadder, {
    every_ms: FORECAST_MS,
    topics: ["counts"],
    watch: () => JSON.stringify(state.counts),
    shape: ({ items }) => /** @type {import("../forecast_way.js").Forecast[]} */ (items),
  });
  const table = gaugesTable(() => forecasts.value ?? []);
  const ladder = h("section.panel.ladders", { "aria-label": t("ladder") }, table.element);
  const note = h("div");
  ladder.append(note);
  const map = mapPanel();
  const recent = recentEvents();
  const action = needsAction(() => recent.last());
  const lamps = lampPanel(),
    traffic = trafficPanel(),
    health = healthPanel(() => health.update());
  const others = h("div.others");
  const column = h(
    "div.column",
    {},
    action.element,
    lamps.element,
    traffic.element,
    health.element,
    others,
    recent.element,
  );
  /** @type {string} */
  let tab = TABS.find(([name]) => name === asked("tab"))?.[0] ?? TABS[0][0];
  // Only a phone shows one of the three at a time.
  const tabs = segments(
    t("situation"),
    TABS.map(([value, word]) => /** @type {const} */ ([value, t(word)])),
    () => tab,
    choose,
  );
  const element = h("div.view.situation", { "data-tab": tab }, h("div.tabs", {}, tabs), ladder, map.element, column);
  /** @type {Map<string, ReturnType<typeof kindPanel>>} */
  const kinds = new Map();

  let summedAt = -SUMS_MS;

  /** @param {string} chosen */
  function choose(chosen) {
    tab = chosen;
    element.dataset.tab = tab;
    remember({ tab: tab === TABS[0][0] ? null : tab });
  }

  function updateLadder() {
    const gone = missing(["kinds", "gauges"]);
    const n = gone ? 0 : table.update();
    table.element.hidden = n === 0;
    attribute(ladder, "aria-busy", gone?.is === "loading" && "true");
    redraw(
      note,
      `${gone?.is} ${gone?.topic} ${gone && state.failures.get(gone.topic)?.retryAt} ${n === 0} ${document.documentElement.lang}`,
      () =>
        gone
          ? gone.is === "failed"
            ? failure(t("ladder"), gone.topic)
            : skeleton(6)
          : n === 0
            ? message(t("no_gauges"), t("no_gauges_text"))
            : null,
    );
  }

  /** @param {Set<import("../store.js").Topic>} topics */
  function update(topics) {
    updateLadder();
    map.update(topics);
    action.update();
    const loaded = state.loaded.has("devices") && state.loaded.has("kinds");
    for (const each of [lamps, traffic]) each.update();
    lamps.element.hidden = loaded && !hasDevices(LAMP);
    traffic.element.hidden = loaded && !hasDevices(TRAFFIC);
    // Sums over all devices: readings move them slowly, so a look every two seconds is enough; all else at once.
    const quiet =
      [...topics].every((topic) => topic === "latest" || topic === "beat") && performance.now() - summedAt < SUMS_MS;
    if (!quiet) {
      summedAt = performance.now();
      updateSums(loaded);
    }
    recent.update(topics);
    const calm = state.loaded.has("alerts") && ![...state.alerts.values()].some((alert) => !alert.acked);
    element.classList.toggle("calm", calm);
  }

  /** @param {boolean} loaded */
  function updateSums(loaded) {
    health.update();
    keyed(
      others,
      loaded ? otherKinds() : [],
      (kind) => kind,
      (kind) => {
        const made = kindPanel(kind);
        kinds.set(kind, made);
        return made.element;
      },
      (_, kind) => kinds.get(kind)?.update(),
    );
    others.hidden = !others.childElementCount;
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.key.toLowerCase() === "a") return action.acknowledgeFirst();
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (!step || document.activeElement?.closest(".map")) return false;
    const rows = /** @type {HTMLElement[]} */ ([...action.element.querySelectorAll("li .what")]);
    if (!rows.length) return false;
    const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement?.closest("li")?.querySelector(".what")));
    rows[Math.min(rows.length - 1, Math.max(0, at + step))].focus();
    return true;
  }

  return {
    element,
    title: t("situation"),
    update,
    key,
    back: map.back,
    close() {
      for (const each of [map, recent, lamps, traffic, health, forecasts]) each.close();
    },
  };
}

/**
 * Lonjakan peringatan: since when, how many a minute in the last hour, what is left of them once they are put together by
 * cause. The way back to single rows is this person's own choice, and is kept.
 */

import { isIncident } from "./alert_groups.js";
import { now } from "./clock.js";
import { h, redraw, s } from "./dom.js";
import { moment, number, time } from "./format.js";
import { drawResource, resource } from "./resource.js";
import { state } from "./store.js";
import { t } from "./words/alerts.js";

const HOUR_MS = 3_600_000,
  MINUTE_MS = 60_000;
const MOST = 2_000;
const WIDTH = 300,
  HEIGHT = 40;
const KEY = "siaga.single";

/** @typedef {{ raised_at: string, detected_at: string, parent_id: number | null, members: number | null }} Come */
/** @typedef {{ items: Come[], next_cursor: string | null }} Hour */

/** @param {() => void} switched  between incidents and single rows */
export function surgeBanner(switched) {
  let single = kept();
  const element = h("section.panel.surge", { "aria-label": t("surge"), hidden: true });
  const about = h("div"),
    bars = h("div.surge-bars"),
    sums = h("div");
  const toggle = h("button.btn.end", { type: "button", onclick: change });
  element.append(about, bars, sums, toggle);
  /** @type {import("./resource.js").Resource<Hour>} */
  const hour = resource("", update, {
    every_ms: 30_000,
    topics: ["counts"],
    watch: () => String(state.counts?.flood?.alerts),
  });

  function change() {
    single = !single;
    keep(single);
    update();
    switched();
  }

  function update() {
    const flood = state.counts?.flood ?? null;
    element.hidden = flood === null;
    if (!flood) return hour.ask("");
    if (!hour.at && !hour.failure)
      hour.ask(
        `alerts?state=all&historical=false&since=-1h&fields=raised_at,detected_at,parent_id,members&limit=${MOST}`,
      );
    const language = document.documentElement.lang;
    redraw(about, `${flood.since} ${language}`, () => [
      h("h2", {}, t("surge")),
      h("p.t3", {}, t("surge_since", { time: moment(flood.since) })),
    ]);
    drawResource(bars, hour, {
      what: t("surge"),
      lines: 1,
      key: ({ items }) => `${items.length} ${Math.floor(now() / MINUTE_MS)}`,
      content: ({ items }) => minutes(items),
    });
    redraw(sums, `${hour.at} ${single} ${language}`, () => hour.value && summed(hour.value));
    redraw(toggle, `${single} ${language}`, () => t(single ? "by_cause" : "one_by_one"));
  }

  return {
    element,
    update,
    /** Whether the list stands by cause now. */
    groups: () => Boolean(state.counts?.flood) && !single,
    close: hour.close,
  };
}

/** @param {Come[]} items */
function minutes(items) {
  const n = 60,
    end = now();
  const bins = new Array(n).fill(0);
  for (const { detected_at } of items) {
    const back = Math.floor((end - Date.parse(detected_at)) / MINUTE_MS);
    if (back >= 0 && back < n) bins[n - 1 - back]++;
  }
  const most = Math.max(...bins, 1),
    at = bins.indexOf(most);
  const step = WIDTH / n;
  const path = bins
    .map((count, i) => (count ? `M${(i + 0.5) * step} ${HEIGHT}v${-Math.max(2, (count / most) * HEIGHT)}` : ""))
    .join("");
  const label = t("surge_bars", { n: number(most), time: time(end - (n - 1 - at) * MINUTE_MS) });
  return [
    h("p.t2", {}, label),
    s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, preserveAspectRatio: "none" },
      s("path.bars", { d: path }),
      s("path.base", { d: `M0 ${HEIGHT}H${WIDTH}` }),
    ),
    h("p.surge-hours.t3.num", { "aria-hidden": "true" }, h("span", {}, time(end - HOUR_MS)), h("span", {}, time(end))),
  ];
}

/** @param {Hour} hour */
function summed({ items, next_cursor }) {
  const incidents = items.filter((each) => isIncident(/** @type {any} */ (each))).length;
  const single = items.filter((each) => each.members === null && each.parent_id === null).length;
  const n = `${number(items.length)}${next_cursor ? "+" : ""}`;
  return [
    h("b", {}, t("surge_sum", { n, incidents: number(incidents), single: number(single) })),
    h("p.t3", {}, t("surge_sound")),
  ];
}

function kept() {
  try {
    return localStorage.getItem(KEY) === "1";
  } catch {
    return false;
  }
}

/** @param {boolean} single */
function keep(single) {
  try {
    localStorage.setItem(KEY, single ? "1" : "0");
  } catch {
    // The choice lasts as long as the page.
  }
}

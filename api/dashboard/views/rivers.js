/** Sungai: gauges of one water under each other on one time axis, the highest on top; where the wave is, when it comes on. */

import { now } from "../clock.js";
import { attribute, h, redraw, s } from "../dom.js";
import { age } from "../format.js";
import { wayOf } from "../forecast_way.js";
import { gauges, siagaOf } from "../gauges.js";
import { failure, message, missing, skeleton } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { asked, remember } from "../router.js";
import { moveInRows } from "../rows.js";
import { segments } from "../segments.js";
import { state } from "../store.js";
import { t } from "../words/rivers.js";
import { basinsOf } from "./rivers_basins.js";
import { curveOf, frontOf } from "./rivers_data.js";
import { makeLane } from "./rivers_lane.js";
import { riversSide } from "./rivers_side.js";

/** @typedef {import("./rivers_basins.js").Basin} Basin */
/** @typedef {import("../forecast_way.js").Forecast} Forecast */
/** @typedef {import("../series.js").Series} Series */

const HOUR_S = 3600;
/** Name, hours back, hours ahead. */
const RANGES = /** @type {const} */ ([
  ["6h", 6, 3],
  ["12h", 12, 4],
  ["24h", 24, 6],
  ["3d", 72, 6],
]);
const POINTS = 480;
const FORECAST_MS = 60_000,
  CURVES_MS = 300_000,
  LAGS_MS = 600_000;
const ALL = "semua",
  AT_ONCE = 8;

/** @returns {import("../router.js").View} */
export function view() {
  let range = RANGES.find(([name]) => name === asked("rentang")) ?? RANGES[1];
  let chosen = asked("das");
  let [ahead, links] = [asked("perkiraan") !== "tidak", asked("tempuh") !== "tidak"];
  /** @type {Basin[]} */
  let basins = [];
  /** @type {ReturnType<typeof makeLane>[]} */
  let lanes = [];
  /** @type {Map<string, Series>} */
  let curves = new Map();

  const forecasts = resource("forecasts?refused=true", drawAll, {
    every_ms: FORECAST_MS,
    shape: ({ items }) => /** @type {Forecast[]} */ (items),
  });
  const lags = resource("rivers/lags", drawAll, { every_ms: LAGS_MS, shape: ({ items }) => items });
  const readings = resource("", arrived, { every_ms: CURVES_MS, shape: ({ items }) => ({ items, at: now() / 1000 }) });
  const side = riversSide(() => new Set(lanes.map((lane) => lane.device.id)), forecasts, lags);

  const waters = h("div.waters"),
    stack = h("div.lanes"),
    over = s("svg.links", { "aria-hidden": "true" }),
    note = h("div");
  const toolbar = h(
    "div.toolbar",
    {},
    waters,
    segments(
      t("range"),
      RANGES.map(([name]) => /** @type {const} */ ([name, t(`range_${name}`)])),
      () => range[0],
      (name) => {
        range = RANGES.find(([each]) => each === name) ?? range;
        remember({ rentang: name === RANGES[1][0] ? null : name });
        askCurves();
      },
    ),
    check(t("forecast"), ahead, (on) => {
      ahead = on;
      remember({ perkiraan: on ? null : "tidak" });
    }),
    check(t("travel_time"), links, (on) => {
      links = on;
      remember({ tempuh: on ? null : "tidak" });
    }),
    h("span.end.t3.help", {}, t("how_to_read")),
  );
  const cascade = h("section.panel.cascade", { "aria-label": t("cascade") }, note, h("div.stack", {}, stack, over));
  const element = h("div.view.rivers", {}, toolbar, cascade, side.element);
  const observer = new ResizeObserver(() => requestAnimationFrame(drawLinks));
  observer.observe(stack);

  /** @param {string} word @param {boolean} on @param {(on: boolean) => void} then */
  function check(word, on, then) {
    const box = h("input", {
      type: "checkbox",
      checked: on,
      onchange: () => {
        then(box.checked);
        drawAll();
      },
    });
    return h("label.field", {}, box, word);
  }

  /** The chosen water; else all, or where they are too many for one screen that whose gauges stand worst. */
  function shown() {
    const n = basins.reduce((sum, basin) => sum + basin.gauges.length, 0);
    if (chosen === ALL || (!chosen && n > 0 && n <= AT_ONCE)) return { name: ALL, gauges: basins.flatMap((basin) => basin.gauges) };
    const worst = (/** @type {Basin} */ basin) => Math.min(...basin.gauges.map(({ device }) => siagaOf(device.id) ?? 5));
    return basins.find((basin) => basin.name === chosen) ?? [...basins].sort((a, b) => worst(a) - worst(b))[0];
  }

  function updateBasins() {
    basins = basinsOf(gauges());
    const basin = shown();
    if (!basin) return;
    // Stays where it is while the person is here, whichever river rises meanwhile.
    chosen = basin.name;
    const key = basins.map(({ name, gauges: own }) => `${name} ${own.map(({ device }) => device.id)}`).join();
    redraw(waters, `${key} ${chosen} ${document.documentElement.lang}`, () => {
      const options = basins.map(({ name, gauges: own }) => /** @type {[string, string]} */ ([name, `${name} ${own.length}`]));
      if (basins.length > 1) options.unshift([ALL, t("all_basins")]);
      return segments(
        t("basin"),
        options,
        () => chosen,
        (name) => {
          chosen = name;
          remember({ das: name });
          updateBasins();
          drawAll();
        },
      );
    });
    const ids = basin.gauges.map(({ device }) => device.id).join();
    if (ids === lanes.map((lane) => lane.device.id).join()) return;
    for (const lane of lanes) lane.close();
    lanes = basin.gauges.map((gauge, i) => makeLane(gauge, i === basin.gauges.length - 1));
    stack.replaceChildren(...lanes.map((lane) => lane.element));
    attribute(cascade, "data-lanes", lanes.length > 4 ? "many" : "few");
    curves = new Map();
    askCurves();
  }

  function askCurves() {
    const ids = lanes.map((lane) => encodeURIComponent(lane.device.id)).join(",");
    readings.ask(ids && `series?device=${ids}&metric=level_m&from=-${range[1]}h&points=${POINTS}`);
  }

  function arrived() {
    const answer = readings.value;
    if (answer)
      curves = new Map(
        answer.items.map((/** @type {any} */ item) => [
          item.device_id,
          curveOf(item, answer.at - range[1] * HOUR_S, answer.at, state.latest.get(item.device_id)?.interval_s ?? HOUR_S),
        ]),
      );
    append();
    drawAll();
  }

  /** What the stream has brought since. @returns {boolean} whether anything is new */
  function append() {
    let news = false;
    for (const [id, curve] of curves) {
      const latest = state.latest.get(id),
        value = latest?.values.level_m ?? null,
        at = latest ? Date.parse(latest.ts) / 1000 : 0;
      const last = curve.times.at(-1);
      if (value === null || last === undefined || at <= last || at > now() / 1000 + 60) continue;
      news = true;
      const open = curve.gaps.at(-1);
      if (open && open[0] === last) {
        open[1] = at;
        curve.times.push((last + at) / 2);
        curve.values.push(null);
      }
      curve.times.push(at);
      curve.values.push(value);
      if (curve.low.length) [curve.low, curve.high] = [pad(curve.low, curve), pad(curve.high, curve)];
    }
    return news;
  }

  /** @param {(number | null)[]} edge @param {Series} curve */
  const pad = (edge, curve) => [...edge, ...Array(curve.times.length - edge.length).fill(null)];

  async function drawAll() {
    drawResource(note, readings, {
      what: t("curves"),
      lines: 8,
      key: () => "",
      content: () => null,
    });
    side.update();
    const at = now() / 1000;
    const span = /** @type {[number, number]} */ ([at - range[1] * HOUR_S, at + (ahead ? range[2] : 0) * HOUR_S]);
    const waiting = readings.value === null;
    attribute(stack, "hidden", waiting);
    attribute(cascade, "aria-busy", waiting && !readings.failure && "true");
    if (waiting) return;
    await Promise.all(
      lanes.map((lane) => {
        const way = forecasts.value?.find((each) => each.device_id === lane.device.id);
        const held = state.stream !== "lost" && ahead && way ? wayOf(way) : null;
        return lane.show(curves.get(lane.device.id) ?? null, held, span, t(`range_${range[0]}`));
      }),
    );
    drawLinks();
  }

  /** From the front of a wave to its front at the next gauge; or to where it is expected, as water has taken so far. */
  function drawLinks() {
    const drawn = links && state.stream !== "lost" ? lanes.flatMap((lane) => linkTo(lane)) : [];
    over.replaceChildren(...drawn);
  }

  /** @param {ReturnType<typeof makeLane>} lane @returns {SVGElement[]} */
  function linkTo(lane) {
    const above = lanes.find((each) => each.device.id === lane.device.attributes.upstream);
    const [from, to] = [above && curves.get(above.device.id), curves.get(lane.device.id)];
    const start = from && frontOf(from);
    if (!above || !to || !start) return [];
    const arrived = frontOf(to, start.at),
      lag_s = lags.value?.find((/** @type {any} */ each) => each.device_id === lane.device.id)?.lag_s ?? null;
    const newest = to.values.findLast((value) => value !== null);
    const end = arrived ?? (lag_s !== null && start.at + lag_s > (to.times.at(-1) ?? 0) ? { at: start.at + lag_s, value: newest ?? 0 } : null);
    const a = above.placeOf(start.at, start.value),
      b = end && lane.placeOf(end.at, end.value);
    if (!a || !b || !end) return [];
    const took = age((end.at - start.at) * 1000);
    const words = arrived ? took : t("expected_travel", { time: took });
    return [link({ x: a.x, y: a.y + above.element.offsetTop }, { x: b.x, y: b.y + lane.element.offsetTop }, words)];
  }

  /** @param {Set<import("../store.js").Topic>} topics */
  function update(topics) {
    const gone = missing(["kinds", "gauges"]);
    const none = !gone && !gauges().length;
    cascade.classList.toggle("empty", Boolean(gone) || none);
    if (gone || none) {
      redraw(note, `${gone?.is} ${gone && state.failures.get(gone.topic)?.retryAt} ${none} ${document.documentElement.lang}`, () =>
        none
          ? message(t("no_gauges"), t("no_gauges_text"))
          : gone?.is === "failed"
            ? failure(t("rivers"), gone.topic)
            : skeleton(8),
      );
      return;
    }
    updateBasins();
    for (const lane of lanes) lane.updateLabel();
    if ((topics.has("latest") && append()) || topics.has("stream") || topics.has("tick")) drawAll();
  }

  return {
    element,
    title: t("rivers"),
    update,
    key: (event) => Boolean(moveInRows(event, stack, "a.name")),
    close() {
      observer.disconnect();
      for (const each of [forecasts, lags, readings, side]) each.close();
      for (const lane of lanes) lane.close();
    },
  };
}

/** @param {{ x: number, y: number }} a @param {{ x: number, y: number }} b @param {string} words */
function link(a, b, words) {
  const bend = Math.max(24, (b.y - a.y) / 3),
    x = (a.x + b.x) / 2,
    y = (a.y + b.y) / 2,
    wide = words.length * 6.2 + 16;
  return s(
    "g",
    {},
    s("path", { d: `M${a.x} ${a.y}C${a.x} ${a.y + bend},${b.x} ${b.y - bend},${b.x} ${b.y}` }),
    [a, b].map((end) => s("circle", { cx: end.x, cy: end.y, r: 2.5 })),
    s("rect", { x: x - wide / 2, y: y - 10, width: wide, height: 19, rx: 9 }),
    s("text", { x, y: y + 4 }, words),
  );
}

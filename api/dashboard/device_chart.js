/** The chart of one device: which metric, how far back, as line or as table; new readings are appended as they come. */

import { makeChart } from "./chart.js";
import { now } from "./clock.js";
import { attribute, h, redraw, text } from "./dom.js";
import { said } from "./format.js";
import { isSuspect } from "./freshness.js";
import { belowOf, comparable, expectedLine, hasExpected, otherLine } from "./device_beside.js";
import { pointsTable } from "./device_facts.js";
import { boundsOf } from "./ladder.js";
import { ApiError } from "./load.js";
import { message, primaryOf, skeleton } from "./parts.js";
import { asked, remember } from "./router.js";
import { bucketFor, loadSeries } from "./series.js";
import { segments } from "./segments.js";
import { deviceName, state } from "./store.js";
import { summaryOf } from "./summary.js";
import { t } from "./words/device.js";

/** @typedef {import("./store.js").Device} Device */

const HOUR_MS = 3_600_000;
const RANGES = /** @type {const} */ ([
  ["1h", 1],
  ["6h", 6],
  ["24h", 24],
  ["7d", 168],
  ["30d", 720],
]);
const LEVEL = "level_m";
const RENEW_MS = 300_000;
const USUAL = "24h";

/**
 * @param {Device} device
 * @param {() => import("./chart.js").Forecast | null} way  what is expected of it
 */
export function deviceChart(device, way) {
  /** @type {string} */
  let range = RANGES.find(([name]) => name === asked("rentang"))?.[0] ?? USUAL;
  // A day of a device that began to report just now would be an empty chart with a dot at its edge.
  let fits = asked("rentang") !== "";
  let name = asked("metrik"),
    asTable = asked("tampil") === "tabel",
    askedAt = 0;
  /** @type {import("./series.js").Series | null} */
  let series = null;
  /** @type {AbortController | null} */
  let asking = null;
  /** @type {number | null} */
  let failed = null;
  let beside = asked("banding");
  /** Another device, or what should be. @type {import("./device_beside.js").Line[]} */
  let others = [];
  /** @type {import("./series.js").Series | null} */
  let lower = null;

  const metrics = h("select.field", { "aria-label": t("metric"), onchange: () => choose({ metric: metrics.value }) });
  const compare = h("select.field.compare", { "aria-label": t("compare"), onchange: () => choose({ beside: compare.value }) });
  const grain = h("span.tag");
  const full = h(
    "button.btn.quiet.small",
    { type: "button", hidden: true, onclick: () => chart.whole() },
    t("zoom_out_all"),
  );
  const twin = h(
    "button.btn.quiet.small",
    { type: "button", "aria-pressed": String(asTable), onclick: () => choose({ table: !asTable }) },
    t("table"),
  );
  const ranges = h("div");
  const showRanges = () =>
    ranges.replaceChildren(
      segments(
        t("range"),
        RANGES.map(([each]) => /** @type {const} */ ([each, t(`range_${each}`)])),
        () => range,
        (chosen) => choose({ range: chosen }),
      ),
    );
  showRanges();
  const tools = h(
    "div.tools",
    {},
    ranges,
    metrics,
    compare,
    grain,
    h("span.end"),
    full,
    twin,
  );
  const chart = makeChart({
    zoomed: (zoomed) => {
      full.hidden = !zoomed;
    },
  });
  const flow = makeChart();
  flow.element.hidden = true;
  const table = h("div.points", { hidden: true, tabindex: 0 }),
    note = h("div"),
    legend = h("div.chart-legend");
  const element = h(
    "section.panel.device-chart",
    { "aria-label": t("chart") },
    tools,
    chart.element,
    flow.element,
    table,
    note,
    legend,
  );

  /** @param {{ range?: string, metric?: string, table?: boolean, beside?: string }} change */
  function choose(change) {
    range = change.range ?? range;
    fits ||= change.range !== undefined;
    name = change.metric ?? name;
    asTable = change.table ?? asTable;
    beside = change.beside ?? beside;
    remember({
      banding: beside || null,
      rentang: fits ? range : null,
      metrik: name === state.kinds.get(device.kind)?.primary ? null : name,
      tampil: asTable ? "tabel" : null,
    });
    if (change.table === undefined) load();
    else draw();
  }

  const metric = () => {
    const kind = state.kinds.get(device.kind);
    return (
      [...(kind?.metrics ?? []), ...(kind?.diagnostics ?? [])].find((each) => each.name === name) ??
      primaryOf(device.kind)
    );
  };

  async function load() {
    const wanted = metric();
    if (!wanted) return;
    asking?.abort();
    const control = (asking = new AbortController());
    askedAt = performance.now();
    failed = null;
    const to = now(),
      from = to - (RANGES.find(([each]) => each === range)?.[1] ?? 24) * HOUR_MS;
    attribute(element, "aria-busy", "true");
    try {
      const [own, ...more] = await Promise.all([
        loadSeries(device, wanted, from, to, control.signal),
        ...linesBeside(wanted, from, to, control.signal),
      ]);
      series = own;
      others = more.filter((line) => line !== null);
      const below = belowOf(device, wanted.name);
      lower = below && (await loadSeries(device, below, from, to, control.signal));
    } catch (error) {
      if (control.signal.aborted) return;
      series = null;
      failed = error instanceof ApiError ? error.status : 0;
    }
    if (control.signal.aborted) return;
    attribute(element, "aria-busy", null);
    if (!fits && series && narrow(series)) {
      load();
      return;
    }
    draw();
  }

  /** @param {import("./store.js").Metric} wanted @param {number} from @param {number} to @param {AbortSignal} signal */
  function linesBeside(wanted, from, to, signal) {
    const other = state.devices.get(beside);
    return [
      ...(other ? [otherLine(other, wanted, from, to, signal)] : []),
      ...(hasExpected(device, wanted.name) ? [expectedLine(device, from, to, signal)] : []),
    ];
  }

  /**
   * The shortest range that holds all there is; true if it is another one than now.
   * @param {import("./series.js").Series} found
   */
  function narrow(found) {
    fits = true;
    const first = found.times.find((_, i) => found.values[i] !== null);
    const hours = first === undefined ? Infinity : (found.to - first) / 3600;
    const wanted = RANGES.find(([, each]) => each >= hours)?.[0] ?? USUAL;
    if (wanted === range) return false;
    range = wanted;
    showRanges();
    return true;
  }

  async function draw() {
    const shown = metric(),
      language = document.documentElement.lang;
    fillMetrics(shown?.name);
    fillCompare();
    const empty = series !== null && !series.values.some((value) => value !== null) && !series.suspect.length;
    attribute(twin, "aria-pressed", String(asTable));
    legend.hidden = asTable || !series || empty;
    chart.element.hidden = asTable || !series || empty;
    table.hidden = !asTable || !series || empty;
    redraw(note, `${failed} ${series === null} ${empty} ${language}`, () => {
      if (failed !== null)
        return message(
          t("cannot_load", { what: t("chart") }),
          failed ? String(failed) : null,
          h("button.btn.small", { type: "button", onclick: load }, t("try_now")),
        );
      return series === null ? skeleton(6) : empty ? message(t("no_points")) : null;
    });
    if (!series || !shown || empty) return;
    text(grain, series.bucket ? t(`bucket_${series.bucket}`) : t("raw"));
    if (asTable) {
      const { times, values, low, high } = series;
      redraw(
        table,
        `${shown.name} ${times.at(-1)} ${times.length} ${values.at(-1)} ${low.length} ${high.length} ${language}`,
        () => pointsTable(/** @type {any} */ (series), shown),
      );
    }
    redrawLegend(shown);
    const bounds =
      shown.name === LEVEL ? (boundsOf(device.attributes) ?? []).map((value, i) => ({ siaga: 3 - i, value })) : [];
    try {
      const below = lower && belowOf(device, shown.name);
      flow.element.hidden = asTable || !below;
      if (asTable) return;
      const expected = shown.name === LEVEL && range !== "30d" ? way() : null;
      const [from, to] = [series.from, series.to];
      // As far ahead as a quarter of what is looked back at, so that the past is not pressed together.
      const until = expected ? Math.max(to, Math.min(expected.times[expected.times.length - 1], to + (to - from) / 4)) : to;
      const common = { siaga: null, small: false, zero: device.kind === "traffic", sync: "device", span: /** @type {[number, number]} */ ([from, until]) };
      await chart.show(
        { ...common, series, metric: shown, bounds, siaga: state.latest.get(device.id)?.siaga ?? null, others, forecasts: expected ? [expected] : [], lane: Boolean(below) },
        summaryOf(series, shown, t(`range_${range}`)),
      );
      if (below && lower) await flow.show({ ...common, series: lower, metric: below, bounds: [] }, summaryOf(lower, below, t(`range_${range}`)));
    } catch {
      redraw(note, "library", () => message(t("cannot_load", { what: t("chart") }), "/vendor/uPlot.iife.min.js"));
    }
  }

  /** @param {import("./store.js").Metric} shown */
  function redrawLegend(shown) {
    const below = belowOf(device, shown.name);
    const { aggregate, low, suspect, gaps } = /** @type {import("./series.js").Series} */ (series);
    redraw(
      legend,
      `${aggregate} ${low.length > 0} ${suspect.length > 0} ${gaps.length > 0} ${shown.name} ${beside} ${others.length} ${way() !== null} ${document.documentElement.lang}`,
      () => [
        h(
          "span",
          {},
          h(aggregate === "total" || aggregate === "change" ? "i.bars" : "i.line"),
          `${said(shown.label)}, ${t({ raw: "measured", mean: "mean", total: "total", change: "change" }[aggregate])}`,
        ),
        below && h("span", {}, h("i.line"), t("below", { metric: said(below.label) })),
        state.devices.has(beside) && h("span", {}, h("i.other"), deviceName(beside)),
        hasExpected(device, shown.name) && others.length > 0 && h("span", {}, h("i.other"), t("should_draw")),
        shown.name === LEVEL && way() !== null && h("span", {}, h("i.forecast"), t("forecast_interval")),
        low.some((value) => value !== null) && h("span", {}, h("i.band"), t("min_max")),
        suspect.length > 0 && h("span", {}, h("i.ring"), t("suspect_points")),
        gaps.length > 0 && h("span", {}, h("i.hatch"), t("gap")),
        h("span.end.t3.help", {}, t("chart_help")),
      ],
    );
  }

  /** @param {string | undefined} chosen */
  function fillMetrics(chosen) {
    const kind = state.kinds.get(device.kind),
      hours = RANGES.find(([each]) => each === range)?.[1] ?? 24;
    const long = bucketFor(hours * 3600, kind?.interval_s ?? 3600) !== null;
    redraw(metrics, `${kind?.kind} ${chosen} ${long} ${document.documentElement.lang}`, () =>
      [...(kind?.metrics ?? []), ...(kind?.diagnostics ?? [])].map((each) =>
        h(
          "option",
          { value: each.name, selected: each.name === chosen, disabled: long && !each.rollup && each.name !== chosen },
          said(each.label),
        ),
      ),
    );
  }

  function fillCompare() {
    const all = comparable(device);
    compare.hidden = !all.length;
    redraw(compare, `${all.map((each) => each.id)} ${beside} ${document.documentElement.lang}`, () =>
      [["", t("compare_none")], ...all.map((each) => [each.id, each.id === device.attributes.upstream ? t("upstream_is", { name: deviceName(each.id) }) : deviceName(each.id)])].map(([value, words]) =>
        h("option", { value, selected: value === beside }, words),
      ),
    );
  }

  /** A reading that has just come is appended; buckets are asked for again now and then. */
  function append() {
    const latest = state.latest.get(device.id),
      shown = metric();
    if (!series || !shown || !latest) return;
    if (series.bucket) {
      if (performance.now() - askedAt > RENEW_MS) load();
      return;
    }
    const at = Date.parse(latest.ts) / 1000,
      value = latest.values[shown.name] ?? null;
    const length = series.to - series.from;
    series.to = now() / 1000;
    series.from = series.to - length;
    if (at > (series.times.at(-1) ?? 0) && at <= series.to + 60) {
      const open = series.gaps.at(-1);
      if (open && open[0] === series.times.at(-1)) {
        open[1] = at;
        series.times.push((open[0] + at) / 2);
        series.values.push(null);
      }
      if (isSuspect(latest) && value !== null) series.suspect.push([at, value]);
      else {
        series.times.push(at);
        series.values.push(value);
      }
    }
    draw();
  }

  load();
  return {
    element,
    append,
    draw,
    close() {
      asking?.abort();
      chart.close();
      flow.close();
    },
  };
}

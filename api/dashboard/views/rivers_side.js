/** Beside the cascade: what is expected, how good that has been, how long water takes, and what has rained. */

import { h } from "../dom.js";
import { age, number, percent, said, time } from "../format.js";
import { shortName } from "../gauges.js";
import { levelMark } from "../marks.js";
import { message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { deviceName, state } from "../store.js";
import { t } from "../words/rivers.js";
import { offOf, scoreDots } from "./rivers_score.js";

/** @typedef {import("../forecast_way.js").Forecast} Forecast */

const MINUTE_MS = 60_000;
const SCORE_DAYS = 90;
// A share of fewer says nothing.
const LEAST_TIMED = 5;
const MANY = 3;
// Rain in an hour as BMKG names it, mm.
const RAIN = /** @type {const} */ ([
  [20, "rain_very_heavy"],
  [10, "rain_heavy"],
  [5, "rain_moderate"],
  [0.1, "rain_light"],
]);

/** @param {string} id */
const named = (id) => {
  const device = state.devices.get(id);
  return device ? shortName(device) : deviceName(id);
};

/**
 * @param {() => Set<string>} chosen  ids of the gauges that are shown
 * @param {import("../resource.js").Resource<Forecast[]>} forecasts
 * @param {import("../resource.js").Resource<any[]>} lags
 */
export function riversSide(chosen, forecasts, lags) {
  const expected = panel("expected", t("next_levels")),
    score = panel("score", t("score")),
    travel = panel("travel", t("travel")),
    rain = panel("rain", t("rain"));
  score.meta.textContent = t("last_days", { n: SCORE_DAYS });
  rain.meta.textContent = t("rain_unit");
  travel.meta.textContent = t("travel_meta");
  const scores = resource(`forecasts/score?from=-${SCORE_DAYS}d`, update, { every_ms: 10 * MINUTE_MS, shape: ({ items }) => items });
  const past = resource(`forecasts/past?from=-${SCORE_DAYS}d`, update, { every_ms: 10 * MINUTE_MS, shape: ({ items }) => items });
  const rains = resource("rivers/rain", update, { every_ms: 5 * MINUTE_MS, shape: ({ items }) => items });
  const element = h("div.side", { role: "region", tabindex: 0, "aria-label": t("forecast") }, expected.element, score.element, rain.element, travel.element);

  function update() {
    const ids = chosen(),
      key = [...ids].join();
    const own = (forecasts.value ?? []).filter((each) => ids.has(each.device_id)).sort((a, b) => soonest(a) - soonest(b));
    const made = own.map((each) => each.made_at ?? "").sort().at(-1);
    expected.meta.textContent = made ? t("made_at", { time: time(made) }) : "";
    drawResource(expected.body, forecasts, {
      what: t("forecast"),
      key: () => `${key} ${JSON.stringify(own)} ${state.stream === "lost"}`,
      empty: () => {
        if (state.stream === "lost") return message(t("not_computed"), t("not_computed_why"));
        return own.length ? null : message(t("none_expected"), t("none_expected_why"));
      },
      content: () => expectedTable(own),
    });
    drawResource(score.body, scores, {
      what: t("score"),
      key: (stages) => `${JSON.stringify(stages)} ${past.at}`,
      content: (stages) => scoreOf(stages, past.value ?? []),
    });
    drawResource(rain.body, rains, {
      what: t("rain"),
      key: (items) => `${key} ${JSON.stringify(items)}`,
      content: (items) => rainTable(items.filter((/** @type {any} */ each) => ids.has(each.device_id))),
    });
    const ways = (lags.value ?? []).filter((/** @type {any} */ each) => ids.has(each.device_id));
    travel.element.hidden = lags.value !== null && !ways.length;
    drawResource(travel.body, lags, {
      what: t("travel"),
      lines: 2,
      key: () => `${key} ${JSON.stringify(ways)}`,
      content: () => travelTable(ways),
    });
  }

  return {
    element,
    update,
    close() {
      for (const each of [scores, past, rains]) each.close();
    },
  };
}

/** @param {readonly string[]} words @param {any} rows */
const table = (words, rows) =>
  h(
    "table.compact",
    {},
    h("thead", {}, h("tr", {}, words.map((word, i) => h(i ? "th.r" : "th", { scope: "col" }, word)))),
    h("tbody", {}, rows),
  );

/** Those of which nothing is expected stand last. @param {Forecast} forecast */
const soonest = ({ levels }) => (levels[0] ? Date.parse(levels[0].at) : Infinity);

/** @param {Forecast[]} items */
function expectedTable(items) {
  // Of many gauges only the next level of each, and the reasons of the first.
  const many = items.length > MANY;
  const rows = items.flatMap(({ device_id, levels, refused }) => {
    const name = h("td.b", {}, named(device_id));
    if (!levels.length) return [h("tr", {}, name, h("td.t3.why", { colspan: 3 }, refused ? said(refused.text) : ""))];
    return levels.slice(0, many ? 1 : undefined).map((level, i) =>
      h(
        i ? "tr.next-level" : "tr",
        {},
        i ? h("td") : name,
        h("td", {}, h("span.row", {}, levelMark(level.siaga, { fill: false, size: 14 }), t("siaga", { n: level.siaga }))),
        h("td.r.num.b", {}, time(level.at)),
        h("td.r.num.t2", {}, `${time(level.earliest)}–${time(level.latest)}`),
      ),
    );
  });
  const words = items.slice(0, many ? 2 : undefined).flatMap(({ device_id, levels }) =>
    levels[0] ? [`${named(device_id)}: ${said(levels[0].text)}.`] : [],
  );
  const heads = h("tr", {}, ["gauge", "level", "about", "interval80"].map((word, i) => h(i > 1 ? "th.r" : "th", { scope: "col" }, t(word))));
  return [h("table.compact", {}, h("thead", {}, heads), h("tbody", {}, rows)), h("div.paper", {}, words.map((line) => h("p", {}, line)))];
}

/** @param {any[]} stages @param {any[]} past */
function scoreOf(stages, past) {
  const all = stages.find((each) => each.stage === "watch"),
    near = stages.find((each) => each.stage === "warning");
  if (!all || all.interval.timed < LEAST_TIMED)
    return message(t("no_score"), all?.pending ? t("pending", { n: number(all.pending) }) : null);
  const { timed, covered, coverage } = all.interval;
  const of = (/** @type {number} */ n, /** @type {number} */ whole) => t("n_of", { n: number(n), all: number(whole) });
  const offs = past.map(offOf).filter((off) => off !== null);
  const inside = offs.filter((off) => Math.abs(off) <= 1).length,
    early = offs.filter((off) => off < -1).length;
  const lines = /** @type {[string, string, boolean][]} */ ([
    [t("in_interval"), of(inside, offs.length), true],
    [t("came_early"), number(early), false],
    [t("not_come"), of(all.false, all.right + all.false), false],
    [t("not_foreseen"), of(all.misses, all.crossings), false],
    [t("warned_right"), near ? of(near.right, near.right + near.false) : "–", false],
    [t("lead"), all.lead_median_h === null ? "–" : age(all.lead_median_h * 3_600_000), true],
  ]);
  return h(
    "div.body",
    {},
    past.length ? scoreDots(past) : null,
    h("dl.score-lines", {}, lines.map(([word, value, bold]) => [h("dt", {}, word), h(bold ? "dd.num.b" : "dd.num", {}, value)])),
    h("p.t2", {}, t("covers", { share: percent(coverage), n: number(covered), all: number(timed) })),
  );
}

/** @param {any[]} items */
function rainTable(items) {
  const mm = (/** @type {number | null} */ value) => h("td.r.num", {}, number(value, 1));
  const word = (/** @type {number | null} */ hour) =>
    hour === null ? "–" : t(RAIN.find(([least]) => hour >= least)?.[1] ?? "rain_none");
  const rows = items.map((each) =>
    h("tr", {}, h("td", {}, named(each.device_id)), mm(each.rain_1h_mm), mm(each.rain_3h_mm), mm(each.rain_24h_mm), h("td.r.t2", {}, word(each.rain_1h_mm))),
  );
  return table([t("gauge"), t("h1"), t("h3"), t("h24"), t("now_word")], rows);
}

/** @param {any[]} items */
function travelTable(items) {
  const rows = items.map((each) =>
    h(
      "tr",
      {},
      h("td", {}, `${named(each.upstream)} → ${named(each.device_id)}`),
      each.lag_s === null
        ? h("td.r.t3", { colspan: 2 }, t("not_learned"))
        : [
            h("td.r.num.b", {}, age(each.lag_s * 1000)),
            h("td.r.num.t2", {}, each.earliest_s === null ? "–" : `${age(each.earliest_s * 1000)} – ${age(each.latest_s * 1000)}`),
          ],
    ),
  );
  return table([t("way"), t("takes"), t("spread")], rows);
}

/** KPI: how many alerts a person gets, from where, and what would spare them. Grey bars: a figure is no alarm. */

import { subjectName } from "./alert_text.js";
import { h, s } from "./dom.js";
import { age, moment, number, percent, said } from "./format.js";
import { panel } from "./parts.js";
import { asked, remember } from "./router.js";
import { drawResource, resource } from "./resource.js";
import { segments } from "./segments.js";
import { t } from "./words/alerts.js";

const SPANS = /** @type {const} */ (["24h", "7d", "30d"]);
const EVERY_MS = 300_000;
// As docs/alerts.md has it, by ISA-18.2 and EEMUA 191.
const AIM_PER_HOUR = 6,
  AIM_FLOOD = 0.01,
  AIM_BAD = 0.05,
  AIM_STANDING = 5;

export function alertKpi() {
  let span = SPANS.find((each) => each === asked("rentang")) ?? "7d";
  const path = () => `alerts/kpi?from=-${span}`;
  const rate = panel("rate", t("kpi_rate")),
    ack = panel("to-ack", t("kpi_to_ack")),
    bad = panel("bad", t("kpi_bad")),
    standing = panel("standing", t("kpi_standing"));
  /** @type {import("./resource.js").Resource<any>} */
  const kpi = resource(path(), update, { every_ms: EVERY_MS });
  /** @type {import("./resource.js").Resource<any>} */
  const advice = resource(`alerts/advice?from=-${span === "30d" ? "7d" : span}`, update);
  /** @type {import("./resource.js").Resource<any>} */
  const shelved = resource("alerts?state=shelved&fields=shelved_by&limit=1000", update, { topics: ["counts"] });
  const csv = h("a.btn.small", { href: csvPath(), download: "" }, "CSV");
  const choice = segments(
    t("kpi_range"),
    SPANS.map((each) => /** @type {const} */ ([each, t(`span_${each}`)])),
    () => span,
    choose,
  );
  const element = h(
    "div.kpi",
    {},
    h("div.row", {}, choice, csv),
    h("div.kpi-panels", {}, rate.element, ack.element, bad.element, standing.element),
  );

  function csvPath() {
    return `/api/v1/${path()}&format=csv`;
  }

  /** @param {typeof SPANS[number]} next */
  function choose(next) {
    span = next;
    remember({ rentang: span });
    csv.setAttribute("href", csvPath());
    kpi.ask(path());
    advice.ask(`alerts/advice?from=-${span === "30d" ? "7d" : span}`);
  }

  function update() {
    const key = (/** @type {any} */ value) => `${value.to} ${advice.at} ${advice.failure?.retryAt} ${shelved.at}`;
    drawResource(rate.body, kpi, { what: t("kpi_rate"), key, content: rates });
    drawResource(ack.body, kpi, { what: t("kpi_to_ack"), key, content: (value) => [acks(value), people()] });
    drawResource(bad.body, kpi, { what: t("kpi_bad"), lines: 8, key, content: actors });
    drawResource(standing.body, kpi, { what: t("kpi_standing"), key, content: long });
  }

  /** Who has put aside how many that are still aside. */
  function people() {
    /** @type {Map<string, number>} */
    const by = new Map();
    for (const { shelved_by } of shelved.value?.items ?? []) by.set(shelved_by, (by.get(shelved_by) ?? 0) + 1);
    const rows = [...by].sort((a, b) => b[1] - a[1]);
    return [
      h("h3", {}, t("kpi_shelved")),
      rows.length ? facts(rows.map(([name, n]) => [name, number(n)])) : h("p.t3", {}, t("kpi_no_shelved")),
    ];
  }

  /** @param {any} value */
  function actors({ bad_actors, bad_actors_share }) {
    if (!bad_actors.length) return h("p.t3.pad", {}, t("kpi_no_alerts"));
    const most = bad_actors[0].alerts;
    const said_of = new Map(
      (advice.value?.items ?? []).map((/** @type {any} */ each) => [
        `${each.rule} ${each.device_id}`,
        said(each.sentence),
      ]),
    );
    return [
      aim(t("kpi_bad_share", { share: percent(bad_actors_share), aim: percent(AIM_BAD) })),
      h(
        "ol.actors",
        {},
        bad_actors.map((/** @type {any} */ { rule, device_id, device_name, alerts, share }) =>
          h(
            "li",
            {},
            h("span", {}, h("b", {}, subjectName(device_id, device_name)), h("span.t3", {}, ` ${rule}`)),
            h("span.num.r", {}, number(alerts), h("span.unit", {}, ` ${percent(share)}`)),
            bar(alerts / most),
            h(
              "p.sub",
              {},
              said_of.get(`${rule} ${device_id}`) ??
                (advice.value ? "" : advice.failure ? t("kpi_no_advice") : t("kpi_thinking")),
            ),
          ),
        ),
      ),
    ];
  }

  update();
  return {
    element,
    update,
    close() {
      kpi.close();
      advice.close();
      shelved.close();
    },
  };
}

/** @param {string} words */
const aim = (words) => h("p.t2.pad", {}, words);

/** @param {[any, any][]} rows */
const facts = (rows) =>
  h(
    "dl.kpi-facts",
    {},
    rows.map(([name, value]) => [h("dt", {}, name), h("dd.num", {}, value)]),
  );

/** @param {number} share */
const bar = (share) =>
  s(
    "svg.kpi-bar",
    { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { width: Math.max(0.5, share * 100), height: 6 }),
  );

/** @param {any} value */
function rates({ alerts, operators, per_operator_hour: rate, floods }) {
  const hours = /** @type {const} */ ([
    [t("kpi_up_to_6"), rate.share_up_to_6],
    [t("kpi_7_to_12"), rate.share_7_to_12],
    [t("kpi_above_12"), rate.share_above_12],
  ]);
  return [
    h("p.headline.num", {}, number(rate.mean, 1), h("span.unit", {}, ` ${t("kpi_per_hour")}`)),
    aim(t("kpi_aim_rate", { aim: AIM_PER_HOUR, n: number(alerts), operators: number(operators) })),
    h(
      "dl.kpi-bars",
      {},
      hours.map(([name, share]) => [h("dt", {}, name), h("dd", {}, bar(share), h("span.num", {}, percent(share)))]),
    ),
    facts([
      [t("kpi_most_hour"), number(rate.most)],
      [t("kpi_most_10"), number(rate.most_in_10_min)],
      [t("kpi_floods", { aim: percent(AIM_FLOOD) }), `${number(floods.count)} · ${percent(floods.share_of_time)}`],
      ...floods.worst
        .slice(0, 3)
        .map((/** @type {any} */ each) => [
          t("kpi_flood", { from: moment(each.begin), to: moment(each.end) }),
          number(each.alerts),
        ]),
    ]),
  ];
}

/** @param {any} value */
function acks({ to_ack, unacknowledged }) {
  return [
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, t("severity")),
          h("th.r", { scope: "col" }, t("kpi_n_acked")),
          h("th.r", { scope: "col" }, t("kpi_median")),
          h("th.r", { scope: "col" }, t("kpi_p90")),
        ),
      ),
      h(
        "tbody",
        {},
        to_ack.map((/** @type {any} */ { severity, acknowledged, median_s, p90_s }) =>
          h(
            "tr",
            {},
            h("td", {}, severity === null ? t("kpi_all") : t(`sev${severity}`)),
            h("td.r.num", {}, number(acknowledged)),
            h("td.r.num", {}, time(median_s)),
            h("td.r.num", {}, time(p90_s)),
          ),
        ),
      ),
    ),
    facts([[t("kpi_unacked"), number(unacknowledged)]]),
  ];
}

/** @param {number | null} s */
const time = (s) => (s === null ? "–" : age(s * 1000));

/** @param {any} value */
function long({ standing, chattering }) {
  const rows = (/** @type {any[]} */ items, /** @type {(each: any) => any} */ of) =>
    h(
      "ul.kpi-rows",
      {},
      items.map((each) =>
        h(
          "li",
          {},
          h("a.link", { href: `/peringatan?id=${each.id}` }, subjectName(each.device_id, each.device_name)),
          h("span.t3", {}, ` ${each.rule}`),
          h("span.num.end", {}, of(each)),
        ),
      ),
    );
  return [
    aim(t("kpi_standing_n", { n: number(standing.count), aim: number(AIM_STANDING) })),
    rows(standing.longest, ({ raised_at }) => moment(raised_at)),
    h("h3", {}, t("kpi_chattering")),
    chattering.length
      ? rows(chattering.slice(0, 10), ({ most_in_1_min }) => t("kpi_per_min", { n: number(most_in_1_min) }))
      : h("p.t3", {}, t("kpi_no_chattering")),
  ];
}

/** One alert beside the list: what it is, one button, the numbers, the last six hours, everything that happened. */

import { ackButton, updateAckButton } from "./ack_button.js";
import { alertMetric, isOfDevice, levelName, placeText, rateText, stateText, valueNow, valueText } from "./alert_text.js";
import { smallChart } from "./small_chart.js";
import { attribute, h, redraw, text } from "./dom.js";
import { moment, said, timeWithSeconds } from "./format.js";
import { ApiError, call } from "./load.js";
import { alertMark, icon, severityMark } from "./marks.js";
import { ageOf, dataAge, isOld, message, metricOf, skeleton } from "./parts.js";
import { state } from "./store.js";
import { t } from "./words/alerts.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./store.js").Transition} Transition */

// Hold times and batches make an alert known some seconds after it began; more is worth saying.
const DETECTED_LATE_MS = 1_000;

/** @param {(alert: Alert) => void} loaded  tells of an alert that is no longer among the open ones */
export function alertDetail(loaded) {
  const sign = h("span.sign"),
    title = h("h2", { id: "detail-title" }),
    sub = h("p.t3"),
    facts = h("dl.facts");
  const comment = h("input", {
    type: "text",
    "aria-label": t("comment_hint"),
    placeholder: t("comment_hint"),
    maxlength: 2000,
  });
  const acts = h("div.acts"),
    note = h("blockquote.comment"),
    history = h("ol.tl"),
    evidence = h("div.sect.evidence");
  const link = h("a.btn", {}, t("open_device"));
  const body = h(
    "div.detail-body",
    { hidden: true },
    h("div.hd", {}, h("div.row.top-row", {}, sign, h("div", {}, title, sub)), acts, note, facts),
    evidence,
    h("div.sect", {}, h("h3", {}, t("history")), history),
  );
  const empty = h("div");
  const element = h(
    "aside.panel.detail",
    { "aria-labelledby": "detail-title" },
    h("a.back.btn.quiet", { href: "/peringatan" }, icon("back"), t("alerts")),
    empty,
    body,
  );
  /** @type {HTMLButtonElement | null} */
  let button = null;
  /** @type {Alert | null} */
  let shown = null;
  /** @type {Transition[]} */
  let past = [];
  let wanted = 0,
    asked = "",
    version = -1;
  const chart = smallChart(evidence);

  /** @param {number | null} id */
  async function show(id) {
    wanted = id ?? 0;
    comment.value = "";
    version = -1;
    past = [];
    asked = "";
    shown = id === null ? null : (state.alerts.get(id) ?? null);
    body.hidden = shown === null;
    redraw(empty, `${id} ${shown === null} ${document.documentElement.lang}`, () =>
      id === null ? message(t("choose_alert")) : shown ? null : skeleton(5),
    );
    if (id === null) return;
    button = ackButton(id, {
      comment: () => comment.value,
      done: () => {
        comment.value = "";
      },
    });
    acts.replaceChildren(button, h("label.field.note-field", {}, comment), link);
    update();
    await ask();
  }

  /** The history comes with the alert itself; asked for again when its version has changed. */
  async function ask() {
    const id = wanted,
      key = `${id} ${state.alerts.get(id)?.version ?? "over"}`;
    if (!id || key === asked) return;
    asked = key;
    try {
      const alert = await call(`alerts/${id}`);
      if (id !== wanted) return;
      past = alert.history;
      version = alert.version;
      delete alert.history;
      shown = alert;
      loaded(alert);
      update();
    } catch (error) {
      if (id !== wanted || shown) return;
      asked = "";
      const status = error instanceof ApiError ? error.status : 0;
      redraw(empty, `failed ${status}`, () =>
        message(
          status === 404 ? t("alert_gone") : t("cannot_load", { what: t("col_alert") }),
          status && status !== 404 ? String(status) : null,
          h("button.btn.small", { type: "button", onclick: ask }, t("try_now")),
        ),
      );
    }
  }

  function update() {
    const alert = (wanted && state.alerts.get(wanted)) || (shown?.id === wanted ? shown : null);
    if (!alert || !button) return;
    shown = alert;
    body.hidden = false;
    redraw(empty, "shown", () => null);
    if (version >= 0) ask();
    const language = document.documentElement.lang;
    const latest = state.latest.get(alert.device_id);
    redraw(sign, `${alert.version} ${alert.acked} ${language}`, () => alertMark(alert, { size: 22 }));
    text(title, said(alert.title));
    text(
      sub,
      [placeText(alert), t("rule", { name: alert.rule }), alert.historical && t("historical")]
        .filter(Boolean)
        .join(" · "),
    );
    updateAckButton(button, alert, true);
    button.hidden = alert.acked;
    /** @type {HTMLElement} */ (comment.parentElement).hidden = alert.acked;
    attribute(link, "href", `/perangkat/${alert.device_id}`);
    link.hidden = !isOfDevice(alert);
    note.hidden = !alert.comment;
    text(note, alert.comment ? `${alert.acked_by}: ${alert.comment}` : "");
    const { word, sub: since } = stateText(alert);
    const metric = alertMetric(alert);
    redraw(facts, `${latest?.ts} ${latest?.rate} ${isOld(latest)} ${alert.version} ${language} ${metric?.name}`, () => [
      fact(metric ? said(metric.label) : t("value"), valueNow(alert)),
      rateText(alert)
        ? fact(t("rate"), rateText(alert))
        : alert.value !== null && metric
          ? fact(t("at_raise"), valueText(alert.value, alert))
          : null,
      fact(t("col_state"), h("span", {}, word, h("span.sub", {}, since))),
      fact(t("began"), h("span", {}, moment(alert.raised_at), h("span.sub", {}, ageOf(Date.parse(alert.raised_at))))),
      latest ? fact(t("data"), dataAge(latest)) : null,
    ]);
    redraw(history, `${past.length} ${version < 0} ${language}`, () =>
      version < 0 ? skeleton(2) : [...past].reverse().map((each) => event(alert, each)),
    );
    chart.show(alert, metricOf(alert.kind, metric?.name ?? null));
  }

  return {
    element,
    show,
    update,
    acknowledge: () => {
      if (shown && !shown.acked) button?.click();
      return shown !== null;
    },
    close: chart.close,
  };
}

/** @param {string} name @param {Node | string} value */
const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

/** @param {Alert} alert @param {Transition} each */
function event(alert, each) {
  const from = levelName(alert, each.from_severity, null),
    to = levelName(alert, each.to_severity, each.siaga);
  const words = t(`t_${each.what}`, { from, to, who: each.who ?? "" });
  const value = valueText(each.value, alert);
  const late = Date.parse(each.detected_at) - Date.parse(each.event_at) > DETECTED_LATE_MS && each.what !== "acked";
  const sign =
    each.what === "acked"
      ? icon("check")
      : each.to_severity === null
        ? icon("live")
        : severityMark(each.to_severity, {
            digit: each.siaga !== null && each.siaga < 4 ? each.siaga : null,
            size: 14,
          });
  return h(
    "li",
    {},
    h("time", { datetime: each.event_at, title: timeWithSeconds(Date.parse(each.event_at)) }, moment(each.event_at)),
    sign,
    h(
      "span",
      {},
      words,
      value && each.what !== "acked" && `, ${value}`,
      each.why && `: “${each.why}”`,
      late && h("span.sub", {}, t("detected_later", { time: timeWithSeconds(Date.parse(each.detected_at)) })),
    ),
  );
}

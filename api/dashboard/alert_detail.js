/** One alert beside the list: what it is, four actions, its numbers, the evidence, what is to be done, what has been. */

import { ackButton, updateAckButton } from "./ack_button.js";
import { act } from "./alert_act.js";
import { assignDialog, commentDialog, shelveDialog, unackDialog } from "./alert_dialogs.js";
import { isOver } from "./alert_groups.js";
import { alertIncident } from "./alert_incident.js";
import { alertSop } from "./alert_sop.js";
import { storyOf } from "./alert_story.js";
import { alertMetric, isOfDevice, placeText, rateText, stateText, valueNow, valueText } from "./alert_text.js";
import { h, redraw, text } from "./dom.js";
import { moment, said } from "./format.js";
import { ApiError, call } from "./load.js";
import { alertMark, icon } from "./marks.js";
import { ageOf, dataAge, fact, isOld, message, metricOf, skeleton } from "./parts.js";
import { gate } from "./roles.js";
import { smallChart } from "./small_chart.js";
import { putAlert, state } from "./store.js";
import { t } from "./words/alerts.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./alert_story.js").Whole} Whole */

/** @param {() => void} changed  an action was done, or an alert was loaded that the lists do not have */
export function alertDetail(changed) {
  const sign = h("span.sign"),
    title = h("h2", { id: "detail-title" }),
    sub = h("p.t3"),
    facts = h("dl.facts"),
    acts = h("div.acts"),
    late = h("p.note-line"),
    history = h("ol.tl"),
    evidence = h("div.sect.evidence"),
    links = h("div.sect.row.links");
  const incident = alertIncident(),
    sop = alertSop();
  const body = h(
    "div.detail-body",
    { hidden: true },
    h("div.hd", {}, h("div.row.top-row", {}, sign, h("div", {}, title, sub)), acts, late, facts),
    evidence,
    incident.element,
    sop.element,
    h("div.sect", {}, h("h3", {}, t("history")), history),
    links,
  );
  const empty = h("div");
  const element = h(
    "aside.panel.detail",
    { "aria-labelledby": "detail-title" },
    h("a.back.btn.quiet", { href: "/peringatan" }, icon("back"), t("alerts")),
    empty,
    body,
  );
  const chart = smallChart(evidence);
  /** @type {Alert | null} */
  let shown = null;
  /** @type {Whole | null} */
  let whole = null;
  let wanted = 0,
    asked = "";
  /** @type {ReturnType<typeof actions> | null} */
  let buttons = null;

  /** @param {number | null} id */
  async function show(id) {
    wanted = id ?? 0;
    asked = "";
    whole = null;
    shown = id === null ? null : (state.alerts.get(id) ?? state.others.get(id) ?? null);
    body.hidden = shown === null;
    buttons = id === null ? null : actions(id);
    acts.replaceChildren(...(buttons?.elements ?? []));
    redraw(empty, `${id} ${shown === null} ${document.documentElement.lang}`, () =>
      id === null ? message(t("choose_alert")) : shown ? null : skeleton(5),
    );
    if (id === null) return;
    update();
    await ask();
  }

  /** History, notices and procedure come with the alert itself; asked for again when its version has changed. */
  async function ask() {
    const id = wanted,
      key = `${id} ${current()?.version}`;
    if (!id || key === asked) return;
    asked = key;
    try {
      /** @type {Whole} */
      const answer = await call(`alerts/${id}`);
      if (id !== wanted) return;
      whole = answer;
      shown = answer;
      asked = `${id} ${answer.version}`;
      const { history: _, notices: __, procedure: ___, ...alert } = answer;
      putAlert(alert);
      changed();
    } catch (error) {
      if (id !== wanted || shown) return;
      const status = error instanceof ApiError ? error.status : 0;
      const again = () => {
        asked = "";
        ask();
      };
      redraw(empty, `failed ${status}`, () =>
        message(
          status === 404 ? t("alert_gone") : t("cannot_load", { what: t("col_alert") }),
          status && status !== 404 ? String(status) : null,
          h("button.btn.small", { type: "button", onclick: again }, t("try_now")),
        ),
      );
    }
  }

  /** The newest that is known of it. */
  function current() {
    if (!wanted) return null;
    const told = state.alerts.get(wanted) ?? state.others.get(wanted) ?? null;
    const mine = shown?.id === wanted ? shown : null;
    return told && mine ? (told.version >= mine.version ? told : mine) : (told ?? mine);
  }

  function update() {
    const alert = current();
    if (!alert || !buttons) return;
    shown = alert;
    body.hidden = false;
    redraw(empty, "shown", () => null);
    if (asked) ask();
    const language = document.documentElement.lang;
    redraw(sign, `${alert.version} ${alert.acked} ${language}`, () => alertMark(alert, { size: 22 }));
    text(title, said(alert.title));
    text(sub, [placeText(alert), t("rule", { name: alert.rule })].join(" · "));
    buttons.update(alert);
    redraw(late, `${alert.superseded} ${alert.superseded_by} ${language}`, () => alert.superseded && superseded(alert));
    drawFacts(facts, alert);
    redraw(history, `${whole?.version} ${whole?.id} ${language}`, () => (whole ? storyOf(whole) : skeleton(2)));
    sop.show(alert, whole);
    incident.show(alert);
    redraw(links, `${alert.id} ${language}`, () => [
      isOfDevice(alert) &&
        alert.members === null &&
        h(
          "a.btn",
          { href: `/perangkat/${alert.device_id}` },
          t("open_device"),
          h("kbd", { "aria-hidden": "true" }, "Enter"),
        ),
      h("a.btn", { href: `/api/v1/alerts/${alert.id}/file`, download: "" }, icon("download"), t("incident_file")),
    ]);
    chart.show(alert, metricOf(alert.kind, alertMetric(alert)?.name ?? null));
  }

  /** What can be done to it. @param {number} id */
  function actions(id) {
    const of = () => (wanted === id ? current() : null);
    /** @param {string} name @param {string} key @param {(alert: Alert) => void} run */
    const button = (name, key, run) => {
      const click = () => {
        const alert = of();
        if (alert) run(alert);
      };
      return h(
        `button.btn.${name}`,
        { type: "button", onclick: click },
        t(`act_${name}`),
        key && h("kbd", { "aria-hidden": "true" }, key),
      );
    };
    const ack = ackButton(id);
    const unack = button("unack", "", (alert) => unackDialog([alert], changed));
    const shelve = button("shelve", "T", (alert) => shelveDialog([alert], changed));
    const unshelve = button("unshelve", "", (alert) => act("unshelve", [alert]));
    const assign = button("assign", "O", (alert) => assignDialog([alert], changed));
    const comment = button("comment", "C", (alert) => commentDialog([alert], changed));
    const all = [unack, shelve, unshelve, assign, comment];
    return {
      elements: [ack, ...all],
      /** @param {Alert} alert */
      update(alert) {
        const over = alert.acked && alert.state === "cleared";
        updateAckButton(ack, alert, true);
        ack.hidden = alert.acked || (alert.historical && alert.state === "cleared");
        unack.hidden = !alert.acked || over;
        shelve.hidden = alert.shelved_until !== null || over;
        unshelve.hidden = alert.shelved_until === null;
        assign.hidden = over;
        for (const each of all) gate(each, "operator");
      },
    };
  }

  return {
    element,
    show,
    update,
    shown: () => (shown?.id === wanted ? shown : null),
    close() {
      chart.close();
      incident.close();
    },
  };
}

/** @param {Alert} alert */
const superseded = (alert) =>
  alert.superseded_by === null
    ? t("superseded_none")
    : [
        t("superseded_by"),
        " ",
        h("a.link", { href: `/peringatan?tab=riwayat&id=${alert.superseded_by}` }, `#${alert.superseded_by}`),
      ];

/** @param {HTMLElement} place @param {Alert} alert */
function drawFacts(place, alert) {
  const latest = state.latest.get(alert.device_id),
    metric = alertMetric(alert),
    { word, sub } = stateText(alert);
  const key = `${latest?.ts} ${latest?.rate} ${isOld(latest)} ${alert.version} ${metric?.name} ${alert.members} ${document.documentElement.lang}`;
  const since = h("span", {}, moment(alert.raised_at), h("span.sub", {}, ageOf(Date.parse(alert.raised_at))));
  redraw(place, key, () => [
    alert.members !== null ? fact(t("members"), valueNow(alert)) : metric && fact(said(metric.label), valueNow(alert)),
    rateText(alert)
      ? fact(t("rate"), rateText(alert))
      : alert.value !== null && metric && alert.members === null && !isOver(alert)
        ? fact(t("at_raise"), valueText(alert.value, alert))
        : null,
    fact(t("col_state"), h("span", {}, word, h("span.sub", {}, sub))),
    fact(t("began"), since),
    latest && !isOver(alert) ? fact(t("data"), dataAge(latest)) : null,
    alert.assignee && fact(t("col_who"), alert.assignee),
  ]);
}

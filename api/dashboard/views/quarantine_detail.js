/** One group beside the list: what is wrong in one sentence, the packet with its guilty part, what a replay would do. */

import { toast } from "../announce.js";
import { now } from "../clock.js";
import { h, redraw } from "../dom.js";
import { number } from "../format.js";
import { ApiError } from "../load.js";
import { icon } from "../marks.js";
import { message } from "../parts.js";
import { gate, may } from "../roles.js";
import { state } from "../store.js";
import { t } from "../words/quarantine.js";
import { claim, discard, replay } from "./quarantine_act.js";
import { diagnosis } from "./quarantine_diagnosis.js";
import { kindOf, opened, readingsOf, senderOf, storedAt } from "./quarantine_data.js";
import { register } from "./quarantine_register.js";
import { isOpen, isStranger, packet, preview, prevention, trail } from "./quarantine_sections.js";
import { foretold, skewOf, timesOf } from "./quarantine_why.js";

/** @typedef {import("./quarantine_data.js").Group} Group */
/** @typedef {import("./quarantine_data.js").Entry} Entry */
/** @typedef {import("./quarantine_data.js").Whole} Whole */

const HOUR_MS = 3_600_000;

/** @param {() => void} changed  something was done @param {() => void} back */
export function groupDetail(changed, back) {
  const body = h("div.detail-body");
  const element = h(
    "aside.panel.qd",
    { "aria-label": t("chosen") },
    h("button.back.btn.quiet", { type: "button", onclick: back }, icon("back"), t("quarantine")),
    body,
  );
  /** @type {Group | null} */
  let group = null;
  /** @type {{ entries: Entry[], whole: Whole[] } | null} */
  let found = null;
  /** @type {string | null} */
  let failed = null;
  let shift_ms = 0,
    suggested = false,
    asked = "";
  /** @type {{ shift_ms: number, told: ReturnType<typeof foretold>, stored: Map<number, any> } | null} */
  let told = null;
  let asking = new AbortController();

  /** @param {Group | null} next */
  function show(next) {
    const stamp =
      next &&
      `${next.fingerprint} ${next.count} ${JSON.stringify(next.states)} ${state.devices.get(senderOf(next))?.region}`;
    if (next?.fingerprint !== group?.fingerprint) {
      found = told = failed = null;
      shift_ms = 0;
      suggested = false;
    }
    group = next;
    if (stamp !== asked) {
      asked = stamp ?? "";
      ask();
    }
    draw();
  }

  async function ask() {
    asking.abort();
    const control = (asking = new AbortController());
    if (!group) return;
    if (!may("operator")) return;
    try {
      found = await opened(group, control.signal);
      failed = null;
      const skew = skewOf(found.entries);
      if (!suggested && group.reason === "future_timestamp" && skew) shift_ms = skew.shift_ms;
      suggested = true;
      await foretell(control.signal);
    } catch (error) {
      if (control.signal.aborted) return;
      failed =
        error instanceof ApiError ? t("answer_was", { status: error.status, detail: error.message }) : String(error);
    }
    draw();
  }

  /** @param {AbortSignal} signal */
  async function foretell(signal) {
    if (!found || !group) return;
    const { whole } = found,
      id = senderOf(group);
    const stored = state.devices.has(id) ? await storedAt(id, timesOf(whole, shift_ms), signal) : new Map();
    told = { shift_ms, told: foretold(whole, shift_ms, stored, now()), stored };
  }

  /** @param {string} hours */
  async function shiftBy(hours) {
    const value = Number(hours.trim().replace("−", "-").replace(",", "."));
    if (!Number.isFinite(value) || value * HOUR_MS === shift_ms) return;
    shift_ms = value * HOUR_MS;
    try {
      await foretell(asking.signal);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(error.message, "alerts");
    }
    draw();
  }

  function draw() {
    const key = `${asked} ${found?.entries.length} ${found?.whole.map((each) => each.state + each.events.length).join()} ${failed} ${told?.shift_ms} ${shift_ms} ${state.kinds.size} ${document.documentElement.lang}`;
    redraw(body, key, content);
    for (const control of body.querySelectorAll("[data-least]")) gate(/** @type {HTMLElement} */ (control), "engineer");
  }

  function content() {
    if (!group) return message(t("choose_group"));
    return [
      head(group),
      packet(found, failed),
      preview(group, found, told?.told ?? null),
      prevention(group, found),
      trail(group, found),
    ];
  }

  /** @param {Group} of */
  function head(of) {
    return h(
      "div.sect",
      {},
      h("h2", {}, `${t(`reason_${of.reason}`)}: ${senderOf(of)}`),
      h("p.why", {}, diagnosis(of, found, told?.stored)),
      isOpen(of) && shiftField(of),
      h("div.acts", {}, isOpen(of) ? buttons(of) : h("span.tag", {}, t(`state_${Object.keys(of.states)[0]}`))),
    );
  }

  /** @param {Group} of */
  function shiftField(of) {
    if (of.reason !== "future_timestamp" && of.reason !== "too_old") return null;
    const input = h("input", {
      type: "text",
      inputmode: "decimal",
      value: shiftText().replace(/\s.*/, ""),
      onchange: (/** @type {Event} */ e) => shiftBy(/** @type {HTMLInputElement} */ (e.target).value),
    });
    return h("label.row.shift", {}, h("span.t3", {}, t("shift")), h("span.field", {}, input), t("hours"));
  }

  /** "−7 jam" */
  const shiftText = () => {
    const hours = shift_ms / HOUR_MS;
    return `${shift_ms > 0 ? "+" : ""}${number(hours, Number.isInteger(hours) ? 0 : 2)} ${t("hours")}`;
  };

  /** @param {Group} of */
  function buttons(of) {
    const button = (/** @type {string} */ style, /** @type {string} */ words, /** @type {() => void} */ onclick) =>
      gate(h(`button.btn${style}`, { type: "button", onclick, "data-least": "engineer" }, words), "engineer");
    const helps = !told || told.told.reading + told.told.duplicate + told.told.unread > 0;
    const unknown = isStranger(of);
    const first = found?.whole[0];
    return [
      unknown &&
        button(".primary", t("register_now"), () =>
          register(of, first ? kindOf(readingsOf(first.payload_text)) : null, changed),
        ),
      !unknown &&
        button(
          helps ? ".primary" : "",
          shift_ms ? t("shift_and_replay", { shift: shiftText() }) : t("replay_now"),
          () => replay([of], shift_ms, shiftText(), changed),
        ),
      of.states.open ? button("", t("claim"), () => claim([of], changed)) : null,
      button("", t("discard_now"), () => discard([of], changed)),
    ];
  }

  draw();
  return {
    element,
    show,
    draw,
    close: () => asking.abort(),
  };
}

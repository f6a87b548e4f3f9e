/** A proposal on what is stored: what it would have raised, and what it would have cost, alert by alert. */

import { h, redraw, text } from "../dom.js";
import { number, shortDay } from "../format.js";
import { ApiError, call } from "../load.js";
import { message, panel } from "../parts.js";
import { segments } from "../segments.js";
import { t } from "../words/rules.js";
import { canTry } from "./rules_data.js";
import { WHATS, trialResult } from "./rules_result.js";

/** @typedef {import("./rules_data.js").Rule} Rule */
/** @typedef {import("./rules_result.js").Answer} Answer */
/** @typedef {import("./rules_result.js").What} What */

const DAYS = /** @type {const} */ (["1", "7", "14", "30"]);
const PATIENCE_MS = 180_000,
  TOO_SLOW = 503,
  INVALID = 422;

/**
 * @param {{ title: string, idle: () => any, idleKey: () => string, changed: () => void }} options  idle: what stands there
 *   before anything was tried, and what that depends on
 */
export function trialPanel({ title, idle, idleKey, changed }) {
  const { element, meta, end, body } = panel("trial", title);
  body.className = "scrolls";
  /** @type {(typeof DAYS)[number]} */
  let days = "7";
  end.append(
    segments(
      t("over_days"),
      DAYS.map((n) => /** @type {const} */ ([n, t("n_days", { n })])),
      () => days,
      (n) => (days = n),
    ),
  );
  /** What was tried, as text, and what came of it. @type {{ text: string, answer: Answer, took_ms: number } | null} */
  let found = null;
  /** @type {{ control: AbortController, since: number } | null} */
  let running = null;
  /** @type {string | null} */
  let failed = null;
  /** @type {What | null} */
  let shown = null;
  let understood = false,
    current = "";
  const clock = setInterval(() => running && draw(), 1000);

  /** @param {Rule} rule */
  async function run(rule) {
    running?.control.abort();
    const control = new AbortController(),
      since = performance.now();
    running = { control, since };
    failed = null;
    understood = false;
    current = JSON.stringify(rule);
    draw();
    changed();
    try {
      const answer = await call("rules/dry-run", {
        body: { from: `-${days}d`, rules: [rule] },
        signal: control.signal,
        timeout_ms: PATIENCE_MS,
      });
      found = { text: JSON.stringify(rule), answer, took_ms: performance.now() - since };
      shown = WHATS.find((what) => answer.price.counts[what]) ?? null;
    } catch (error) {
      if (control.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      failed = failureText(error);
    }
    running = null;
    draw();
    changed();
  }

  /** @param {ApiError} error */
  function failureText(error) {
    if (!error.status) return t("no_answer");
    const shorter =
      error.status === TOO_SLOW || (error.status === INVALID && error.problem?.errors?.[0]?.field === "from");
    return [error.message, shorter && days !== "1" ? t("fewer_days") : ""].filter(Boolean).join(" ");
  }

  function cancel() {
    running?.control.abort();
    running = null;
    draw();
    changed();
  }

  /** Whether exactly this has been tried, and what it costs understood. @param {Rule} rule */
  function tried(rule) {
    current = JSON.stringify(rule);
    if (!canTry(rule)) return { ok: true, understood };
    const ok = found?.text === current && !running;
    return { ok, understood: ok && (found?.answer.price.severe === 0 || understood) };
  }

  /** @param {Rule | null} rule */
  function show(rule) {
    current = rule ? JSON.stringify(rule) : "";
    cannot = rule !== null && !canTry(rule);
    draw();
  }
  let cannot = false;

  function draw() {
    const isOf = found?.text === current;
    const seconds = running && Math.floor((performance.now() - running.since) / 1000);
    text(
      meta,
      found && !running
        ? t("tried_on", {
            from: shortDay(found.answer.from),
            to: shortDay(found.answer.to),
            readings: number(found.answer.readings),
            s: number(found.took_ms / 1000, 1),
          })
        : "",
    );
    end.hidden = cannot || !current;
    redraw(
      body,
      `${idleKey()} ${seconds} ${failed} ${cannot} ${understood} ${found?.text} ${found?.took_ms} ${isOf} ${shown} ${document.documentElement.lang}`,
      () => {
        if (cannot)
          return [message(t("cannot_try"), t("cannot_try_text")), h("div.body", {}, tick(t("understand_untried")))];
        if (running)
          return [
            message(t("running"), t("running_for", { s: number(seconds ?? 0) })),
            h("div.body", {}, h("button.btn", { type: "button", onclick: cancel }, t("cancel"))),
          ];
        if (failed) return message(t("trial_failed"), failed);
        if (!found) return idle();
        return [
          !isOf && h("p.outdated", { role: "status" }, t("outdated")),
          h(isOf ? "div" : "div.stale", {}, trialResult(found.answer, { shown, show: list, tick })),
        ];
      },
    );
  }

  /** @param {What} what */
  function list(what) {
    shown = what;
    draw();
  }

  /** @param {string} words */
  function tick(words) {
    const box = h("input", {
      type: "checkbox",
      checked: understood,
      onchange: () => {
        understood = box.checked;
        changed();
      },
    });
    return h("label.row.understand", {}, box, h("span", {}, words));
  }

  draw();
  return {
    element,
    run,
    tried,
    show,
    /** Draw what stands there before anything was tried anew. */
    draw,
    close() {
      clearInterval(clock);
      running?.control.abort();
    },
  };
}

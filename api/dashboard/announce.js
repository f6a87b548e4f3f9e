/** Telling: a short note at the bottom of the screen, and words for screen readers, never more than one in 5 s. */

import { h, redraw, text } from "./dom.js";
import { icon } from "./marks.js";
import { t } from "./words/common.js";

const TOAST_MS = 6_000;
const QUIET_MS = 5_000;

const polite = h("div.only-read", { role: "status" });
const assertive = h("div.only-read", { role: "alert" });
const toastBox = h("div.toast", { role: "status", hidden: true });
let toastTimer = 0;

/** The places to tell in, for the frame to put somewhere. */
export const announcers = [polite, assertive, toastBox];

/**
 * @param {string} message
 * @param {"check" | "person" | "alerts"} [sign]
 * @param {{ action?: HTMLElement | null, ms?: number }} [options]  action: a button that belongs to it
 */
export function toast(message, sign = "check", { action = null, ms = TOAST_MS } = {}) {
  redraw(toastBox, `${message} ${performance.now()}`, () => [
    icon(sign),
    h("span", {}, message),
    action,
    h("button.btn.quiet.small.dismiss", { type: "button", onclick: hide }, t("close")),
  ]);
  toastBox.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = window.setTimeout(hide, ms);
}

/** @returns {boolean} whether there was one */
export function hide() {
  const shown = !toastBox.hidden;
  toastBox.hidden = true;
  return shown;
}

let saidAt = -QUIET_MS;
let timer = 0;
/** @type {{ urgent: boolean, make: () => string } | null} */
let next = null;

/**
 * Say something, at once or when 5 s have passed; of several that wait the last is said, urgent if one of them was.
 * @param {() => string} make
 * @param {boolean} [urgent]
 */
export function announce(make, urgent = false) {
  next = { urgent: urgent || (next?.urgent ?? false), make };
  if (timer) return;
  timer = window.setTimeout(
    () => {
      timer = 0;
      saidAt = performance.now();
      if (!next) return;
      text(next.urgent ? assertive : polite, next.make());
      next = null;
    },
    Math.max(0, saidAt + QUIET_MS - performance.now()),
  );
}

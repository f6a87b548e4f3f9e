/** The last thing this person did, which one key takes back for ten seconds. The server keeps both events. */

import { toast } from "./announce.js";
import { h, text } from "./dom.js";
import { t } from "./words/common.js";

const UNDO_MS = 10_000;

/** @type {{ run: () => void, timer: number, until: number } | null} */
let last = null;

/** @param {string} message  what was done @param {() => void} run  takes it back */
export function offerUndo(message, run) {
  forget();
  const until = performance.now() + UNDO_MS;
  // A screen reader hears once that it can be undone, not every second that passes.
  const left = h("span.num", { "aria-hidden": "true" });
  const count = () => (performance.now() < until ? text(left, String(secondsTo(until))) : forget());
  last = { run, until, timer: window.setInterval(count, 500) };
  count();
  const key = h("kbd", { "aria-hidden": "true" }, "Z");
  const button = h("button.btn.small.undo", { type: "button", onclick: undoLast }, t("undo"), left, key);
  toast(message, "check", { action: button, ms: UNDO_MS });
}

function undoLast() {
  if (!last || performance.now() >= last.until) return;
  const { run } = last;
  forget();
  run();
}

function forget() {
  clearInterval(last?.timer);
  last = null;
}

/** @param {number} until */
const secondsTo = (until) => Math.max(0, Math.ceil((until - performance.now()) / 1000));

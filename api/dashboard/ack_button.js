/** The button that acknowledges, the same everywhere: off with its reason, busy at once, gone when done. */

import { acknowledge, underWay } from "./acknowledge.js";
import { attribute, h, redraw } from "./dom.js";
import { icon } from "./marks.js";
import { gate } from "./roles.js";
import { state } from "./store.js";
import { t } from "./words/alerts.js";

/**
 * @param {number} id  of the alert
 * @param {{ comment?: () => string, done?: () => void }} [options]
 * @returns {HTMLButtonElement}
 */
export function ackButton(id, { comment = () => "", done = () => {} } = {}) {
  const button = h("button.btn.ack", { type: "button" });
  button.addEventListener("click", async (/** @type {Event} */ event) => {
    event.stopPropagation();
    const alert = state.alerts.get(id);
    if (alert && (await acknowledge(alert, comment()))) done();
  });
  return button;
}

/**
 * @param {HTMLButtonElement} button
 * @param {import("./store.js").Alert} alert
 * @param {boolean} first  the one that the key A acknowledges
 */
export function updateAckButton(button, alert, first) {
  const busy = underWay.has(alert.id);
  attribute(button, "disabled", busy || alert.acked);
  gate(button, "operator");
  attribute(button, "class", `btn ack${first && !alert.acked ? " primary" : " small"}`);
  redraw(button, `${alert.acked} ${busy} ${first} ${document.documentElement.lang}`, () =>
    alert.acked
      ? [icon("check"), t("acked")]
      : [busy ? t("acking") : t("ack"), first && !busy && h("kbd", { "aria-hidden": "true" }, "A")],
  );
}

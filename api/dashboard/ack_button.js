/** The button that acknowledges, the same everywhere: off with its reason, busy at once, gone when done. */

import { toast } from "./announce.js";
import { attribute, h, redraw } from "./dom.js";
import { number } from "./format.js";
import { icon } from "./marks.js";
import { gate } from "./roles.js";
import { state } from "./store.js";
import { t } from "./words/common.js";

/**
 * @param {number} id  of the alert
 * @returns {HTMLButtonElement}
 */
export function ackButton(id) {
  const button = h("button.btn.ack", { type: "button" });
  button.addEventListener("click", (/** @type {Event} */ event) => {
    event.stopPropagation();
    const alert = state.alerts.get(id) ?? state.others.get(id);
    if (alert) acknowledge(alert);
  });
  return button;
}

/** Acting is fetched when somebody acts for the first time. @param {import("./store.js").Alert} alert */
export async function acknowledge(alert) {
  try {
    const { act } = await import("./alert_act.js");
    await act("ack", [alert]);
  } catch {
    toast(t("script_away"), "alerts");
  }
}

/**
 * @param {HTMLButtonElement} button
 * @param {import("./store.js").Alert} alert
 * @param {boolean} first  the one that the key A acknowledges
 */
export function updateAckButton(button, alert, first) {
  const busy = state.underWay.has(alert.id);
  attribute(button, "disabled", busy || alert.acked);
  gate(button, "operator");
  attribute(button, "class", `btn ack${first && !alert.acked ? " primary" : " small"}`);
  redraw(button, `${alert.acked} ${busy} ${first} ${alert.members} ${document.documentElement.lang}`, () =>
    alert.acked
      ? [icon("check"), t("acked")]
      : [
          busy ? t("acking") : t("ack"),
          // How many devices one acknowledgement is about.
          alert.members !== null && !busy && h("span.num", {}, number(alert.members)),
          first && !busy && h("kbd", { "aria-hidden": "true" }, "A"),
        ],
  );
}

/** Perawatan: work on this device, now, until when, and who said so; to begin it and to end it (operator). */

import { toast } from "./announce.js";
import { now } from "./clock.js";
import { dialog } from "./dialog.js";
import { h, redraw, text } from "./dom.js";
import { moment } from "./format.js";
import { ApiError, call } from "./load.js";
import { resource } from "./resource.js";
import { gate } from "./roles.js";
import { state } from "./store.js";
import { t } from "./words/device.js";

/** @typedef {{ id: number, what: string, scope: string, name: string, from: string, to: string | null, reason: string, who: string }} Window */

const HOURS = [1, 2, 4, 8, 24];
const HOUR_MS = 3_600_000;

/** @param {string} id */
export function deviceWindow(id) {
  const button = gate(h("button.btn", { type: "button", onclick: ask }, t("maintenance_dots")), "operator");
  const strip = h("div.window-strip", { role: "status", hidden: true });
  const standing = resource("windows?state=standing&limit=200", update, { every_ms: 60_000, topics: ["counts"], watch: () => String(state.counts?.suppressed), shape: ({ items }) => /** @type {Window[]} */ (items) });

  /** Of the device itself, or of the panel, river … it belongs to. @returns {Window | undefined} */
  function own() {
    const device = state.devices.get(id);
    return standing.value?.find(({ scope, name }) => (scope === "device" ? name === id : name === (scope === "district" ? device?.district : device?.attributes[scope])));
  }

  function update() {
    gate(button, "operator");
    const window = own();
    strip.hidden = !window;
    button.hidden = Boolean(window);
    redraw(strip, `${window?.id} ${window?.to} ${state.stream} ${document.documentElement.lang}`, () => {
      if (!window) return null;
      const words = t(window.what === "maintenance" ? "in_maintenance" : "out_of_service", { until: window.to ? moment(window.to) : t("until_ended") });
      const end = gate(h("button.btn.small", { type: "button", onclick: () => finish(window.id) }, t("end_work")), "operator");
      return [h("b", {}, words), h("span.t2", {}, `${window.reason} · ${window.who}`), window.scope === "device" ? end : null];
    });
  }

  /** @param {number} window_id */
  async function finish(window_id) {
    try {
      await call(`windows/${window_id}/end`, { body: {} });
      toast(t("work_ended"));
    } catch (error) {
      toast(t("refused", { why: error instanceof ApiError ? error.message : String(error) }));
    }
    standing.ask();
  }

  function ask() {
    const reason = h("textarea", { rows: 3, maxlength: 2000, required: true });
    const hours = HOURS.map((n, i) => h("label.row", {}, h("input", { type: "radio", name: "hours", value: n, checked: i === 1 }), t("n_hours", { n })));
    const problem = h("p.problem", { role: "alert" });
    const send = h("button.btn.primary", { type: "submit" }, t("begin_work"));
    const form = h(
      "form.ask",
      { onsubmit: sent },
      h("fieldset", {}, h("legend.t2", {}, t("how_long")), h("div.row.choices", {}, hours)),
      h("label.ask-field", {}, h("span.t2", {}, t("why_work")), reason),
      h("p.t2", {}, t("work_means")),
      problem,
      h("div.row", {}, send),
    );
    const made = dialog(t("maintenance"), form);
    made.addEventListener("close", () => made.remove());
    document.body.append(made);
    made.showModal();
    reason.focus();

    /** @param {Event} event */
    async function sent(event) {
      event.preventDefault();
      send.disabled = true;
      const chosen = Number(form.querySelector("input:checked")?.value ?? HOURS[1]);
      const to = new Date(now() + chosen * HOUR_MS).toISOString();
      try {
        await call("windows", { body: { scope: "device", name: id, to, reason: reason.value.trim() } });
        made.close();
        toast(t("work_begun", { until: moment(to) }));
        standing.ask();
      } catch (error) {
        text(problem, t("refused", { why: error instanceof ApiError ? error.message : String(error) }));
        send.disabled = false;
      }
    }
  }

  update();
  return { button, strip, update, close: standing.close };
}

/** A form of the admin pages: fields with their words, sent with its button, closed when it was done. */

import { toast } from "../announce.js";
import { dialog } from "../dialog.js";
import { h, text } from "../dom.js";
import { ApiError } from "../load.js";
import { t } from "../words/admin.js";

export const ROLES = /** @type {const} */ (["viewer", "operator", "engineer", "admin"]);

/** @param {string} label @param {HTMLElement} control @param {string} [hint] */
export const field = (label, control, hint) => h("label.ask-field", {}, h("span.t2", {}, label), control, hint && h("span.t3", {}, hint));

/** @param {import("../dom.js").Attributes} attributes @returns {HTMLInputElement} */
export const input = (attributes) => h("input.field", { spellcheck: "false", autocomplete: "off", ...attributes });

/** @param {readonly (readonly [string, string])[]} options @param {string} chosen @param {import("../dom.js").Attributes} [attributes] @returns {HTMLSelectElement} */
export const select = (options, chosen, attributes = {}) =>
  h("select.field", attributes, options.map(([value, word]) => h("option", { value, selected: value === chosen }, word)));

/** @param {readonly string[]} roles @param {string} chosen */
export const roleSelect = (roles, chosen) => select(roles.map((role) => /** @type {const} */ ([role, t(`role_${role}`)])), chosen);

/** 12.09, 12.10 as the API takes them; null for all. @param {string} typed */
export function regionsOf(typed) {
  const codes = typed.split(/[\s,;]+/).filter(Boolean);
  return codes.length ? codes : null;
}

/** @param {string[] | null} regions */
export const regionsText = (regions) => regions?.join(", ") ?? t("all_regions");

/**
 * What the API says is wrong, in words that can be shown.
 * @param {unknown} error
 */
export function whyNot(error) {
  if (!(error instanceof ApiError)) throw error;
  const errors = /** @type {{ field: string, message: string }[]} */ (error.problem?.errors ?? []);
  if (errors.length) return errors.map((each) => `${each.field}: ${each.message}`).join("; ");
  return error.status ? error.message : t("no_answer");
}

/**
 * @param {string} title @param {any[]} fields @param {string} button @param {() => Promise<void>} send
 */
export function ask(title, fields, button, send) {
  const problem = h("p.problem", { role: "alert" });
  const go = h("button.btn.primary", { type: "submit" }, button);
  const cancel = h("button.btn", { type: "button", onclick: () => made.close() }, t("cancel"));
  const form = h("form.ask", { onsubmit: sent }, fields, problem, h("div.row.ask-buttons", {}, go, cancel));
  const made = dialog(title, form);
  made.classList.add("admin-form");

  /** @param {Event} event */
  async function sent(event) {
    event.preventDefault();
    go.disabled = true;
    text(problem, "");
    try {
      await send();
      made.close();
    } catch (error) {
      text(problem, whyNot(error));
    } finally {
      go.disabled = false;
    }
  }

  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  /** @type {HTMLElement | null} */ (form.querySelector("input, select"))?.focus();
}

/** Do it, and say how it went. @param {() => Promise<unknown>} action @param {string} done */
export async function attempt(action, done) {
  try {
    await action();
    toast(done);
  } catch (error) {
    toast(t("refused", { why: whyNot(error) }), "alerts");
  }
}

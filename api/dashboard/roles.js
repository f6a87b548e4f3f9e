/** What a person may do: a control that their role lacks is shown, switched off, with the reason. */

import { attribute } from "./dom.js";
import { state } from "./store.js";
import { t } from "./words/common.js";

const ROLES = /** @type {const} */ (["viewer", "operator", "engineer", "admin"]);
/** @typedef {typeof ROLES[number]} Role */

/** @param {Role} least */
export const may = (least) => ROLES.indexOf(/** @type {Role} */ (state.me?.role ?? "viewer")) >= ROLES.indexOf(least);

/** Why this person cannot act now; null when they can. @param {Role} least @returns {string | null} */
export function refusalOf(least) {
  if (!may(least)) return t("needs_role", { role: t(`role_${least}`) });
  return state.stream === "lost" ? t("needs_stream") : null;
}

/**
 * Switch a control on or off. It keeps its place among the stops of the Tab key, so that its reason can be read; call it
 * again when the stream changes.
 * @template {HTMLElement} E
 * @param {E} control
 * @param {Role} least
 * @returns {E}
 */
export function gate(control, least) {
  const why = refusalOf(least);
  attribute(control, "aria-disabled", why !== null && "true");
  attribute(control, "title", why);
  attribute(control, "aria-description", why);
  return control;
}

// Before any listener of the control itself, and for Enter and the space bar too, which click.
document.addEventListener(
  "click",
  (event) => {
    const control = /** @type {Element} */ (event.target).closest?.('[aria-disabled="true"]');
    if (!control) return;
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);

/** A dialog over the page. */

import { h } from "./dom.js";
import { t } from "./words/common.js";

/**
 * A native dialog: focus goes in and comes back, Esc closes.
 * @param {string} title
 * @param {Node} content
 * @returns {HTMLDialogElement}
 */
export function dialog(title, content) {
  const element = h(
    "dialog",
    { "aria-label": title, onclick: (/** @type {Event} */ e) => e.target === element && element.close() },
    h(
      "div.row",
      {},
      h("h2", {}, title),
      h("button.btn.quiet.small.end", { type: "button", onclick: () => element.close() }, t("close")),
    ),
    content,
  );
  return element;
}

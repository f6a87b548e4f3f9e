/** An address that leads nowhere, and a view that could not be fetched. */

import { h } from "../dom.js";
import { message } from "../parts.js";
import { t } from "../words/frame.js";

/** @returns {import("../router.js").View} */
export function notThereView() {
  const home = h("a.btn", { href: "/" }, t("to_home"));
  return { element: h("div.view", {}, message(t("no_page"), null, home)), title: t("no_page") };
}

/**
 * The server has gone, or is of another version by now: a browser keeps a script that failed, so the page starts anew.
 * @param {string} title
 * @returns {import("../router.js").View}
 */
export function unfetchedView(title) {
  const again = h("button.btn", { type: "button", onclick: () => location.reload() }, t("try_now"));
  const told = message(t("cannot_load", { what: title }), t("script_unreachable"), again);
  return { element: h("div.view", {}, told), title };
}

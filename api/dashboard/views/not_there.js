/** An address whose page comes in a later stage, or that leads nowhere. */

import { h } from "../dom.js";
import { message } from "../parts.js";
import { t } from "../words.js";

const LATER = new Map([
  ["sungai", "Sungai"],
  ["lampu", "Lampu jalan"],
  ["lalu-lintas", "Lalu lintas"],
  ["serah-terima", "Serah terima"],
  ["karantina", "Karantina"],
  ["aturan", "Aturan"],
  ["admin", "Admin"],
  ["dinding", "Dinding"],
  ["keadaan", "Keadaan"],
]);

/**
 * @param {string} first  of the address
 * @param {boolean} deeper
 * @returns {import("../router.js").View}
 */
export function notThereView(first, deeper) {
  const name = deeper && !LATER.has(first) ? undefined : LATER.get(first);
  const home = h("a.btn", { href: "/" }, t("to_home"));
  const told = name ? message(t("not_there"), t("not_there_text", { name }), home) : message(t("no_page"), null, home);
  return { element: h("div.view", {}, told), title: name ?? t("no_page") };
}

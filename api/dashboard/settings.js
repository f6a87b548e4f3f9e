/** The dialogs: what the phone has no room for in its top bar, and the table of keys. */

import { h } from "./dom.js";
import { language, setLanguage, setTheme, theme } from "./prefs.js";
import { state } from "./store.js";
import { t } from "./words.js";

/**
 * A native dialog: focus goes in and comes back, Esc closes.
 * @param {string} title
 * @param {Node} content
 * @returns {HTMLDialogElement}
 */
function dialog(title, content) {
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

/**
 * One of several, pressed.
 * @template {string} T
 * @param {string} label
 * @param {readonly (readonly [T, string])[]} options
 * @param {() => T} chosen
 * @param {(value: T) => void} choose
 */
export function segments(label, options, chosen, choose) {
  const buttons = options.map(([value, name]) =>
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(value === chosen()),
        onclick: () => {
          choose(value);
          show();
        },
      },
      name,
    ),
  );
  function show() {
    options.forEach(([value], i) => buttons[i].setAttribute("aria-pressed", String(value === chosen())));
  }
  return h("div.segments", { role: "group", "aria-label": label }, buttons);
}

/** @param {() => void} signOut */
export function moreDialog(signOut) {
  const me = state.me;
  return dialog(
    t("more"),
    h(
      "div.settings",
      {},
      h("span", {}, t("language")),
      segments(
        t("language"),
        [
          ["id", "Indonesia"],
          ["en", "English"],
        ],
        language,
        setLanguage,
      ),
      h("span", {}, t("theme")),
      segments(
        t("theme"),
        [
          ["auto", t("theme_auto")],
          ["light", t("theme_light")],
          ["dark", t("theme_dark")],
        ],
        theme,
        setTheme,
      ),
      h(
        "div.row",
        {},
        h("span.t2", {}, me && t("signed_in_as", { name: me.name, role: t(`role_${me.role}`) })),
        h("button.btn", { type: "button", onclick: signOut }, t("sign_out")),
      ),
    ),
  );
}

const KEYS = [
  [["G", "S", "P", "D"], "k_go"],
  [["J", "K", "↓", "↑"], "k_row"],
  [["Home", "End"], "k_ends"],
  [["A"], "k_ack"],
  [["Enter"], "k_enter"],
  [["/"], "k_search"],
  [["N"], "k_next"],
  [["."], "k_held"],
  [["?"], "k_help"],
  [["Esc"], "k_back"],
];

/** @returns {HTMLDialogElement} */
export function keysDialog() {
  const rows = KEYS.map(([keys, word]) => [
    h(
      "span.row",
      {},
      /** @type {string[]} */ (keys).map((key) => h("kbd", {}, key)),
    ),
    h("span", {}, t(/** @type {string} */ (word))),
  ]);
  return dialog(t("keys"), h("div.keys", {}, rows.flat()));
}

/** The dialogs: what the phone has no room for in its top bar, and the table of keys. */

import { dialog } from "./dialog.js";
import { h } from "./dom.js";
import { icon } from "./marks.js";
import { inBoth, language, setLanguage, setTheme, theme } from "./prefs.js";
import { segments } from "./segments.js";
import { soundButton } from "./sound_button.js";
import { state } from "./store.js";
import { PAGES } from "./views/table.js";
import { t } from "./words/frame.js";

// As css/frame.css has it.
const ON_PHONE = 3;

/** @param {() => void} signOut */
export function moreDialog(signOut) {
  const me = state.me;
  // Following one of these links ends the dialog.
  const others = h("nav.more-pages", { "aria-label": t("main_nav"), onclick: () => made.close() }, otherPages());
  const choices =
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
      h("span", {}, t("sound")),
      soundButton(),
      h(
        "div.row",
        {},
        h("span.t2", {}, me && t("signed_in_as", { name: me.name, role: t(`role_${me.role}`) })),
        h("button.btn", { type: "button", onclick: signOut }, t("sign_out")),
      ),
    );
  const made = dialog(t("more"), h("div", {}, others, choices));
  return made;
}

/** What the rail has no room for on a phone. */
const otherPages = () =>
  PAGES.slice(ON_PHONE).map(({ path, name, icon: drawn = "next" }) =>
    h("a", { href: path }, icon(drawn), inBoth(name ?? ["", ""])),
  );

const KEYS = [
  [["J", "K", "↓", "↑"], "k_row"],
  [["Home", "End"], "k_ends"],
  [["A"], "k_ack"],
  [["Z"], "k_undo"],
  [["M"], "k_mute"],
  [["Enter"], "k_enter"],
  [["/"], "k_search"],
  [["N"], "k_next"],
  [["."], "k_held"],
  [["?"], "k_help"],
  [["Esc"], "k_back"],
];

/**
 * @param {readonly (readonly [string[], string])[]} own  keys of the view and what they do
 * @returns {HTMLDialogElement}
 */
export function keysDialog(own) {
  const letters = PAGES.flatMap(({ key }) => (key ? [key.toUpperCase()] : []));
  const places = PAGES.flatMap(({ key, name }) => (key && name ? [inBoth(name)] : [])).join(", ");
  const general = KEYS.map(([keys, word]) => /** @type {const} */ ([keys, t(/** @type {string} */ (word))]));
  const rows = [/** @type {const} */ ([["G", ...letters], t("k_go", { places })]), ...own, ...general].map(([keys, word]) => [
    h(
      "span.row",
      {},
      /** @type {string[]} */ (keys).map((key) => h("kbd", {}, key)),
    ),
    h("span", {}, word),
  ]);
  return dialog(t("keys"), h("div.keys", {}, rows.flat()));
}

/** Signing in with an API key. The key goes to the server once; what stays is a cookie that scripts cannot read. */

import { h, text } from "../dom.js";
import { ApiError, call } from "../load.js";
import { language, setLanguage } from "../prefs.js";
import { t } from "../words/frame.js";

const UNAUTHORIZED = 401;

/**
 * @param {() => Promise<void>} signedIn
 * @returns {import("../router.js").View}
 */
export function signInView(signedIn) {
  const input = h("input", {
    type: "password",
    name: "key",
    id: "key",
    required: true,
    autocomplete: "current-password",
    spellcheck: "false",
    maxlength: 200,
  });
  const problem = h("p.problem", { role: "alert" });
  const button = h("button.btn.primary", { type: "submit" }, t("sign_in"));
  const other = language() === "en" ? "id" : "en";

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    text(problem, "");
    try {
      await call("session", { body: { key: input.value.trim() } });
      await signedIn();
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === UNAUTHORIZED || error.status === 422);
      text(problem, t(refused ? "key_wrong" : "key_failed"));
      input.focus();
      input.select();
    } finally {
      button.disabled = false;
    }
  }

  const form = h(
    "form.panel",
    { onsubmit: submit },
    h("h1", {}, "Siaga"),
    h("p.t2", {}, t("sign_in_text")),
    h("label", { for: "key" }, t("api_key")),
    h("div.field", {}, input),
    problem,
    h(
      "div.row",
      {},
      button,
      h(
        "button.btn.quiet.end",
        { type: "button", lang: other, onclick: () => setLanguage(other) },
        t("to_other_language"),
      ),
    ),
  );
  return { element: h("main.sign-in", {}, form), title: t("sign_in") };
}

/**
 * Signing in: by name and password, by an API key, or by the organisation's own account where there is a provider. What
 * is typed goes to the server once; what stays is a cookie that scripts cannot read.
 */

import { h, redraw, text } from "../dom.js";
import { ApiError, call } from "../load.js";
import { language, setLanguage } from "../prefs.js";
import { segments } from "../segments.js";
import { t } from "../words/sign_in.js";

/** @typedef {"password" | "key"} Way */

const UNAUTHORIZED = 401,
  UNPROCESSABLE = 422,
  TOO_MANY = 429;

/**
 * @param {() => Promise<void>} signedIn
 * @returns {import("../router.js").View}
 */
export function signInView(signedIn) {
  let way = lastWay();
  const title = h("h1", {}, "Siaga"),
    fields = h("div.fields"),
    provider = h("div.provider");
  const problem = h("p.problem", { role: "alert" });
  const button = h("button.btn.primary", { type: "submit" }, t("sign_in"));
  const other = language() === "en" ? "id" : "en";

  function drawFields() {
    redraw(fields, way, () =>
      way === "key"
        ? [field("key", t("by_key"), { type: "password", autocomplete: "off", maxlength: 200 }), h("p.t3", {}, t("key_text"))]
        : [
            field("name", t("name"), { type: "text", autocomplete: "username", maxlength: 64, autocapitalize: "none" }),
            field("password", t("password"), { type: "password", autocomplete: "current-password", maxlength: 200 }),
          ],
    );
  }

  /** @param {string} name @returns {string} */
  const typed = (name) => fields.querySelector(`#${name}`).value;

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    text(problem, "");
    const body = way === "key" ? { key: typed("key").trim() } : { name: typed("name").trim(), password: typed("password") };
    try {
      await call("session", { body });
      keepWay(way);
      await signedIn();
    } catch (error) {
      text(problem, refusal(error, way));
      const last = /** @type {HTMLInputElement} */ ([...fields.querySelectorAll("input")].at(-1));
      last.focus();
      last.select();
    } finally {
      button.disabled = false;
    }
  }

  /** @param {{ regency: string, oidc: boolean }} ways */
  function drawWays({ regency, oidc }) {
    redraw(title, regency, () => ["Siaga ", h("span.t2", {}, regency)]);
    // A real link: the provider's page is no page of ours.
    redraw(provider, String(oidc), () =>
      oidc ? [h("p.t3", {}, t("or")), h("a.btn", { href: "/sign-in/oidc", target: "_self" }, t("by_oidc"))] : null,
    );
  }
  // Without an answer there is no such button; the form says what is wrong once it is sent.
  call("session").then(drawWays, () => {});

  drawFields();
  const choice = segments(
    t("by"),
    [
      ["password", t("by_password")],
      ["key", t("by_key")],
    ],
    () => way,
    (chosen) => {
      way = chosen;
      text(problem, "");
      drawFields();
      fields.querySelector("input").focus();
    },
  );
  const language_ = h("button.btn.quiet.end", { type: "button", lang: other, onclick: () => setLanguage(other) }, t("to_other_language"));
  const form = h("form.panel", { onsubmit: submit }, title, choice, fields, problem, h("div.row", {}, button, language_), provider);
  return { element: h("main.sign-in", {}, form), title: t("sign_in") };
}

/** @param {string} name @param {string} label @param {import("../dom.js").Attributes} attributes */
const field = (name, label, attributes) => [
  h("label", { for: name }, label),
  h("div.field", {}, h("input", { id: name, name, required: true, spellcheck: "false", ...attributes })),
];

/** @param {unknown} error @param {Way} way */
function refusal(error, way) {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === TOO_MANY) return t("too_many", { s: error.retryAfter_s });
  const wrong = error.status === UNAUTHORIZED || error.status === UNPROCESSABLE;
  return t(wrong ? (way === "key" ? "key_wrong" : "password_wrong") : "no_answer");
}

const WAY = "siaga.sign-in";

/** @returns {Way} */
function lastWay() {
  try {
    return localStorage.getItem(WAY) === "key" ? "key" : "password";
  } catch {
    return "password";
  }
}

/** @param {Way} way */
function keepWay(way) {
  try {
    localStorage.setItem(WAY, way);
  } catch {
    // It begins with the password again.
  }
}

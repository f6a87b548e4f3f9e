/** One's own account: who one is here, until when, one's password, and the way out. */

import { toast } from "../announce.js";
import { h, text } from "../dom.js";
import { moment } from "../format.js";
import { call } from "../load.js";
import { fact, panel } from "../parts.js";
import { state } from "../store.js";
import { t } from "../words/admin.js";
import { field, input, regionsText, whyNot } from "./admin_form.js";

const LEAST = 12;

/** @returns {import("./admin.js").Part} */
export function accountPart() {
  const { element, body } = panel("account", t("tab_akun"));
  const me = /** @type {import("../store.js").Me} */ (state.me);
  body.className = "body";
  const facts = h(
    "dl.facts",
    {},
    fact(t("name"), me.name),
    fact(t("role"), t(`role_${me.role}`)),
    fact(t("regions"), regionsText(me.regions)),
    fact(t("signed_in_by"), t(`by_${me.by}`)),
    fact(t("ends_at"), me.expires_at ? moment(me.expires_at) : t("never")),
  );
  body.append(facts, h("h3", {}, t("change_password")), me.by === "user" ? passwordForm() : h("p.t2", {}, t("no_password")));
  return { element };
}

function passwordForm() {
  const old = input({ type: "password", name: "old", required: true, autocomplete: "current-password" });
  const fresh = input({ type: "password", name: "new", required: true, minlength: LEAST, autocomplete: "new-password" });
  const again = input({ type: "password", name: "again", required: true, minlength: LEAST, autocomplete: "new-password" });
  const problem = h("p.problem", { role: "alert" });
  const button = h("button.btn.primary", { type: "submit" }, t("change_password"));
  const who = h("input", { type: "text", name: "username", autocomplete: "username", value: state.me?.name, hidden: true });
  const form = h("form.ask", { onsubmit: sent }, who, field(t("old_password"), old), field(t("new_password"), fresh), field(t("again_password"), again), problem, h("div.row", {}, button));

  /** @param {Event} event */
  async function sent(event) {
    event.preventDefault();
    text(problem, fresh.value === again.value ? "" : t("not_alike"));
    if (fresh.value !== again.value) return;
    button.disabled = true;
    try {
      await call("session/password", { body: { old: old.value, new: fresh.value } });
      form.reset();
      toast(t("password_changed"));
    } catch (error) {
      text(problem, whyNot(error));
    } finally {
      button.disabled = false;
    }
  }
  return form;
}

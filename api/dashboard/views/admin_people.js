/** People who may sign in: added and changed, never deleted, as what they did names them. */

import { toast } from "../announce.js";
import { attribute, h } from "../dom.js";
import { moment, number } from "../format.js";
import { call } from "../load.js";
import { message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { gate, refusalOf } from "../roles.js";
import { state } from "../store.js";
import { makeTable } from "../table.js";
import { t } from "../words/admin.js";
import { ROLES, ask, field, input, regionsOf, regionsText, roleSelect } from "./admin_form.js";

/** @typedef {{ name: string, role: string, regions: string[] | null, has_password: boolean, subject: string | null,
 *    disabled: boolean, changed_at: string }} Person */

const LEAST = 12;

/** @returns {import("./admin.js").Part} */
export function peoplePart() {
  const { element, meta, end, body } = panel("people", t("tab_orang"));
  const people = resource("users", draw, { every_ms: 120_000, shape: ({ items }) => /** @type {Person[]} */ (items) });
  const add = gate(h("button.btn", { type: "button", onclick: () => addPerson(people.ask) }, t("add_person")), "admin");
  end.append(add);
  const table = makeTable({
    label: t("tab_orang"),
    keyOf: (/** @type {Person} */ person) => person.name,
    rowClass: ({ disabled }) => (disabled ? "over" : ""),
    columns: [
      { name: "name", words: t("name"), key: ({ name }) => name, cell: ({ name }) => h("b", {}, name) },
      { name: "role", words: t("role"), key: ({ role }) => role, cell: ({ role }) => t(`role_${role}`) },
      { name: "regions", words: t("regions"), key: ({ regions }) => String(regions), cell: ({ regions }) => regionsText(regions) },
      { name: "way", words: t("way"), key: (person) => wayOf(person), cell: (person) => wayOf(person) },
      { name: "state", words: t("col_state"), key: ({ disabled }) => String(disabled), cell: ({ disabled }) => t(disabled ? "disabled" : "may_sign_in") },
      { name: "changed", words: t("changed"), key: ({ changed_at }) => changed_at, cell: ({ changed_at }) => h("span.num.t2", {}, moment(changed_at)) },
      { name: "do", words: h("span.only-read", {}, t("what")), key: (person) => `${state.stream} ${JSON.stringify(person)}`, cell: (person) => editButton(person, people.ask) },
    ],
  });

  function draw() {
    meta.textContent = people.value ? number(people.value.length) : "";
    drawResource(body, people, {
      what: t("tab_orang"),
      key: (all) => String(all.length > 0),
      empty: (all) => (all.length ? null : message(t("no_people"), t("no_people_text"))),
      content: () => table.element,
    });
    table.show(people.value ?? []);
  }

  function update() {
    gate(add, "admin");
    draw();
  }
  return { element, update, key: table.key, close: people.close };
}

/** @param {Person} person */
const wayOf = ({ has_password, subject }) =>
  [has_password && t("with_password"), subject && t("with_oidc")].filter(Boolean).join(", ") || t("with_nothing");

/** @param {Person} person @param {() => void} done */
function editButton(person, done) {
  const button = h("button.btn.small", { type: "button", "aria-label": t("edit_person", { name: person.name }), onclick: () => editPerson(person, done) }, t("edit"));
  const why = refusalOf("admin") ?? (person.name === state.me?.name ? t("own_account") : null);
  attribute(button, "aria-disabled", why !== null && "true");
  for (const name of ["title", "aria-description"]) attribute(button, name, why);
  return button;
}

/** @param {() => void} done */
function addPerson(done) {
  const name = input({ name: "name", required: true, maxlength: 64 });
  const role = roleSelect(ROLES, "operator");
  const regions = input({ name: "regions" });
  const password = input({ type: "password", name: "password", minlength: LEAST, autocomplete: "new-password" });
  const fields = [field(t("name"), name), field(t("role"), role), field(t("regions"), regions, t("regions_hint")), field(t("password_optional"), password)];
  ask(t("add_person"), fields, t("add_person"), async () => {
    const body = { name: name.value.trim(), role: role.value, regions: regionsOf(regions.value), password: password.value || null };
    await call("users", { body });
    toast(t("saved", { name: body.name }));
    done();
  });
}

/** @param {Person} person @param {() => void} done */
function editPerson(person, done) {
  const role = roleSelect(ROLES, person.role);
  const regions = input({ name: "regions", value: person.regions?.join(", ") ?? "" });
  const password = input({ type: "password", name: "password", minlength: LEAST, autocomplete: "new-password" });
  const open = h("input", { type: "checkbox", checked: !person.disabled });
  const fields = [field(t("role"), role), field(t("regions"), regions, t("regions_hint")), field(t("password_keep"), password), h("label.row", {}, open, t("may_sign_in"))];
  ask(t("edit_person", { name: person.name }), fields, t("save"), async () => {
    const body = { role: role.value, regions: regionsOf(regions.value), disabled: !open.checked, password: password.value || null };
    await call(`users/${encodeURIComponent(person.name)}`, { method: "PUT", body });
    toast(t("saved", { name: person.name }));
    done();
  });
}

/** API keys: made and shown once, with the address for a wall; revoked at once. */

import { toast } from "../announce.js";
import { dialog } from "../dialog.js";
import { attribute, h } from "../dom.js";
import { now } from "../clock.js";
import { moment, number } from "../format.js";
import { call } from "../load.js";
import { message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { may, refusalOf } from "../roles.js";
import { state } from "../store.js";
import { makeTable } from "../table.js";
import { t } from "../words/admin.js";
import { ROLES, ask, field, input, regionsOf, regionsText, roleSelect, select } from "./admin_form.js";

/** @typedef {{ id: number, name: string, role: string, regions: string[] | null, owner: string | null, created_at: string,
 *    expires_at: string | null, last_used_at: string | null, revoked_at: string | null }} Key */

const DAYS = 90,
  SOON_MS = 7 * 86_400_000;

/** @returns {import("./admin.js").Part} */
export function keysPart() {
  const { element, meta, end, body } = panel("api-keys", t("tab_kunci"));
  const keys = resource("keys", draw, { every_ms: 120_000, shape: ({ items }) => /** @type {Key[]} */ (items) });
  const add = h("button.btn", { type: "button", onclick: () => makeKey(keys.ask) }, t("make_key"));
  end.append(add);
  const table = makeTable({
    label: t("tab_kunci"),
    keyOf: (/** @type {Key} */ key) => String(key.id),
    rowClass: (key) => (isOver(key) ? "over" : ""),
    columns: [
      { name: "name", words: t("name"), key: ({ name }) => name, cell: ({ name }) => h("b", {}, name) },
      { name: "role", words: t("role"), key: ({ role }) => role, cell: ({ role }) => t(`role_${role}`) },
      { name: "regions", words: t("regions"), key: ({ regions }) => String(regions), cell: ({ regions }) => regionsText(regions) },
      { name: "whose", words: t("whose"), key: ({ owner }) => String(owner), cell: ({ owner }) => owner ?? h("span.t3", {}, t("installations")) },
      { name: "created", words: t("created"), key: ({ created_at }) => created_at, cell: ({ created_at }) => h("span.num.t2", {}, moment(created_at)) },
      { name: "used", words: t("last_used"), key: ({ last_used_at }) => String(last_used_at), cell: ({ last_used_at }) => h("span.num", {}, last_used_at ? moment(last_used_at) : "–") },
      { name: "expires", words: t("expires"), key: (key) => `${key.expires_at} ${key.revoked_at}`, cell: endOf },
      { name: "do", words: h("span.only-read", {}, t("what")), key: (key) => `${state.stream} ${key.revoked_at}`, cell: (key) => !key.revoked_at && revokeButton(key, keys.ask) },
    ],
  });

  function draw() {
    meta.textContent = keys.value ? number(keys.value.filter((key) => !isOver(key)).length) : "";
    drawResource(body, keys, {
      what: t("tab_kunci"),
      key: (all) => String(all.length > 0),
      empty: (all) => (all.length ? null : message(t("no_keys"), t("no_keys_text"))),
      content: () => table.element,
    });
    // Those that open something come first, newest first.
    table.show([...(keys.value ?? [])].sort((a, b) => Number(isOver(a)) - Number(isOver(b)) || b.id - a.id));
  }

  function update() {
    // As api/routes/keys.py has it: one's own by who signed in by name, the installation's by an admin of all regions.
    const may_make = state.me?.by === "user" || (may("admin") && !state.me?.regions);
    off(add, refusalOf("viewer") ?? (may_make ? null : t("key_needs_user")));
    draw();
  }
  update();
  return { element, update, key: table.key, close: keys.close };
}

/** @param {Key} key */
const isOver = ({ revoked_at, expires_at }) => revoked_at !== null || (expires_at !== null && Date.parse(expires_at) < now());

/** @param {Key} key */
function endOf(key) {
  if (key.revoked_at) return h("span.t3", {}, t("revoked", { time: moment(key.revoked_at) }));
  if (!key.expires_at) return t("never");
  if (isOver(key)) return h("span.t3", {}, `${t("is_over")} ${moment(key.expires_at)}`);
  const soon = Date.parse(key.expires_at) - now() < SOON_MS;
  return h(soon ? "b.num" : "span.num", {}, moment(key.expires_at));
}

/** @param {HTMLElement} button @param {string | null} why */
function off(button, why) {
  attribute(button, "aria-disabled", why !== null && "true");
  for (const name of ["title", "aria-description"]) attribute(button, name, why);
  return button;
}

/** @param {Key} key @param {() => void} done */
function revokeButton(key, done) {
  const button = h("button.btn.small", { type: "button", "aria-label": `${t("revoke")} ${key.name}`, onclick: sure }, t("revoke"));
  function sure() {
    ask(t("revoke_title", { name: key.name }), [h("p", {}, t("revoke_text"))], t("revoke"), async () => {
      await call(`keys/${key.id}`, { method: "DELETE" });
      toast(`${key.name}: ${t("revoked", { time: moment(now()) })}`);
      done();
    });
  }
  return off(button, refusalOf("viewer"));
}

/** @param {() => void} done */
function makeKey(done) {
  const mine = state.me?.by === "user",
    whole = may("admin") && !state.me?.regions;
  const own = /** @type {[string, string][]} */ ([...(whole ? [["no", t("installations")]] : []), ...(mine ? [["yes", t("mine")]] : [])]);
  const name = input({ name: "name", required: true, maxlength: 64 });
  const role = roleSelect(ROLES.filter((each) => may(each)), "viewer");
  const regions = input({ name: "regions", value: state.me?.regions?.join(", ") ?? "" });
  const days = input({ type: "number", name: "days", min: 1, required: true, value: DAYS });
  const whose = select(own, own[0][0]);
  const fields = [field(t("key_name"), name), field(t("role"), role), field(t("regions"), regions, t("regions_hint")), field(t("key_days"), days), field(t("whose"), whose)];
  ask(t("make_key"), fields, t("make_key"), async () => {
    const body = { name: name.value.trim(), role: role.value, regions: regionsOf(regions.value), days: Number(days.value), own: whose.value === "yes" };
    const made = await call("keys", { body });
    done();
    showOnce(made);
  });
}

/** @param {Key & { key: string }} made */
function showOnce({ name, role, key }) {
  const wall = role === "viewer" ? `${location.origin}/dinding?kunci=${encodeURIComponent(key)}` : null;
  const content = h("div.once", {}, h("p", {}, t("key_once_text")), secret(key), wall && [h("p", {}, t("wall_address")), secret(wall)]);
  const made = dialog(t("key_shown_once", { name }), content);
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
}

/** @param {string} value */
function secret(value) {
  const shown = h("code", { tabindex: 0 }, value);
  async function copy() {
    // Off https a browser has no clipboard for a page: then it is selected, to be copied by hand.
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(value);
      toast(t("copied"));
    } else getSelection()?.selectAllChildren(shown);
  }
  return h("div.secret", {}, shown, h("button.btn", { type: "button", onclick: copy }, t("copy")));
}

/** Open browser sessions: one's own, an admin's are all; each can be ended. */

import { h } from "../dom.js";
import { moment, number } from "../format.js";
import { call } from "../load.js";
import { panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { gate } from "../roles.js";
import { state } from "../store.js";
import { makeTable } from "../table.js";
import { t } from "../words/admin.js";
import { attempt } from "./admin_form.js";

/** @typedef {{ id: number, name: string, role: string, created_at: string, seen_at: string, expires_at: string,
 *    address: string | null, current: boolean }} Session */

/** @returns {import("./admin.js").Part} */
export function sessionsPart() {
  const { element, meta, body } = panel("sessions", t("tab_sesi"));
  const sessions = resource("sessions", draw, { every_ms: 60_000, shape: ({ items }) => /** @type {Session[]} */ (items) });
  const time = (/** @type {"created_at" | "seen_at" | "expires_at"} */ of, /** @type {string} */ words) => ({
    name: of,
    words,
    key: (/** @type {Session} */ session) => session[of],
    cell: (/** @type {Session} */ session) => h("span.num", {}, moment(session[of])),
  });
  const table = makeTable({
    label: t("tab_sesi"),
    keyOf: (/** @type {Session} */ session) => String(session.id),
    columns: [
      { name: "name", words: t("name"), key: ({ name, current }) => `${name} ${current}`, cell: ({ name, current }) => [h("b", {}, name), current && [" ", h("span.tag", {}, t("this_one"))]] },
      { name: "role", words: t("role"), key: ({ role }) => role, cell: ({ role }) => t(`role_${role}`) },
      time("created_at", t("began")),
      time("seen_at", t("seen")),
      time("expires_at", t("ends_at")),
      { name: "address", words: t("address"), key: ({ address }) => String(address), cell: ({ address }) => h("span.num.t2", {}, address ?? "–") },
      { name: "do", words: h("span.only-read", {}, t("what")), key: ({ id }) => `${id} ${state.stream}`, cell: endButton },
    ],
  });

  /** @param {Session} session */
  function endButton({ id, name, current }) {
    // One's own ends by signing out, which also clears the screen.
    if (current) return null;
    const end = () => attempt(() => call(`sessions/${id}`, { method: "DELETE" }), t("ended", { name })).then(() => sessions.ask());
    return gate(h("button.btn.small", { type: "button", "aria-label": `${t("end_session")} ${name}`, onclick: end }, t("end_session")), "viewer");
  }

  function draw() {
    meta.textContent = sessions.value ? number(sessions.value.length) : "";
    drawResource(body, sessions, { what: t("tab_sesi"), key: () => "", content: () => table.element });
    table.show(sessions.value ?? []);
  }
  return { element, update: draw, key: table.key, close: sessions.close };
}

/** Admin: one's own account for everybody; for admins people, keys, sessions, and who did what. */

import { h, redraw } from "../dom.js";
import { message } from "../parts.js";
import { may } from "../roles.js";
import { asked } from "../router.js";
import { tabs } from "../segments.js";
import { state } from "../store.js";
import { t } from "../words/admin.js";
import { accountPart } from "./admin_account.js";
import { auditPart } from "./admin_audit.js";
import { dutyPart } from "./admin_duty.js";
import { keysPart } from "./admin_keys.js";
import { peoplePart } from "./admin_people.js";
import { sessionsPart } from "./admin_sessions.js";

/** update: when the stream or the role of a control changes
 *  @typedef {{ element: HTMLElement, update?: () => void, key?: (event: KeyboardEvent) => boolean, close?: () => void }} Part */
/** whole: of the whole installation, so not for who is limited to regions
 *  @typedef {{ make: () => Part, admin?: boolean, whole?: boolean }} Entry */

/** @type {Record<string, Entry>} */
const PARTS = {
  akun: { make: accountPart },
  orang: { make: peoplePart, admin: true, whole: true },
  kunci: { make: keysPart },
  sesi: { make: sessionsPart },
  audit: { make: auditPart, admin: true, whole: true },
  piket: { make: dutyPart, whole: true },
};

/** @returns {import("../router.js").View} */
export function view() {
  const bar = h("div.toolbar"),
    room = h("div.room");
  const element = h("div.view.admin", {}, bar, room);
  /** @type {Part | null} */
  let part = null;
  let shown = "";

  function show() {
    const name = asked("tab") in PARTS ? asked("tab") : may("admin") ? "orang" : "akun";
    redraw(bar, `${name} ${document.documentElement.lang}`, () =>
      tabs(t("parts"), Object.keys(PARTS).map((each) => ({ name: each, href: `/admin?tab=${each}` })), name, (each) => t(`tab_${each}`)),
    );
    if (name === shown) return;
    part?.close?.();
    shown = name;
    const why = refusal(PARTS[name]);
    part = why ? { element: h("section.panel", {}, message(why)) } : PARTS[name].make();
    room.replaceChildren(part.element);
  }
  show();
  return {
    element,
    title: t("admin"),
    update: (topics) => (topics.has("stream") ? part?.update?.() : undefined),
    key: (event) => part?.key?.(event) ?? false,
    moved: show,
    close: () => part?.close?.(),
  };
}

/** Why a part has nothing to show to this person. @param {Entry} entry */
function refusal({ admin, whole }) {
  if (admin && !may("admin")) return t("needs_role", { role: t("role_admin") });
  return whole && state.me?.regions ? t("whole_only") : null;
}

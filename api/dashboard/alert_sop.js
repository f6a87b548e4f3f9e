/**
 * What is to be done at the level at which an alert stands, step by step. A step that is ticked is a comment of the alert:
 * who did it and when is on the record, and every screen shows it.
 */

import { act } from "./alert_act.js";
import { attribute, h, redraw } from "./dom.js";
import { moment, said } from "./format.js";
import { refusalOf } from "./roles.js";
import { state } from "./store.js";
import { t } from "./words/alerts.js";

/** With what the comment of a ticked step begins. */
export const SOP_CHECK = "SOP ✓ ";

/** @typedef {import("./alert_story.js").Whole} Whole */

export function alertSop() {
  const title = h("h3"),
    steps = h("ul.sop");
  const element = h("div.sect", { hidden: true }, title, steps);

  /** @param {import("./store.js").Alert} alert @param {Whole | null} whole */
  function show(alert, whole) {
    const procedure = whole?.id === alert.id ? whole.procedure : null;
    element.hidden = !procedure?.sop;
    if (!procedure?.sop || !whole) return;
    const { role, sop } = procedure;
    const key = `${whole.id} ${whole.version} ${state.stream} ${state.me?.role} ${document.documentElement.lang}`;
    redraw(title, key, () => [t("sop"), role && h("span.t3", {}, ` · ${t("in_charge", { role })}`)]);
    redraw(steps, key, () => {
      // Indonesian is the master: what is written on the record is its words, in whatever language it is read.
      const written = stepsOf(sop.id),
        read = stepsOf(said(sop));
      return written.map((step, i) => line(alert, whole, step, read.length === written.length ? read[i] : step));
    });
  }

  return { element, show };
}

/** @param {string} text  sentences */
const stepsOf = (text) => text.split(/(?<=\.)\s+/).filter(Boolean);

/** @param {import("./store.js").Alert} alert @param {Whole} whole @param {string} step @param {string} words */
function line(alert, whole, step, words) {
  const done = whole.history.find(({ what, why }) => what === "commented" && why === SOP_CHECK + step);
  const why = refusalOf("operator");
  const box = h("input", { type: "checkbox", checked: done !== undefined });
  // Ticked it stays: what was done was done.
  attribute(box, "disabled", done !== undefined || why !== null);
  attribute(box, "title", why);
  box.addEventListener("change", async () => {
    box.disabled = true;
    const refused = await act("comment", [alert], { reason: SOP_CHECK + step }, { any: true });
    if (refused === null || refused.length) box.checked = box.disabled = false;
  });
  return h(
    "li",
    {},
    h("label", {}, box, h("span", {}, words)),
    done && h("span.t3.num", {}, `${moment(done.event_at)} ${done.who ?? ""}`),
  );
}

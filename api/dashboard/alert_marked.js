/** Rows that are marked, and the bar that acts on them: one action for all, and what was refused, one by one. */

import { act } from "./alert_act.js";
import { assignDialog, commentDialog, shelveDialog } from "./alert_dialogs.js";
import { h, redraw } from "./dom.js";
import { number, said } from "./format.js";
import { gate } from "./roles.js";
import { state } from "./store.js";
import { t } from "./words/alerts.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./alert_act.js").Refused} Refused */

/** @param {() => Alert[]} shown  in their order @param {() => void} changed */
export function markedRows(shown, changed) {
  /** @type {Set<number>} */
  const marks = new Set();
  /** @type {number | null} */
  let anchor = null;
  /** @type {Refused[]} */
  let refused = [];
  const bar = h("div.marked-bar", { role: "status", hidden: true });

  /** Those that are still shown; what has left the list is not acted on unseen. */
  const those = () => shown().filter(({ id }) => marks.has(id));

  /** @param {number} id @param {boolean} range  from the last one marked */
  function mark(id, range) {
    const ids = shown().map((alert) => alert.id);
    const from = anchor === null ? -1 : ids.indexOf(anchor),
      to = ids.indexOf(id);
    if (range && from >= 0 && to >= 0)
      for (const each of ids.slice(Math.min(from, to), Math.max(from, to) + 1)) marks.add(each);
    else if (!marks.delete(id)) marks.add(id);
    anchor = id;
    refused = [];
    changed();
  }

  function clear() {
    marks.clear();
    anchor = null;
    refused = [];
    changed();
  }

  /** @param {Refused[]} those_refused */
  function done(those_refused) {
    marks.clear();
    for (const { alert } of those_refused) marks.add(alert.id);
    refused = those_refused;
    changed();
  }

  async function acknowledge() {
    const answer = await act("ack", those());
    if (answer) done(answer);
  }

  const actions = {
    a: acknowledge,
    t: () => shelveDialog(those(), done),
    o: () => assignDialog(those(), done),
    c: () => commentDialog(those(), done),
  };

  function update() {
    const n = those().length;
    bar.hidden = !n;
    const names = refused.map(({ alert }) => alert.id).join();
    redraw(bar, `${n} ${names} ${state.stream} ${document.documentElement.lang}`, () => {
      if (!n) return null;
      const button = (/** @type {keyof actions} */ key, /** @type {string} */ word) =>
        gate(
          h(
            key === "a" ? "button.btn.primary" : "button.btn",
            { type: "button", onclick: actions[key] },
            word,
            h("kbd", { "aria-hidden": "true" }, key.toUpperCase()),
          ),
          "operator",
        );
      return [
        refused.length > 0 &&
          h(
            "ul.refused",
            {},
            refused.map(({ alert, problem }) => h("li", {}, h("b", {}, said(alert.title)), ` – ${problem}`)),
          ),
        h("b", {}, t(refused.length ? "n_refused_marked" : "n_marked", { n: number(n) })),
        button("a", t("ack")),
        button("t", t("mark_shelve")),
        button("o", t("mark_assign")),
        button("c", t("mark_comment")),
        h("button.btn.end", { type: "button", onclick: clear }, t("cancel")),
      ];
    });
  }

  return {
    bar,
    mark,
    clear,
    update,
    has: (/** @type {number} */ id) => marks.has(id),
    any: () => those().length > 0,
    /** Everything that is shown, or nothing. @param {boolean} on */
    all(on) {
      marks.clear();
      if (on) for (const { id } of shown()) marks.add(id);
      changed();
    },
    /** @param {string} key  a letter @returns {boolean} */
    key(key) {
      const action = actions[/** @type {"a"} */ (key)];
      if (!action || !those().length) return false;
      action();
      return true;
    },
  };
}

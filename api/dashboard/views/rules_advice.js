/** The adviser: alerts that come too often, and which change of a rule would have spared most of them. */

import { h } from "../dom.js";
import { said } from "../format.js";
import { ApiError, call } from "../load.js";
import { message } from "../parts.js";
import { t } from "../words/rules.js";
import { ruleName } from "./rules_data.js";

/** @typedef {{ rule: string, device_id: string, device_name: string, alerts: number, sentence: import("../store.js").Text,
 *    proposal: { rule: import("./rules_data.js").Rule } | null }} Advised */

const PATIENCE_MS = 120_000;
/** Kept while the page is: working it out takes seconds. @type {Advised[] | null} */
let known = null;
/** @type {string | null} */
let failed = null;
let asking = false;

/** @param {() => void} changed @param {(advised: Advised) => void} take */
export function advice(changed, take) {
  async function ask() {
    asking = true;
    failed = null;
    changed();
    try {
      known = (await call("alerts/advice", { timeout_ms: PATIENCE_MS })).items;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failed = error.status ? error.message : t("no_answer");
    }
    asking = false;
    changed();
  }

  return {
    /** What the drawing depends on. */
    key: () => `${asking} ${failed} ${known?.length}`,
    content: () => [
      message(
        t("advice_title"),
        t("advice_text"),
        asking
          ? h("span.t3", {}, t("advice_running"))
          : h("button.btn", { type: "button", onclick: ask }, t("advice_ask")),
      ),
      failed && h("p.problem.body", { role: "alert" }, failed),
      known && !known.length && h("p.t2.body", {}, t("advice_none")),
      h(
        "ul.advice",
        {},
        (known ?? []).map((each) =>
          h(
            "li",
            {},
            h("b", {}, `${ruleName(each.rule)} · ${each.device_name}`),
            h("p.t2", {}, said(each.sentence)),
            each.proposal && h("button.btn.small", { type: "button", onclick: () => take(each) }, t("advice_take")),
          ),
        ),
      ),
    ],
  };
}

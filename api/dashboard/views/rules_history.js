/** Every version of a rule: who, when, why, and what differed; any of them can be proposed again. */

import { toast } from "../announce.js";
import { dialog } from "../dialog.js";
import { h, text } from "../dom.js";
import { day, time } from "../format.js";
import { ApiError, call } from "../load.js";
import { message, skeleton } from "../parts.js";
import { gate, refusalOf } from "../roles.js";
import { t } from "../words/rules.js";
import { differences } from "./rules_data.js";

/** @typedef {import("./rules_data.js").Item} Item */
/** @typedef {import("./rules_data.js").Rule} Rule */
/** @typedef {import("./rules_data.js").Version} Version */

/**
 * @param {Item} item
 * @param {(rule: Rule) => void} adopt  begin from this text
 * @param {(item: Item | null) => void} saved  it was given back; null: nothing is in its place
 */
export async function historyDialog(item, adopt, saved) {
  const list = h("div.versions", {}, skeleton(3));
  const made = dialog(
    t("versions"),
    h("div", {}, list, item.origin === "stored" && giveBack(item, () => made.close(), saved)),
  );
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  try {
    /** @type {{ history: Version[] }} */
    const { history } = await call(`rules/${item.id}`);
    const own = history.filter(({ kind, scope }) => kind === item.kind && scope === item.scope);
    list.replaceChildren(
      ...(own.length
        ? own.map((version, i) =>
            versionItem(
              version,
              own[i + 1]?.rule ?? null,
              version.version === item.version,
              () => (adopt(/** @type {Rule} */ (version.rule)), made.close()),
            ),
          )
        : [message(t("never_changed"))]),
    );
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    list.replaceChildren(message(t("cannot_load", { what: t("versions") }), error.message));
  }
}

/** @param {Version} version @param {Rule | null} before @param {boolean} inForce @param {() => void} adopt */
function versionItem(version, before, inForce, adopt) {
  const { rule } = version;
  const changes = rule && before ? differences(before, rule) : [];
  return h(
    "article.version",
    {},
    h(
      "div.row",
      {},
      h("b", {}, t("version", { n: version.version })),
      inForce && h("span.tag", {}, t("in_force")),
      h("span.t3.end", {}, `${day(version.at)} ${time(version.at)} · ${version.who}`),
    ),
    h("p", {}, version.reason),
    rule === null
      ? h("p.t2", {}, t("given_back"))
      : h(
          "ul.t2",
          {},
          changes.map(({ label, before: was, after }) => h("li", {}, `${label}: `, h("s", {}, was), ` ${after}`)),
        ),
    rule && !inForce && gate(h("button.btn.small", { type: "button", onclick: adopt }, t("propose_again")), "engineer"),
  );
}

/** Back to what was shipped, with a reason. @param {Item} item @param {() => void} done @param {(item: Item | null) => void} saved */
function giveBack(item, done, saved) {
  const why = h("input", {
    type: "text",
    maxlength: 2000,
    required: true,
    "aria-label": t("reason_of_change"),
    placeholder: t("reason_hint"),
  });
  const problem = h("p.problem", { role: "alert" });
  return h(
    "form.give-back",
    {
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        if (refusalOf("engineer")) return;
        const query = new URLSearchParams({ kind: item.kind, scope: item.scope, reason: why.value.trim() });
        try {
          const { now } = await call(`rules/${item.id}?${query}`, {
            method: "DELETE",
            headers: { "If-Match": `"${item.version}"` },
          });
          toast(t("given_back_now"));
          done();
          saved(now);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          text(problem, error.message);
        }
      },
    },
    h("span.field", {}, why),
    gate(h("button.btn", { type: "submit" }, t("give_back")), "engineer"),
    problem,
  );
}

/** One rule, to be read and changed: fields, reason, and saving what a dry-run of exactly this text has shown. */

import { announce, toast } from "../announce.js";
import { attribute, h, redraw, text } from "../dom.js";
import { moment } from "../format.js";
import { ApiError, call } from "../load.js";
import { icon } from "../marks.js";
import { gate, may, refusalOf } from "../roles.js";
import { state } from "../store.js";
import { t } from "../words/rules.js";
import { canTry, differences, ruleName, valueText } from "./rules_data.js";
import { ruleFields } from "./rules_fields.js";
import { historyDialog } from "./rules_history.js";

/** @typedef {import("./rules_data.js").Item} Item */
/** @typedef {import("./rules_data.js").Rule} Rule */
/** @typedef {{ tried: (rule: Rule) => { ok: boolean, understood: boolean }, changed: () => void }} Trial */

/**
 * @param {Item} item
 * @param {{ fresh: boolean, proposal: Rule | null, reason: string, trial: Trial, saved: (item: Item | null) => void, run: () => void }} options
 */
export function ruleEditor(item, { fresh, proposal, reason, trial, saved, run }) {
  let base = item,
    draft = structuredClone(proposal ?? item.rule),
    saving = false;
  const locked = !may("engineer") || matchMedia("(max-width: 719px)").matches;
  const meta = h("span.meta"),
    place = h("div"),
    conflict = h("div.conflict", { role: "alert" }),
    why = h(
      "textarea.field",
      {
        rows: 3,
        maxlength: 2000,
        required: true,
        "aria-label": t("reason_of_change"),
        oninput: refresh,
        placeholder: t("reason_hint"),
      },
      reason,
    );
  const problem = h("p.problem", { role: "alert" }),
    hint = h("span.t3.hint");
  const tryIt = h("button.btn", { type: "button", onclick: run }, t("run_trial")),
    undo = h("button.btn.quiet", { type: "button", onclick: reset }, t("undo")),
    save = h("button.btn.primary", { type: "button", onclick: put }, t("save"));
  const element = h(
    "section.panel.editor",
    { "aria-labelledby": "h-editor" },
    h(
      "header",
      {},
      h("a.back.btn.quiet.small", { href: "/aturan" }, icon("back"), t("rules")),
      h("h2", { id: "h-editor" }, ruleName(item.id)),
      meta,
      h(
        "button.btn.quiet.small.end",
        { type: "button", onclick: () => historyDialog(item, adopt, saved) },
        t("versions"),
      ),
    ),
    h(
      "fieldset.scrolls",
      { disabled: locked },
      locked &&
        h("p.locked.t2", {}, may("engineer") ? t("read_only_phone") : t("needs_role", { role: t("role_engineer") })),
      conflict,
      place,
      h("div.line.reason", {}, h("span.t2", {}, t("reason_of_change")), why),
      problem,
    ),
    h("footer", {}, tryIt, hint, undo, save),
  );
  let fields = drawFields();

  function drawFields() {
    const scopes = ["device", ...(state.kinds.get(item.kind)?.groups ?? ["district"]).filter((by) => by !== "all")];
    const made = ruleFields({ rule: () => draft, base: () => base.rule, set }, fresh, scopes);
    place.replaceChildren(made.element);
    return made;
  }

  /** @param {string} path @param {any} value */
  function set(path, value) {
    /** @type {any} */
    let at = draft;
    const names = path.split(".");
    for (const name of names.slice(0, -1)) at = at[name];
    at[/** @type {string} */ (names.at(-1))] = value;
    refresh();
  }

  const isChanged = () => fresh || JSON.stringify(draft) !== JSON.stringify(base.rule);
  // A number that is none stands in the draft as NaN, which JSON would make null.
  const isSound = () =>
    !element.querySelector('[aria-invalid="true"]') && (!fresh || Object.keys(draft.scope).length > 0);

  /** Why it cannot be saved yet; null when it can. */
  function missing() {
    if (!isSound()) return t(fresh && !Object.keys(draft.scope).length ? "m_scope" : "m_number");
    if (!isChanged()) return t("m_unchanged");
    const { ok, understood } = trial.tried(draft);
    if (!ok) return t(canTry(draft) ? "m_trial" : "m_no_trial");
    if (!understood) return t("m_understood");
    if (!why.value.trim()) return t("m_reason");
    return null;
  }

  function refresh() {
    fields.refresh();
    const refused = refusalOf("engineer"),
      lacks = missing();
    for (const control of [tryIt, undo, save]) gate(control, "engineer");
    if (!refused && (lacks || saving)) {
      attribute(save, "aria-disabled", "true");
      attribute(save, "title", lacks);
      attribute(save, "aria-description", lacks);
    }
    if (!refused && !isSound()) attribute(tryIt, "aria-disabled", "true");
    tryIt.hidden = !canTry(draft);
    undo.hidden = !isChanged() || fresh;
    text(hint, isChanged() && !refused ? (lacks ?? "") : "");
    text(problem, "");
    const version = base.version ? t("version", { n: base.version }) : t("shipped");
    text(meta, isChanged() ? t("proposing", { version }) : version);
    trial.changed();
  }

  function reset() {
    adopt(base.rule);
  }

  /** Begin from this text. @param {Rule} rule */
  function adopt(rule) {
    draft = structuredClone({ ...rule, scope: base.rule.scope });
    fields = drawFields();
    conflict.replaceChildren();
    refresh();
  }

  async function put() {
    if (saving || missing()) return;
    saving = true;
    refresh();
    try {
      /** @type {Item} */
      const now = await call(`rules/${item.id}`, {
        method: "PUT",
        body: { rule: draft, reason: why.value.trim() },
        headers: { "If-Match": `"${fresh ? 0 : base.version}"` },
      });
      toast(t("saved", { n: now.version }));
      announce(() => t("saved", { n: now.version }));
      saving = false;
      saved(now);
    } catch (error) {
      saving = false;
      refresh();
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 412) await showConflict();
      else text(problem, error.status ? error.message : t("no_answer"));
    }
  }

  /** Somebody has saved another version meanwhile: both, side by side. */
  async function showConflict() {
    /** @type {{ in_force: Item[] }} */
    const { in_force } = await call(`rules/${item.id}`);
    const scope = Object.entries(draft.scope)
      .map(([by, value]) => `${by}=${value}`)
      .join();
    const theirs = in_force.find((each) => each.kind === item.kind && each.scope === scope);
    if (!theirs) return text(problem, t("rule_gone"));
    const rows = new Map(
      [...differences(base.rule, draft), ...differences(base.rule, theirs.rule)].map(({ path, label }) => [
        path,
        label,
      ]),
    );
    redraw(conflict, `${theirs.version} ${JSON.stringify(draft)}`, () => [
      h(
        "b",
        {},
        t("conflict", {
          n: theirs.version,
          who: theirs.changed_by,
          time: theirs.changed_at && moment(theirs.changed_at),
        }),
      ),
      h("p", {}, theirs.reason),
      h(
        "table.compact",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, t("field")),
            h("th.r", { scope: "col" }, t("version", { n: theirs.version })),
            h("th.r", { scope: "col" }, t("yours")),
          ),
        ),
        h(
          "tbody",
          {},
          [...rows].map(([path, label]) =>
            h(
              "tr",
              {},
              h("td", {}, label),
              h("td.r", {}, valueText(theirs.rule, path)),
              h("td.r.b", {}, valueText(draft, path)),
            ),
          ),
        ),
      ),
      h(
        "div.row",
        {},
        h("button.btn", { type: "button", onclick: () => rebase(theirs, false) }, t("take_theirs")),
        h("button.btn", { type: "button", onclick: () => rebase(theirs, true) }, t("keep_mine")),
      ),
    ]);
    conflict.scrollIntoView({ block: "nearest" });
  }

  /** Go on from the version of now. @param {Item} theirs @param {boolean} mine  with my proposal on it */
  function rebase(theirs, mine) {
    base = theirs;
    fresh = false;
    adopt(mine ? draft : theirs.rule);
  }

  refresh();
  return {
    element,
    refresh,
    draft: () => draft,
    isChanged,
    isSound,
  };
}

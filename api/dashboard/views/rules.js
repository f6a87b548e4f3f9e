/** Aturan: what a rule does, what a change of it would have done, and what it would have missed. */

import { attribute, h, redraw, text } from "../dom.js";
import { number, said } from "../format.js";
import { severityMark } from "../marks.js";
import { message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { gate } from "../roles.js";
import { asked, go } from "../router.js";
import { moveInRows } from "../rows.js";
import { state } from "../store.js";
import { t } from "../words/rules.js";
import { advice } from "./rules_advice.js";
import { addressOf, kindOrAll, openOf, ruleName, scopeText } from "./rules_data.js";
import { ruleEditor } from "./rules_editor.js";
import { trialPanel } from "./rules_trial.js";

/** @typedef {import("./rules_data.js").Item} Item */
/** @typedef {import("./rules_data.js").Rule} Rule */

/** How many devices of its kind there are. @param {Item} item */
function watchedBy({ kind }) {
  let n = 0;
  for (const device of state.devices.values()) if (kind === "*" || device.kind === kind) n++;
  return n ? t("n_devices", { n: number(n) }) : null;
}

/** What the adviser proposes, on its way to the view of its rule. @type {{ rule: Rule, reason: string } | null} */
let proposed = null;
/** What was listed last, so that going from rule to rule draws at once. @type {Item[] | null} */
let listed = null;

/** @param {string} id @returns {import("../router.js").View} */
export function view(id) {
  const list = panel("rule-list", t("rules"));
  list.body.className = "scrolls";
  const beside = gate(
    h(
      "button.btn.small",
      { type: "button", onclick: () => chosen() && go(`${addressOf(/** @type {Item} */ (chosen()))}&baru=1`) },
      t("new_rule"),
    ),
    "engineer",
  );
  if (id) list.end.append(beside);
  const adviser = advice(drawAdvice, ({ sentence, proposal }) => {
    if (!proposal) return;
    proposed = { rule: proposal.rule, reason: said(sentence) };
    const { id: of, kind, scope } = proposal.rule;
    const narrowed = Object.entries(scope)
      .map(([by, value]) => `${by}=${value}`)
      .join();
    const known = listed?.find((each) => each.id === of && each.kind === kind && each.scope === narrowed);
    const general =
      listed?.find((each) => each.id === of && each.kind === kind && !each.scope) ??
      listed?.find((each) => each.id === of);
    if (known) go(addressOf(known));
    else if (general) go(`${addressOf(general)}&baru=1`);
  });
  const trial = trialPanel({
    title: t(id ? "trial" : "advice"),
    idle: () => (id ? message(t("trial_idle"), t("trial_idle_text")) : adviser.content()),
    idleKey: adviser.key,
    changed: () => editor?.refresh(),
  });
  const hole = h("div.panel.editor.hole");
  const element = h("div.view.rules", { "data-chosen": id !== "" }, list.element, hole, trial.element);
  const items = resource("rules", draw, { shape: ({ items: found }) => /** @type {Item[]} */ (found) });
  /** @type {ReturnType<typeof ruleEditor> | null} */
  let editor = null;
  let drawn = "";
  let shown = asked("baru");

  const all = () => items.value ?? listed;

  function chosen() {
    const kind = asked("jenis"),
      scope = asked("cakupan");
    const of = (all() ?? []).filter((each) => each.id === id);
    return of.find((each) => (!kind || each.kind === kind) && each.scope === scope) ?? (kind ? null : (of[0] ?? null));
  }

  function drawAdvice() {
    if (!id) trial.draw();
  }

  function draw() {
    if (items.value) listed = items.value;
    attribute(beside, "hidden", !chosen() || Boolean(chosen()?.scope) || shown === "1");
    drawList();
    drawEditor();
  }

  function drawList() {
    const found = all();
    text(list.meta, found ? t("n_active", { n: number(found.filter(({ enabled }) => enabled).length) }) : "");
    const order = [...state.kinds.keys(), "*"];
    const now = chosen();
    const counts = (found ?? []).map(openOf);
    const key = `${found?.map((each) => `${each.id}${each.kind}${each.scope}${each.version}`)} ${counts} ${now && addressOf(now)} ${state.kinds.size} ${state.devices.size}`;
    const content = () =>
      order.map((kind) => {
        const of = (found ?? []).filter((each) => each.kind === kind);
        return of.length
          ? [
              h("h3", {}, kindOrAll(kind)),
              h(
                "ul",
                {},
                of.map((each) => row(each, each === now)),
              ),
            ]
          : null;
      });
    if (items.value || !listed) drawResource(list.body, items, { what: t("rules"), lines: 8, key: () => key, content });
    else redraw(list.body, key, content);
  }

  /** @param {Item} item @param {boolean} isChosen */
  function row(item, isChosen) {
    const worst = Math.max(...item.rule.level.map(({ severity }) => severity)),
      open = openOf(item);
    return h(
      item.enabled ? "li" : "li.off",
      {},
      h(
        "a",
        {
          href: addressOf(item),
          tabindex: isChosen || (!id && item === listed?.[0]) ? 0 : -1,
          "aria-current": isChosen && "true",
        },
        severityMark(worst, { fill: "outlined", label: t(`sev${worst}`) }),
        h(
          "span",
          {},
          h("b", {}, ruleName(item.id)),
          h(
            "span.sub",
            {},
            [
              item.scope ? scopeText(item.scope) : watchedBy(item),
              item.enabled ? null : t("off"),
              item.version ? t("version", { n: item.version }) : t("shipped"),
            ]
              .filter(Boolean)
              .join(" · "),
          ),
        ),
        open > 0 && h("span.num.t3.open", {}, t("n_open", { n: number(open) })),
      ),
    );
  }

  function drawEditor() {
    const item = chosen();
    if (!id || !item || !state.kinds.size) {
      hole.hidden = false;
      redraw(hole, `${id} ${all() === null} ${document.documentElement.lang}`, () =>
        !id ? message(t("choose_rule"), t("choose_rule_text")) : all() ? message(t("no_rule", { id })) : null,
      );
      return;
    }
    const stamp = `${addressOf(item)} ${item.version} ${shown}`;
    // What somebody is writing stays, whatever is loaded meanwhile.
    if (
      stamp === drawn ||
      (editor?.isChanged() && drawn.startsWith(`${addressOf(item)} `) && drawn.endsWith(` ${shown}`))
    )
      return;
    drawn = stamp;
    const given = proposed?.rule.id === id && proposed.rule.kind === item.kind ? proposed : null;
    proposed = null;
    const fresh = shown === "1";
    editor = null;
    const made = ruleEditor(fresh ? { ...item, scope: "", rule: { ...item.rule, scope: {} } } : item, {
      fresh,
      proposal: given?.rule ?? null,
      reason: given?.reason ?? "",
      trial: { tried: trial.tried, changed: () => editor && trial.show(editor.draft()) },
      saved,
      run: () => editor && trial.run(editor.draft()),
    });
    element.replaceChild(made.element, element.children[1]);
    editor = made;
    trial.show(made.draft());
    made.refresh();
  }

  /** @param {Item | null} item */
  function saved(item) {
    drawn = "";
    editor = null;
    items.ask();
    if (item && (shown || item.scope !== asked("cakupan"))) go(addressOf(item));
    else if (!item) go("/aturan");
  }

  function moved() {
    shown = asked("baru");
    draw();
  }

  draw();
  return {
    element,
    title: id ? ruleName(id) : t("rules"),
    /** @param {Set<string>} topics */
    update(topics) {
      if (topics.has("kinds") || topics.has("devices") || topics.has("alerts")) draw();
      if (topics.has("stream")) {
        gate(beside, "engineer");
        editor?.refresh();
      }
      if (topics.has("stream") && !id) trial.draw();
    },
    key(event) {
      return moveInRows(event, list.body, "li > a") !== null;
    },
    back() {
      if (!id) return false;
      go("/aturan");
      return true;
    },
    moved,
    close() {
      items.close();
      trial.close();
    },
  };
}

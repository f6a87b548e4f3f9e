/** What is asked before an alert is shelved, assigned, commented on, or an acknowledgement is taken back. */

import { act } from "./alert_act.js";
import { now } from "./clock.js";
import { dialog } from "./dialog.js";
import { h, redraw, text } from "./dom.js";
import { moment, momentOf, number, said } from "./format.js";
import { call } from "./load.js";
import { may } from "./roles.js";
import { state } from "./store.js";
import { t } from "./words/act.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./alert_act.js").Refused} Refused */
/** Told what was refused, once something was asked. @typedef {(refused: Refused[]) => void} Done */

const HOUR_MS = 3_600_000;
// As SIAGA_SHELVE_MAX_H and SIAGA_SHELVE_ENGINEER_MAX_H are shipped; the server says so where they differ.
const MOST_H = 12,
  ENGINEER_MOST_H = 168;
const HOURS = [1, 2, 4, 12, 24];
const CRITICAL = 3;
const REASONS = ["reason_repair", "reason_parts", "reason_power", "reason_known"];

/** @param {Alert[]} alerts */
const what = (alerts) => (alerts.length === 1 ? said(alerts[0].title) : t("n_alerts", { n: number(alerts.length) }));

/**
 * A form over the page: sent with its button or Enter, closed when it was done.
 * @param {string} title
 * @param {any[]} fields
 * @param {HTMLButtonElement[]} buttons
 * @param {() => Promise<boolean>} send  whether it was done
 */
function ask(title, fields, buttons, send) {
  const cancel = h("button.btn", { type: "button", onclick: () => made.close() }, t("cancel"));
  const form = h("form.ask", { onsubmit: sent }, fields, h("div.row.ask-buttons", {}, buttons, cancel));
  const made = dialog(title, form);
  made.classList.add("sheet");

  /** @param {Event} event */
  async function sent(event) {
    event.preventDefault();
    for (const button of buttons) button.disabled = true;
    if (await send()) made.close();
    for (const button of buttons) button.disabled = false;
  }

  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  (form.querySelector("input:checked") ?? form.querySelector("input, textarea"))?.focus();
}

/**
 * Do it, and say whether the dialog is done with. One alert that was refused leaves it open: nothing typed is lost.
 * @param {Alert[]} alerts @param {Promise<Refused[] | null>} asked @param {Done} done
 */
async function answered(alerts, asked, done) {
  const refused = await asked;
  if (refused === null || (refused.length === 1 && alerts.length === 1)) return false;
  done(refused);
  return true;
}

/** @param {string} label @param {number} [lines] */
function sentence(label, lines = 3) {
  const area = h("textarea", { rows: lines, maxlength: 2000, required: true });
  return { area, field: h("label.ask-field", {}, h("span.t2", {}, label), area) };
}

/** @param {Alert[]} alerts @param {Done} done */
export function commentDialog(alerts, done) {
  const { area, field } = sentence(t("comment"));
  const button = h("button.btn.primary", { type: "submit" }, t("save"));
  ask(t("comment_title", { what: what(alerts) }), [field], [button], () =>
    answered(alerts, act("comment", alerts, { reason: area.value.trim() }, { any: true }), done),
  );
}

/** @param {Alert[]} alerts @param {Done} done */
export function unackDialog(alerts, done) {
  const { area, field } = sentence(t("reason"), 2);
  const button = h("button.btn.primary", { type: "submit" }, t("unack"));
  ask(t("unack_title", { what: what(alerts) }), [field], [button], () =>
    answered(alerts, act("unack", alerts, { reason: area.value.trim() }), done),
  );
}

/** @param {Alert[]} alerts @param {Done} done */
export function assignDialog(alerts, done) {
  const names = h("datalist", { id: "people" });
  const input = h("input", {
    type: "text",
    name: "person",
    list: "people",
    maxlength: 200,
    required: true,
    autocomplete: "off",
  });
  const quick = h("div.chips");
  const choose = (/** @type {string} */ name) => () => {
    input.value = name;
    input.focus();
  };
  people().then((found) => {
    quick.replaceChildren(
      ...found.slice(0, 6).map(({ name, as }) => h("button.chip", { type: "button", onclick: choose(name) }, as)),
    );
    names.replaceChildren(...found.map(({ name }) => h("option", { value: name })));
  });
  const assigned = alerts.some((alert) => alert.assignee !== null);
  const nobody = h(
    "button.btn",
    { type: "button", onclick: () => send(null).then((ok) => ok && nobody.closest("dialog")?.close()) },
    t("assign_nobody"),
  );
  const send = (/** @type {string | null} */ assignee) => answered(alerts, act("assign", alerts, { assignee }), done);
  const button = h("button.btn.primary", { type: "submit" }, t("assign"));
  ask(
    t("assign_title", { what: what(alerts) }),
    [h("label.ask-field", {}, h("span.t2", {}, t("to_whom")), input), names, quick],
    assigned ? [button, nobody] : [button],
    () => send(input.value.trim()),
  );
}

/** Who can be thought of: oneself, who is on duty, who has been assigned before, who is told of alerts. */
async function people() {
  const me = state.me?.name ?? "";
  /** @type {Map<string, string>} */
  const found = new Map([[me, t("myself", { who: me })]]);
  // Who may see only some regions sees neither roster nor plan.
  const [duty, plan] = await Promise.all([call("duty/now").catch(() => null), call("notices/plan").catch(() => null)]);
  for (const { team, on_duty } of duty?.teams ?? [])
    for (const name of on_duty) if (!found.has(name)) found.set(name, `${name} (${t("on_duty", { team })})`);
  for (const { assignee } of state.alerts.values()) if (assignee && !found.has(assignee)) found.set(assignee, assignee);
  for (const { name } of plan?.people ?? []) if (!found.has(name)) found.set(name, name);
  return [...found].map(([name, as]) => ({ name, as }));
}

/** @param {Alert[]} alerts @param {Done} done */
export async function shelveDialog(alerts, done) {
  const most = may("engineer") ? ENGINEER_MOST_H : MOST_H;
  const began = now();
  const end = await endOfShift();
  /** @type {[string, number | null, string][]} */
  const choices = HOURS.filter((n) => n <= most).map((n) => [`${n}`, began + n * HOUR_MS, t("for_hours", { n })]);
  if (end && end - began < most * HOUR_MS) choices.splice(2, 0, ["handover", end, t("until_handover")]);
  choices.push(["other", null, t("other_time")]);
  const other = h("input", { type: "datetime-local", "aria-label": t("other_time"), oninput: () => pick("other") });
  const radios = choices.map(([value, at, name], i) =>
    h(
      "label.choice",
      {},
      h("input", { type: "radio", name: "until", value, checked: i === 1, onchange: show }),
      h("span", {}, name),
      h("span.end.t3", {}, at === null ? other : t("until_time", { time: moment(at) })),
    ),
  );
  const { area, field } = sentence(t("reason"), 2);
  const chips = REASONS.map((key) =>
    h("button.chip", { type: "button", onclick: () => ((area.value = t(`${key}`)), area.focus()) }, t(`${key}`)),
  );
  const scope = h("input", { type: "checkbox", name: "scope" });
  const promise = h("p.t2"),
    button = h("button.btn.primary", { type: "submit" });
  const group = h("fieldset.choices", {}, h("legend.t2", {}, t("how_long")), radios);

  /** @param {string} value */
  function pick(value) {
    for (const radio of group.querySelectorAll("input[type=radio]")) radio.checked = radio.value === value;
    show();
  }
  function until() {
    const value = group.querySelector("input[type=radio]:checked")?.value;
    return choices.find(([name]) => name === value)?.[1] ?? (other.value ? momentOf(other.value) : null);
  }
  function show() {
    const at = until();
    text(promise, at === null ? "" : t("comes_back", { time: moment(at), who: state.me?.name }));
    redraw(button, String(at), () => t("shelve_until", { time: at === null ? "…" : moment(at) }));
    other.required = group.querySelector("input[value=other]").checked;
  }
  show();
  const limit = h("p.t3", {}, t("shelve_most", { n: most, role: t(`role_${state.me?.role}`) }));
  const critical = alerts.some((alert) => alert.severity === CRITICAL) && h("p.warned", {}, t("shelve_critical"));
  const wide = h("label.row", {}, scope, h("span", {}, t("scope_rule")));
  const fields = [critical, group, limit, field, h("div.chips", {}, chips), wide, promise];
  ask(t("shelve_title", { what: what(alerts) }), fields, [button], () => {
    const at = until() ?? now();
    const terms = {
      reason: area.value.trim(),
      until: new Date(at).toISOString(),
      scope: /** @type {"rule" | "alert"} */ (scope.checked ? "rule" : "alert"),
    };
    return answered(alerts, act("shelve", alerts, terms), done);
  });
}

/** When the first shift that stands now is over; null where nobody keeps a roster. */
async function endOfShift() {
  const shifts = await call("duty?state=standing").catch(() => null);
  const ends = (shifts?.items ?? []).map((/** @type {{ to: string }} */ shift) => Date.parse(shift.to));
  return ends.length ? Math.min(...ends) : null;
}

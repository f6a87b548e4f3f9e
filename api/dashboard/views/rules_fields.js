/** The fields of a rule: its condition as a sentence with fields in it, its levels, delays; what was changed is ringed. */

import { attribute, h, redraw } from "../dom.js";
import { said } from "../format.js";
import { severityMark } from "../marks.js";
import { metricOf } from "../parts.js";
import { t } from "../words/rules.js";
import {
  at,
  isBounded,
  kindOrAll,
  labelOf,
  measureOf,
  read,
  ruleName,
  scopeText,
  shown,
  unitOf,
  valueText,
} from "./rules_data.js";

/** @typedef {import("./rules_data.js").Rule} Rule */
/** @typedef {{ rule: () => Rule, base: () => Rule, set: (path: string, value: any) => void }} Draft */

const OPTIONAL = ["ignore_below", "after_s"],
  WHOLE = ["samples", "least"];
const NO_DATA = ["missing", "untrusted", "stale"];

/**
 * @param {Draft} draft
 * @param {boolean} fresh  a rule beside the others: its scope can be chosen
 * @param {readonly string[]} scopes  what it may be narrowed to
 */
export function ruleFields(draft, fresh, scopes) {
  /** @type {(() => void)[]} */
  const fields = [];
  const rule = draft.rule();

  /** @param {string} path */
  function changed(path) {
    return JSON.stringify(at(draft.rule(), path) ?? null) !== JSON.stringify(at(draft.base(), path) ?? null);
  }

  /** A control and, when it was changed, what it was. @param {string} path @param {HTMLElement} control */
  function watched(path, control) {
    const old = h("s.old");
    fields.push(() => {
      const differs = changed(path);
      control.classList.toggle("changed", differs);
      redraw(old, differs ? valueText(draft.base(), path) : "", () =>
        differs ? [h("span.only-read", {}, t("was")), valueText(draft.base(), path)] : null,
      );
    });
    return h("span.with-old", {}, control, old);
  }

  /** @param {string} path */
  function numberField(path) {
    const measure = measureOf(rule, path),
      name = path.split(".").at(-1) ?? "";
    const input = h("input", {
      type: "text",
      inputmode: "decimal",
      value: shown(at(rule, path), measure),
      "aria-label": labelOf(rule, path),
      size: 4,
      oninput: () => {
        const empty = input.value.trim() === "" && OPTIONAL.includes(name);
        const value = empty ? null : read(input.value, measure);
        const good = value === null || (Number.isFinite(value) && (!WHOLE.includes(name) || Number.isInteger(value)));
        attribute(input, "aria-invalid", !good && "true");
        input.setCustomValidity(good ? "" : t("no_number"));
        draft.set(path, good ? value : NaN);
      },
    });
    const unit = unitOf(measure);
    return watched(path, h("span.field.n", {}, input, unit && h("span.unit", {}, unit)));
  }

  /** What stands fixed in the sentence. @param {string} name */
  function fixed(name) {
    const value = rule[name];
    if (name === "metric") {
      const metric = metricOf(rule.kind, rule.metric);
      return metric ? said(metric.label) : (rule.metric ?? "–");
    }
    if (name === "of" || name === "alone") return value.map(ruleName).join(", ");
    if (name === "by") return value.map((/** @type {string} */ by) => scopeText(`${by}= `).trim()).join(", ");
    return String(value ?? "–");
  }

  function sentence() {
    const parts = t(`if_${rule.condition}`).split(/\{(\w+)\}/);
    return h(
      "p.sentence",
      {},
      parts.map((part, i) =>
        i % 2 === 0
          ? part
          : typeof rule[part] === "number" || OPTIONAL.includes(part)
            ? part === "to_siaga"
              ? String(rule[part])
              : numberField(part)
            : h("b", {}, fixed(part)),
      ),
    );
  }

  function levels() {
    const bounded = isBounded(rule);
    const head = ["f_severity", bounded && "f_bound", "f_samples", "f_delay_on_s"].filter((word) => word !== false);
    return h(
      "table.compact.levels",
      { "aria-label": t("levels") },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((word) => h("th", { scope: "col" }, t(/** @type {string} */ (word)))),
        ),
      ),
      h(
        "tbody",
        {},
        rule.level.map((level, i) =>
          h(
            "tr",
            {},
            h("td", {}, severityField(i)),
            bounded &&
              h(
                "td",
                {},
                level.bound_from
                  ? h("span.t2", {}, t("bound_of_device", { name: level.bound_from }))
                  : numberField(`level.${i}.bound`),
              ),
            h("td", {}, numberField(`level.${i}.samples`)),
            h("td", {}, numberField(`level.${i}.delay_on_s`)),
          ),
        ),
      ),
    );
  }

  /** @param {number} i */
  function severityField(i) {
    const level = rule.level[i],
      path = `level.${i}.severity`;
    const mark = h("span.sev");
    const drawMark = () => {
      const severity = at(draft.rule(), path);
      redraw(mark, `${severity}`, () => severityMark(severity, { fill: "outlined", digit: level.siaga }));
    };
    fields.push(drawMark);
    const select = h(
      "select.field",
      {
        "aria-label": labelOf(rule, path),
        disabled: level.siaga !== null,
        onchange: () => draft.set(path, Number(select.value)),
      },
      [0, 1, 2, 3].map((value) => h("option", { value, selected: value === level.severity }, t(`sev${value}`))),
    );
    return h("span.row", {}, mark, watched(path, select));
  }

  function scopeField() {
    if (!fresh)
      return h(
        "span",
        {},
        `${kindOrAll(rule.kind)} · ${scopeText(
          Object.entries(rule.scope)
            .map(([by, value]) => `${by}=${value}`)
            .join(),
        )}`,
      );
    const value = h("input", { type: "text", "aria-label": t("scope_value"), maxlength: 64, oninput: told });
    const by = h(
      "select.field",
      { "aria-label": t("f_scope"), onchange: told },
      scopes.map((name) => h("option", { value: name }, scopeText(`${name}= `).trim())),
    );
    function told() {
      draft.set("scope", value.value.trim() ? { [by.value]: value.value.trim() } : {});
    }
    return h("span.row", {}, by, h("span.field", {}, value));
  }

  function enabledField() {
    const box = h("input", {
      type: "checkbox",
      checked: rule.enabled,
      onchange: () => draft.set("enabled", box.checked),
    });
    return watched("enabled", h("label.row", {}, box, t("enabled")));
  }

  const line = (/** @type {string} */ word, /** @type {any} */ content) =>
    h("div.line", {}, h("span.t2", {}, t(word)), content);
  const element = h(
    "div.rule-fields",
    {},
    line("f_scope", scopeField()),
    sentence(),
    levels(),
    line("f_delay_off_s", numberField("delay_off_s")),
    isBounded(rule) && line("f_hysteresis", numberField("hysteresis")),
    line("no_data", h("span.t2", {}, t(NO_DATA.includes(rule.condition) ? "no_data_is_it" : "no_data_text"))),
    line("f_enabled", enabledField()),
  );
  const refresh = () => fields.forEach((field) => field());
  refresh();
  return { element, refresh };
}

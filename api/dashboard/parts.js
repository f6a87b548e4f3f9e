/**
 * Small parts that several views are made of: a value with its unit, an age that ticks, panels and what stands in
 * them.
 */

import { now } from "./clock.js";
import { h, s, text } from "./dom.js";
import { UNKNOWN, age, ago, number, said, timeWithSeconds } from "./format.js";
import { freshness, isBelievable, measuredAt, trustOf } from "./freshness.js";
import { retry } from "./load.js";
import { state } from "./store.js";
import { t } from "./words/common.js";

/** @typedef {import("./store.js").Latest} Latest */
/** @typedef {import("./store.js").Metric} Metric */

/**
 * The unit as the metric writes it, set off from its number; % stands close.
 * @param {Metric | undefined} metric
 */
export function unitText(metric) {
  const unit = metric ? said(metric.unit_label) : "";
  return unit && unit !== "%" ? ` ${unit}` : unit;
}

/**
 * A number and its unit.
 * @param {number | null | undefined} value
 * @param {Metric | undefined} metric
 * @returns {HTMLElement}
 */
export function quantity(value, metric) {
  const known = value !== null && value !== undefined;
  return h(
    "span.num",
    {},
    h("span.v.b", {}, number(value, metric?.decimals ?? 1)),
    known && h("span.unit", {}, unitText(metric)),
  );
}

/** The same as plain text. @param {number | null | undefined} value @param {Metric | undefined} metric */
export function quantityText(value, metric) {
  return value === null || value === undefined ? UNKNOWN : number(value, metric?.decimals ?? 1) + unitText(metric);
}

/** @param {string} kind @param {string | null} name @returns {Metric | undefined} */
export function metricOf(kind, name) {
  const declared = state.kinds.get(kind);
  return declared && [...declared.metrics, ...declared.diagnostics].find((metric) => metric.name === name);
}

/** @param {string} kind @returns {Metric | undefined} */
export const primaryOf = (kind) => metricOf(kind, state.kinds.get(kind)?.primary ?? null);

/** @param {string} kind */
export function kindName(kind) {
  const declared = state.kinds.get(kind);
  return declared ? said(declared.label) : kind;
}

/** In the middle of a sentence: panel PJU. @param {string} kind */
export const kindInText = (kind) => kindName(kind).replace(/^./, (first) => first.toLowerCase());

/**
 * An age that counts by itself: one timer for the whole page looks for these.
 * @param {number} since  ms
 * @param {boolean} [sentence]  "1 mnt lalu"
 * @returns {HTMLElement}
 */
export function ageOf(since, sentence = false) {
  const element = h(sentence ? "span.age.ago" : "span.age", { "data-since": since });
  tick(element);
  return element;
}

/** @param {Element} element */
function tick(element) {
  const since = now() - Number(element.getAttribute("data-since"));
  text(element, element.classList.contains("ago") ? ago(since) : age(since));
}

setInterval(() => {
  if (!document.hidden) for (const element of document.querySelectorAll("[data-since]")) tick(element);
}, 1000);

/** Age of a reading, with a word where it is too old. @param {Latest} latest @returns {HTMLElement} */
export function dataAge(latest) {
  const fresh = freshness(latest);
  return h("span.num", {}, ageOf(measuredAt(latest)), fresh !== "fresh" && [" ", h("span.tag", {}, t(fresh))]);
}

/**
 * The newest value of one metric; a dash once it is a day old.
 * @param {Latest | undefined} latest
 * @param {Metric | undefined} metric
 */
export function latestValue(latest, metric) {
  if (!latest || !metric || freshness(latest) === "none") return h("span.num.t3", {}, UNKNOWN);
  return quantity(latest.values[metric.name], metric);
}

/** @param {Latest | undefined} latest */
export const isOld = (latest) => !latest || !isBelievable(freshness(latest));

/** Three bars and a word; the reason below. @param {Latest} latest @returns {HTMLElement} */
export function trustMark(latest) {
  const { bars, word, why } = trustOf(latest);
  const bar = (/** @type {number} */ i) =>
    s(i < bars ? "rect.on" : "rect", { x: i * 5.5 + 0.5, y: 8 - i * 3.5, width: 4, height: 3.5 + i * 3.5 });
  const drawn = s(
    "svg.trust",
    { width: 16, height: 12, viewBox: "0 0 16 12", "aria-hidden": "true" },
    [0, 1, 2].map(bar),
  );
  return h("span", {}, h("span.trusted", {}, drawn, word), why && h("span.sub", {}, why));
}

/** One of the numbers at the head of a page, in a <dl>. @param {string} word @param {Node | string} value */
export const fact = (word, value) => h("div", {}, h("dt", {}, word), h("dd", {}, value));

/**
 * What stands in a panel that has nothing to show.
 * @param {string} title
 * @param {string | (Node | string)[] | null} [text]
 * @param {Node | null} [action]
 * @returns {HTMLElement}
 */
export function message(title, text = null, action = null) {
  const lines = text === null ? [] : Array.isArray(text) ? text : [text];
  return h(
    "div.message",
    {},
    h("b", {}, title),
    lines.map((line) => h("p", {}, line)),
    action,
  );
}

const SKELETON_MS = 300;

/**
 * Lines in place of what is being loaded; nothing for the first moment, so that a quick answer does not flicker.
 * @param {number} lines
 * @returns {HTMLElement}
 */
export function skeleton(lines) {
  const element = h(
    "div.skeletons",
    { hidden: true, "aria-hidden": "true" },
    Array.from({ length: lines }, () => h("div.skeleton")),
  );
  setTimeout(() => {
    element.hidden = false;
  }, SKELETON_MS);
  return element;
}

/**
 * What, why, and when it is tried again.
 * @param {string} what
 * @param {string} topic
 * @returns {HTMLElement}
 */
export function failure(what, topic) {
  const { status, retryAt } = state.failures.get(topic) ?? { status: 0, retryAt: now() };
  const words = { status, time: timeWithSeconds(retryAt) };
  const why = status ? t("answered", words) : t("unreachable", words);
  const again = h("button.btn.small", { type: "button", onclick: () => retry(topic) }, t("try_now"));
  return message(t("cannot_load", { what }), why, again);
}

/**
 * Which of the topics a panel needs stands in its way: "failed", "loading", or null when it can show.
 * @param {string[]} topics
 * @returns {{ topic: string, is: "failed" | "loading" } | null}
 */
export function missing(topics) {
  const gone = topics.find((topic) => !state.loaded.has(topic));
  if (!gone) return null;
  const failed = topics.find((topic) => !state.loaded.has(topic) && state.failures.has(topic));
  return failed ? { topic: failed, is: "failed" } : { topic: gone, is: "loading" };
}

/**
 * A panel with a title, a remark and something at the right end.
 * @param {string} name  class
 * @param {string} title
 * @returns {{ element: HTMLElement, meta: HTMLElement, end: HTMLElement, body: HTMLElement }}
 */
export function panel(name, title) {
  const id = `h-${name}`;
  const meta = h("span.meta"),
    end = h("span.end.meta"),
    body = h("div");
  const header = h("header", {}, h("h2", { id }, title), meta, end);
  return { element: h(`section.panel.${name}`, { "aria-labelledby": id }, header, body), meta, end, body };
}

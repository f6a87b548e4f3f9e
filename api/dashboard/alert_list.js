/** Rows of the alert list, in groups: what nobody looks after, and what somebody does. */

import { alertValue, isOfDevice, placeText, rateText, stateText, valueNow } from "./alert_text.js";
import { now } from "./clock.js";
import { attribute, h, redraw, text } from "./dom.js";
import { moment, number, said } from "./format.js";
import { alertMark, fillOf } from "./marks.js";
import { ageOf, isOld, trustMark } from "./parts.js";
import { state } from "./store.js";
import { t } from "./words/alerts.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {{ group: string, n: number } | Alert} Item */

const FRESH_MS = 5_000;

/** @param {Item} item */
export const itemKey = (item) => ("group" in item ? `g ${item.group}` : String(item.id));

/** The heads of the columns. @returns {HTMLElement} */
export function listHead() {
  const head = (/** @type {string} */ name, /** @type {string} */ word) =>
    h(`span.${name}`, { role: "columnheader" }, t(word));
  return h(
    "div.al-head",
    { role: "row" },
    h("span.mk", { role: "columnheader" }, h("span.only-read", {}, t("severity"))),
    head("title", "col_alert"),
    head("value", "col_value"),
    head("state", "col_state"),
    head("since", "col_since"),
    head("trustcell", "col_data"),
    head("who", "col_who"),
  );
}

/**
 * @param {Item} item
 * @param {(id: number) => void} select
 * @returns {HTMLElement}
 */
export function makeRow(item, select) {
  if ("group" in item) return h("div.al-group", { role: "row" }, h("b", { role: "rowheader" }), " ", h("span"));
  const cell = (/** @type {string} */ name) => h(`div.${name}`, { role: "gridcell" });
  const cells = {
    mk: cell("mk"),
    title: cell("title"),
    value: cell("value"),
    state: cell("state"),
    since: cell("since"),
    trust: cell("trustcell"),
    who: cell("who"),
  };
  const title = h("span.ti"),
    place = h("span.sub"),
    line = h("span.sub.narrow");
  cells.title.append(title, place, line);
  const row = h(
    "div.al-row",
    { role: "row", tabindex: -1, "data-id": item.id, onclick: () => select(item.id) },
    Object.values(cells),
  );
  row.parts = { ...cells, ti: title, place, line };
  return row;
}

/**
 * @param {any} row
 * @param {Item} item
 * @param {number | null} selected
 */
export function updateRow(row, item, selected) {
  if ("group" in item) {
    text(row.firstElementChild, t(item.group));
    text(row.lastElementChild, number(item.n));
    return;
  }
  const { mk, ti, place, line, value, state: status, since, trust, who } = row.parts;
  const latest = state.latest.get(item.device_id);
  const language = document.documentElement.lang;
  const fresh = !item.acked && now() - Date.parse(item.detected_at) < FRESH_MS;
  attribute(row, "class", `al-row sev${item.severity} ${fillOf(item)}`);
  attribute(row, "aria-selected", String(item.id === selected));
  redraw(mk, `${item.version} ${fillOf(item)} ${fresh} ${language}`, () => [h("i.bar"), alertMark(item, { fresh })]);
  text(ti, said(item.title));
  text(place, placeText(item));
  const { word, sub } = stateText(item);
  redraw(value, `${latest?.ts} ${latest?.rate} ${isOld(latest)} ${language}`, () => [
    valueNow(item),
    h("span.sub", {}, isOfDevice(item) && isOld(latest) ? t("stale") : rateText(item)),
  ]);
  redraw(status, `${word} ${sub}`, () => [h("b", {}, word), h("span.sub", {}, sub)]);
  redraw(since, item.raised_at + language, () => [
    h("span.num", {}, moment(item.raised_at)),
    h("span.sub", {}, ageOf(Date.parse(item.raised_at))),
  ]);
  redraw(trust, `${latest?.qc} ${latest?.late} ${isOld(latest)} ${language}`, () => (latest ? trustMark(latest) : "–"));
  redraw(who, `${item.acked_by}`, () => item.acked_by ?? h("span.t3", {}, "–"));
  text(line, [alertValue(item), item.acked ? `${t("acked")} ${item.acked_by}` : word].filter(Boolean).join(" · "));
}

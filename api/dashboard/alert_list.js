/** Rows of the alert list: heads of groups, alerts, and what stands under an incident. */

import { isAlert, isIncident, isOver } from "./alert_groups.js";
import { alertMetric, alertValue, isOfDevice, placeText, rateText, stateText, valueNow } from "./alert_text.js";
import { now } from "./clock.js";
import { attribute, h, redraw, text } from "./dom.js";
import { moment, number, said } from "./format.js";
import { alertMark, fillOf, icon } from "./marks.js";
import { ageOf, isOld, quantityText, trustMark } from "./parts.js";
import { state } from "./store.js";
import { spark } from "./strip.js";
import { t } from "./words/alerts.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./alert_groups.js").Item} Item */
/** What the rows have in common and do. @typedef {{ select: (id: number) => void, mark: (id: number, range: boolean) => void,
 *    fold: (id: number) => void, isMarked: (id: number) => boolean, isOpen: (id: number) => boolean, selected: () => number | null,
 *    spark: (alert: Alert) => (number | null)[] | null }} Rows */

const FRESH_MS = 5_000;

/** @param {Item} item */
export function itemKey(item) {
  if ("group" in item) return `g ${item.group}`;
  if ("member" in item) return `m ${item.member.id} ${item.of}`;
  return "rest" in item ? `r ${item.of}` : String(item.id);
}

/**
 * The heads of the columns.
 * @param {HTMLInputElement} all  marks everything
 * @returns {HTMLElement}
 */
export function listHead(all) {
  const head = (/** @type {string} */ name, /** @type {string} */ word) =>
    h(`span.${name}`, { role: "columnheader" }, t(word));
  return h(
    "div.al-head",
    { role: "row" },
    h("span.pick", { role: "columnheader" }, all),
    h("span.mk", { role: "columnheader" }, h("span.only-read", {}, t("severity"))),
    head("title", "col_alert"),
    head("value", "col_value"),
    head("sparkcell", "six_hours"),
    head("state", "col_state"),
    head("since", "col_since"),
    head("trustcell", "col_data"),
    head("who", "col_who"),
  );
}

/**
 * @param {Item} item
 * @param {Rows} rows
 * @returns {HTMLElement}
 */
export function makeRow(item, rows) {
  if ("group" in item) return h("div.al-group", { role: "row" }, h("b", { role: "rowheader" }), " ", h("span"));
  if ("rest" in item)
    return h(
      "div.al-member",
      { role: "row" },
      h("span", { role: "gridcell" }, h("a.link", { href: "/peringatan?tab=ditekan" })),
    );
  if ("member" in item) return memberRow(item.member, rows);
  const cell = (/** @type {string} */ name) => h(`div.${name}`, { role: "gridcell" });
  const box = h("input", { type: "checkbox", tabindex: -1, "aria-label": t("mark_row") });
  box.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    event.stopPropagation();
    rows.mark(item.id, event.shiftKey);
  });
  const cells = {
    pick: cell("pick"),
    mk: cell("mk"),
    title: cell("title"),
    value: cell("value"),
    spark: cell("sparkcell"),
    state: cell("state"),
    since: cell("since"),
    trust: cell("trustcell"),
    who: cell("who"),
  };
  const title = h("span.ti"),
    place = h("span.sub"),
    line = h("span.sub.narrow"),
    fold = h("button.fold", { type: "button", tabindex: -1, hidden: true }, icon("next"));
  fold.addEventListener("click", (/** @type {Event} */ event) => {
    event.stopPropagation();
    rows.fold(item.id);
  });
  cells.pick.append(box);
  cells.title.append(h("div.titled", {}, fold, title), place, line);
  const row = h(
    "div.al-row",
    { role: "row", tabindex: -1, "data-id": item.id, onclick: () => rows.select(item.id) },
    Object.values(cells),
  );
  row.parts = { ...cells, ti: title, place, line, box, fold };
  return row;
}

/** @param {Alert} member @param {Rows} rows */
function memberRow(member, rows) {
  return h(
    "div.al-member",
    { role: "row", onclick: () => rows.select(member.id) },
    h("span.title", { role: "gridcell" }),
    h("span.value.num", { role: "gridcell" }),
    h("span.state", { role: "gridcell" }),
    h("span.since.num", { role: "gridcell" }, moment(member.raised_at)),
  );
}

/**
 * @param {any} row
 * @param {Item} item
 * @param {Rows} rows
 */
export function updateRow(row, item, rows) {
  if ("group" in item) {
    text(row.firstElementChild, t(`group_${item.group}`));
    text(row.lastElementChild, number(item.n));
  } else if ("rest" in item) text(row.querySelector("a"), t("n_more_members", { n: number(item.rest) }));
  else if ("member" in item) updateMember(row, item.member);
  else if (isAlert(item)) updateAlert(row, item, rows);
}

/** @param {HTMLElement} row @param {Alert} member */
function updateMember(row, member) {
  const [title, value, status] = row.children;
  text(title, said(member.title));
  const latest = state.latest.get(member.device_id),
    metric = alertMetric(member);
  text(value, latest && metric ? quantityText(latest.values[metric.name], metric) : "");
  text(status, member.state === "cleared" ? t("cleared") : stateText(member).word);
}

/** @param {any} row @param {Alert} item @param {Rows} rows */
function updateAlert(row, item, rows) {
  const { mk, ti, place, line, value, spark: course, state: status, since, trust, who, box, fold } = row.parts;
  const latest = state.latest.get(item.device_id);
  const language = document.documentElement.lang;
  const fresh = !item.acked && now() - Date.parse(item.detected_at) < FRESH_MS;
  const marked = rows.isMarked(item.id),
    incident = isIncident(item),
    over = isOver(item);
  attribute(row, "class", `al-row sev${item.severity} ${fillOf(item)}${marked ? " marked" : ""}`);
  attribute(row, "aria-selected", String(item.id === rows.selected()));
  if (box.checked !== marked) box.checked = marked;
  attribute(fold, "hidden", !incident);
  attribute(fold, "aria-expanded", String(rows.isOpen(item.id)));
  attribute(fold, "aria-label", t("show_members"));
  const key = `${item.version} ${fillOf(item)} ${language}`;
  redraw(mk, `${key} ${fresh}`, () => [h("i.bar"), alertMark(item, { fresh })]);
  text(ti, said(item.title));
  text(place, placeText(item));
  const { word, sub } = stateText(item);
  redraw(value, `${latest?.ts} ${latest?.rate} ${isOld(latest)} ${item.members} ${language}`, () => [
    valueNow(item),
    h("span.sub", {}, isOfDevice(item) && !incident && !over && isOld(latest) ? t("stale") : rateText(item)),
  ]);
  const values = over ? [] : rows.spark(item);
  // The last digit that is shown moves by itself.
  const least = 20 * 10 ** -(alertMetric(item)?.decimals ?? 1);
  redraw(course, `${values === null} ${values?.join()} ${language}`, () =>
    values?.some((each) => each !== null)
      ? spark(values, t("spark_says", { what: said(item.title) }), { least })
      : null,
  );
  redraw(status, `${word} ${sub}`, () => [h("b", {}, word), h("span.sub", {}, sub)]);
  redraw(since, item.raised_at + language, () => [
    h("span.num", {}, moment(item.raised_at)),
    h("span.sub", {}, ageOf(Date.parse(item.raised_at))),
  ]);
  redraw(trust, `${latest?.qc} ${latest?.late} ${isOld(latest)} ${language}`, () =>
    latest && !over ? trustMark(latest) : h("span.t3", {}, "–"),
  );
  redraw(who, `${item.assignee} ${item.acked_by}`, () => item.assignee ?? item.acked_by ?? h("span.t3", {}, "–"));
  const held = item.shelved_until || item.suppressed || item.historical;
  const short = item.acked && !held ? `${t("acked")} ${item.acked_by}` : word;
  text(line, [alertValue(item), short].filter(Boolean).join(" · "));
}

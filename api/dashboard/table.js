/** A table whose head stays in sight and whose rows are moved through by keys: one stop of the Tab key. */

import { attribute, h, keyed, redraw } from "./dom.js";
import { moveInRows } from "./rows.js";

/**
 * @template T
 * @typedef {object} Column
 * @property {string} name  class of its cells
 * @property {import("./dom.js").Child} words  of its head
 * @property {(item: T) => string} key  what the cell depends on
 * @property {(item: T) => any} cell
 */

/**
 * @template T
 * @param {{ label: string, columns: Column<T>[], keyOf: (item: T) => string, open?: (item: T) => void,
 *   rowClass?: (item: T) => string, current?: (item: T) => boolean }} options  open: what Enter and a click on a row do;
 *   current: the row that is shown beside
 */
export function makeTable({ label, columns, keyOf, open, rowClass = () => "", current = () => false }) {
  const heads = columns.map(({ name, words }) => h(`th.${name}`, { scope: "col" }, words));
  const body = h("tbody");
  const table = h("table.rows", { "aria-label": label }, h("thead", {}, h("tr", {}, heads)), body);
  const element = h("div.table-scroll", {}, table);
  /** @type {T[]} */
  let items = [];

  /** @param {T} item */
  function make(item) {
    const row = h("tr", { tabindex: -1, "data-key": keyOf(item) }, columns.map(({ name }) => h(`td.${name}`)));
    return row;
  }

  /** @param {HTMLTableRowElement} row @param {T} item */
  function update(row, item) {
    attribute(row, "class", rowClass(item) || null);
    attribute(row, "aria-current", current(item) && "true");
    columns.forEach(({ key, cell }, i) =>
      redraw(row.cells[i], `${key(item)} ${document.documentElement.lang}`, () => cell(item)),
    );
  }

  const itemOf = (/** @type {Element | null | undefined} */ row) =>
    row instanceof HTMLElement ? items.find((item) => keyOf(item) === row.dataset.key) : undefined;

  body.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    const item = itemOf(target.closest("tr"));
    if (item !== undefined && !target.closest("a, button, input")) open?.(item);
  });

  return {
    element,
    /** @param {T[]} next */
    show(next) {
      items = next;
      keyed(body, items, keyOf, make, update);
      if (!body.querySelector('[tabindex="0"]')) attribute(body.rows[0] ?? body, "tabindex", body.rows[0] ? 0 : null);
    },
    /** @param {KeyboardEvent} event */
    key(event) {
      if (moveInRows(event, body, "tr")) return true;
      const item = itemOf(document.activeElement?.closest("tr"));
      if (event.key !== "Enter" || item === undefined || !open || document.activeElement?.matches("a, button, input"))
        return false;
      open(item);
      return true;
    },
  };
}

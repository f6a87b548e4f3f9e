/** Moving through the rows of a list by keys; the list is one stop of the Tab key. */

const STEPS = new Map([
  ["j", 1],
  ["ArrowDown", 1],
  ["k", -1],
  ["ArrowUp", -1],
]);

/**
 * The row a key leads to, focused.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} list
 * @param {string} selector
 * @param {HTMLElement | null} [from]  the row to start from when none has the focus
 * @returns {HTMLElement | null}
 */
export function moveInRows(event, list, selector, from = null) {
  const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(selector)]);
  if (!rows.length) return null;
  const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest?.(selector) ?? null);
  const at = rows.indexOf(/** @type {HTMLElement} */ (focused && list.contains(focused) ? focused : from));
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const step = STEPS.get(key);
  const to =
    key === "Home"
      ? 0
      : key === "End"
        ? rows.length - 1
        : step === undefined
          ? -1
          : Math.min(rows.length - 1, Math.max(0, at + step));
  if (to < 0) return null;
  for (const row of rows) row.tabIndex = -1;
  rows[to].tabIndex = 0;
  rows[to].focus();
  rows[to].scrollIntoView({ block: "nearest" });
  return rows[to];
}

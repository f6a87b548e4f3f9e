/** A long list of which only the rows in sight exist. All rows are of one height, which the style sheet sets. */

import { attribute, h, keyed } from "./dom.js";

const SPARE = 8;

/**
 * @template T
 * @param {{ label: string, head: HTMLElement, keyOf: (item: T) => string, make: (item: T) => HTMLElement,
 *    update: (row: any, item: T) => void }} options
 */
export function virtualList({ label, head, keyOf, make, update }) {
  const rows = h("div.v-rows", { role: "rowgroup" });
  const grid = h("div.v-grid", { role: "grid", "aria-label": label, "aria-readonly": "true" }, head, rows);
  const element = h("div.v-scroll", {}, grid);
  /** @type {T[]} */
  let items = [];
  let height = 0,
    waiting = false;

  function draw() {
    waiting = false;
    if (!element.isConnected || !items.length) return keyed(rows, [], keyOf, make);
    height ||= measure();
    const seen = element.clientHeight || 600;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - SPARE);
    const shown = items.slice(first, first + Math.ceil(seen / height) + 2 * SPARE);
    rows.style.height = `${items.length * height}px`;
    keyed(rows, shown, keyOf, make, update);
    shown.forEach((_, i) => {
      const row = /** @type {HTMLElement} */ (rows.children[i]);
      row.style.top = `${(first + i) * height}px`;
      attribute(row, "aria-rowindex", first + i + 2);
    });
    if (!rows.querySelector('[tabindex="0"]'))
      attribute(/** @type {Element} */ (rows.firstElementChild), "tabindex", 0);
  }

  function measure() {
    const value = parseFloat(getComputedStyle(element).getPropertyValue("--row"));
    return value > 0 ? value : 44;
  }

  element.addEventListener(
    "scroll",
    () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(draw);
    },
    { passive: true },
  );
  const observer = new ResizeObserver(() => {
    height = 0;
    draw();
  });
  observer.observe(element);

  return {
    element,
    rows,
    /** @param {T[]} next */
    show(next) {
      items = next;
      attribute(grid, "aria-rowcount", items.length + 1);
      draw();
    },
    /** Bring a row into sight and give it the focus. @param {number} i */
    focus(i) {
      const at = Math.max(0, Math.min(items.length - 1, i));
      height ||= measure();
      const top = at * height,
        headHeight = head.offsetHeight;
      if (top < element.scrollTop) element.scrollTop = top;
      else if (top + height + headHeight > element.scrollTop + element.clientHeight)
        element.scrollTop = top + height + headHeight - element.clientHeight;
      draw();
      const row = /** @type {HTMLElement | undefined} */ (
        [...rows.children].find((each) => each.getAttribute("aria-rowindex") === String(at + 2))
      );
      if (!row) return;
      for (const other of rows.querySelectorAll('[tabindex="0"]')) attribute(other, "tabindex", -1);
      attribute(row, "tabindex", 0);
      row.focus({ preventScroll: true });
    },
    /** Which row has the focus; -1 for none. */
    focused() {
      const row = document.activeElement?.closest("[aria-rowindex]");
      return row && rows.contains(row) ? Number(row.getAttribute("aria-rowindex")) - 2 : -1;
    },
    /** The first row in sight. */
    first: () => Math.ceil(element.scrollTop / (height || 1)),
    close: () => observer.disconnect(),
  };
}

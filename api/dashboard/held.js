/**
 * An order that holds still while somebody points at a list or works in it: rows must not move under the finger.
 * What arrives meanwhile waits, and is counted. A mouse left lying there for a while holds nothing.
 */

const IDLE_MS = 30_000;

/**
 * @template T
 */
export class HeldOrder {
  /**
   * @param {HTMLElement} element  the list
   * @param {(item: T) => number} idOf
   * @param {() => void} released  the list may be put in order again
   */
  constructor(element, idOf, released) {
    this.element = element;
    this.idOf = idOf;
    /** @type {Map<number, T>} */
    this.shown = new Map();
    this.waiting = 0;
    this.over = false;
    this.usedAt = -IDLE_MS;
    const used = () => {
      this.usedAt = performance.now();
    };
    // A finger has no place while it is not touching: only a mouse rests.
    element.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse") return;
      this.over = true;
      used();
    });
    element.addEventListener("keydown", used);
    element.addEventListener("pointerleave", () => {
      this.over = false;
      released();
    });
    element.addEventListener("focusout", () => setTimeout(released));
  }

  get holds() {
    const working = this.over || this.element.querySelector(":focus-visible") !== null;
    return working && this.shown.size > 0 && performance.now() - this.usedAt < IDLE_MS;
  }

  /**
   * @param {T[]} items  in the order they should have
   * @param {(id: number) => T | undefined} current  the item as it is now, also when it no longer belongs here
   * @returns {T[]} in the order they keep
   */
  arrange(items, current) {
    if (!this.holds) return this.renew(items);
    for (const [id, item] of this.shown) this.shown.set(id, current(id) ?? item);
    this.waiting = items.filter((item) => !this.shown.has(this.idOf(item))).length;
    return [...this.shown.values()];
  }

  /** The order as it should be. @param {T[]} items */
  renew(items) {
    this.shown = new Map(items.map((item) => [this.idOf(item), item]));
    this.waiting = 0;
    return items;
  }
}

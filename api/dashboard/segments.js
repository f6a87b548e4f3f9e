/** A row of buttons of which one is pressed, and a row of tabs. */

import { h } from "./dom.js";

/**
 * One of several, pressed.
 * @template {string} T
 * @param {string} label
 * @param {readonly (readonly [T, string])[]} options
 * @param {() => T} chosen
 * @param {(value: T) => void} choose
 */
export function segments(label, options, chosen, choose) {
  const buttons = options.map(([value, name]) =>
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(value === chosen()),
        onclick: () => {
          choose(value);
          show();
        },
      },
      name,
    ),
  );
  function show() {
    options.forEach(([value], i) => buttons[i].setAttribute("aria-pressed", String(value === chosen())));
  }
  return h("div.segments", { role: "group", "aria-label": label }, buttons);
}

/**
 * Tabs: each leads to an address of its own, so that back and forward work and a tab can be linked to.
 * @param {string} label
 * @param {readonly { name: string, href: string, count?: string }[]} tabs
 * @param {string} current  name
 * @param {(tab: string) => string} words
 * @returns {HTMLElement}
 */
export function tabs(label, tabs, current, words) {
  const links = tabs.map(({ name, href, count }) =>
    h("a", { href, "aria-current": name === current && "page" }, words(name), count && h("span.num", {}, count)),
  );
  return h("nav.segments", { "aria-label": label }, links);
}

/**
 * Making and changing elements without innerHTML, so that no data can become markup.
 * A node is written only where something changed: the screen is touched many times a second.
 */

const SVG = "http://www.w3.org/2000/svg";

/** What can stand in an element: lists of it may hold lists. @typedef {Node | string | number | null | undefined | false | any[]} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Attributes */

/**
 * h("button.btn.primary", { onclick: save, disabled: !may }, "Akui")
 * @param {string} tag  name and classes
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}  an element of the kind that was named
 */
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  return filled(document.createElement(name), classes, attributes, children);
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function s(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  return filled(document.createElementNS(SVG, name), classes, attributes, children);
}

/**
 * @param {Element} element
 * @param {string[]} classes
 * @param {Attributes | undefined} attributes
 * @param {(Child | Child[])[]} children
 */
function filled(element, classes, attributes, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else attribute(element, name, value);
  }
  element.append(...nodes(children));
  return element;
}

/**
 * @param {any[]} children  lists in lists are fine
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return /** @type {Child[]} */ (children.flat(Infinity))
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * Set or remove an attribute, if it is not so already.
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | null | undefined} value
 */
export function attribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/**
 * @param {Element} element
 * @param {string} value
 */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/**
 * Replace the content, but only when `key` differs from the last time: redrawing costs layout and loses focus.
 * @param {Element & { _key?: string }} element
 * @param {string} key
 * @param {() => any} make  a child, or lists of them
 */
export function redraw(element, key, make) {
  if (element._key === key) return;
  element._key = key;
  element.replaceChildren(...nodes([make()]));
}

/**
 * Keep one element per item, in order, and reuse those that are there.
 * @template T
 * @param {Element & { _items?: Map<string, Element> }} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => Element} make
 * @param {(element: any, item: T) => void} [update]
 */
export function keyed(parent, items, keyOf, make, update) {
  const before = parent._items ?? new Map();
  /** @type {Map<string, Element>} */
  const after = new Map();
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const element = before.get(key) ?? make(item);
    before.delete(key);
    after.set(key, element);
    if (element === next) next = element.nextElementSibling;
    else parent.insertBefore(element, next);
    update?.(element, item);
  }
  for (const gone of before.values()) gone.remove();
  parent._items = after;
}

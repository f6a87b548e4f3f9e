/** Addresses and views: one view at a time, made from its address; back and forward work, and links need no reload. */

/** @typedef {{ element: HTMLElement, title: string, update?: (topics: Set<import("./store.js").Topic>) => void,
 *    key?: (event: KeyboardEvent) => boolean, keys?: [string[], string][], back?: () => boolean, moved?: (query: URLSearchParams) => void,
 *    close?: () => void }} View */

/** @type {(url: URL) => void} */
let show = () => {};

/** @param {(url: URL) => void} action  shows the view of an address */
export function startRouter(action) {
  show = action;
  addEventListener("popstate", () => show(new URL(location.href)));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    const link = /** @type {Element} */ (event.target).closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.target || link.download || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/api/") || link.hash) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
  show(new URL(location.href));
}

/** @param {string} path */
export function go(path) {
  if (path !== location.pathname + location.search) history.pushState(null, "", path);
  show(new URL(location.href));
}

/**
 * Put the state of a view into its address, without a new step in the history.
 * @param {Record<string, string | null>} values
 */
export function remember(values) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  if (url.href !== location.href) history.replaceState(null, "", url);
}

/** @param {string} name */
export const asked = (name) => new URL(location.href).searchParams.get(name) ?? "";

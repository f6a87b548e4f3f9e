/** Style sheets that only some views need, and libraries that are no modules: fetched with the view that needs them, once. */

/** @type {Map<string, Promise<void>>} */
const fetched = new Map();

/** Resolves when all of them apply. @param {readonly string[]} addresses */
export const useStyles = (addresses) =>
  Promise.all(
    addresses.map((href) => once(href, () => Object.assign(document.createElement("link"), { rel: "stylesheet", href }))),
  );

/** Resolves when it has run. @param {string} src */
export const useScript = (src) => once(src, () => Object.assign(document.createElement("script"), { src }));

/**
 * @param {string} address
 * @param {() => HTMLElement} make  the tag that fetches it
 */
function once(address, make) {
  const known = fetched.get(address);
  if (known) return known;
  const tag = make();
  /** @type {Promise<void>} */
  const loaded = new Promise((resolve, reject) => {
    tag.addEventListener("load", () => resolve());
    tag.addEventListener("error", () => reject(new Error(`${address} could not be loaded`)));
  });
  fetched.set(address, loaded);
  // Asked for again, it is tried again.
  loaded.catch(() => {
    fetched.delete(address);
    tag.remove();
  });
  // Ours come after those of libraries, so that ours decide.
  if (address.startsWith("/vendor/")) document.head.prepend(tag);
  else document.head.append(tag);
  return loaded;
}

/** What a person has chosen on this machine: language and theme. early.js applies both before the first paint. */

/** @typedef {"id" | "en"} Language */
/** @typedef {"auto" | "light" | "dark"} Theme */

/** @type {Set<(what: "language" | "theme") => void>} */
const listeners = new Set();
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @returns {Language} */
export const language = () => (root.lang === "en" ? "en" : "id");

/** A name that comes with both. @param {readonly [string, string]} names */
export const inBoth = ([indonesian, english]) => (language() === "en" ? english : indonesian);

/** @returns {Theme} */
export function theme() {
  const chosen = root.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : "auto";
}

/** @param {Language} value */
export function setLanguage(value) {
  if (value === language()) return;
  root.lang = value;
  keep("language", value);
  for (const listener of [...listeners]) listener("language");
}

/** @param {Theme} value */
export function setTheme(value) {
  if (value === "auto") delete root.dataset.theme;
  else root.dataset.theme = value;
  keep("theme", value);
  repaint();
}

/**
 * Told when either changes, also when "auto" follows the machine into the night.
 * @param {(what: "language" | "theme") => void} listener
 * @returns {() => void} stops listening
 */
export function onPreference(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

dark.addEventListener("change", () => {
  if (theme() === "auto") repaint();
});

function repaint() {
  colours.clear();
  for (const listener of [...listeners]) listener("theme");
}

/** @type {Map<string, string>} */
const colours = new Map();
const probe = document.createElement("span");
probe.hidden = true;

/** A colour of the theme, for canvases: they cannot say var(--bar). @param {string} name */
export function colour(name) {
  const known = colours.get(name);
  if (known) return known;
  // Custom properties keep light-dark() unresolved; only a real property gives the colour that is meant.
  probe.style.color = `var(${name})`;
  if (!probe.isConnected) root.append(probe);
  const found = getComputedStyle(probe).color;
  colours.set(name, found);
  return found;
}

/** The font of the page, for canvases. */
export const fontFamily = () => (family ||= getComputedStyle(document.body).fontFamily);
let family = "";

/**
 * @param {string} name
 * @param {string} value
 */
function keep(name, value) {
  try {
    localStorage.setItem(`siaga.${name}`, value);
  } catch {
    // A browser that keeps nothing still shows what was chosen until it is closed.
  }
}

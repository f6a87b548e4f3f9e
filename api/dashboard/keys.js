/** Keys of a single letter, which work only while no field has the focus. */

import { hide } from "./announce.js";
import { go } from "./router.js";
import { quietSound } from "./sound.js";
import { compareAlerts, state } from "./store.js";
import { PAGES } from "./views/table.js";

const GO_MS = 1500;
const LETTERS = new Map(PAGES.map(({ key, path }) => [key, path]));
let goUntil = 0;

/**
 * @param {() => import("./router.js").View | null} current
 * @returns {() => void} stops listening
 */
export function listenForKeys(current) {
  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (
      event.defaultPrevented ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      document.querySelector("dialog[open]")
    )
      return;
    const field = /** @type {Element} */ (event.target).closest?.("input, textarea, select");
    if (field && event.key !== "Escape") return;
    if (handled(event, current())) event.preventDefault();
  }
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

/**
 * @param {KeyboardEvent} event
 * @param {import("./router.js").View | null} view
 * @returns {boolean}
 */
function handled(event, view) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (performance.now() < goUntil) {
    goUntil = 0;
    const path = LETTERS.get(key);
    if (path) go(path);
    return path !== undefined;
  }
  if (key === "g") {
    goUntil = performance.now() + GO_MS;
    return true;
  }
  if (key === "?") {
    showKeys(view?.keys ?? []);
    return true;
  }
  if (key === "/") return focusSearch();
  if (key === "Escape") return back(view);
  if (view?.key?.(event)) return true;
  if (key === "n") return toNextUnacked();
  if (key === "z") return pressUndo();
  if (key === "m") return quietSound();
  return false;
}

/** @param {[string[], string][]} own  keys of the view */
async function showKeys(own) {
  const { keysDialog } = await import("./settings.js");
  if (document.querySelector("dialog[open]")) return;
  const dialog = keysDialog(own);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

function focusSearch() {
  const search = /** @type {HTMLInputElement | null} */ (document.querySelector("main input[type=search]"));
  search?.focus();
  search?.select();
  return search !== null;
}

/**
 * One step back: out of a field, then a note, then what the view has open, then the page before.
 * @param {import("./router.js").View | null} view
 */
function back(view) {
  const field = document.activeElement;
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement || field instanceof HTMLTextAreaElement) {
    if (field.type === "search" && field.value) {
      field.value = "";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    field.blur();
    return true;
  }
  return hide() || (view?.back?.() ?? false);
}

function toNextUnacked() {
  const waiting = [...state.alerts.values()].filter((alert) => !alert.acked).sort(compareAlerts);
  if (!waiting.length) return false;
  const shown = Number(new URL(location.href).searchParams.get("id"));
  const at = location.pathname === "/peringatan" ? waiting.findIndex((alert) => alert.id === shown) : -1;
  go(`/peringatan?id=${waiting[(at + 1) % waiting.length].id}`);
  return true;
}

/** What takes the last action back is there for ten seconds, with the script that has it (undo.js). */
function pressUndo() {
  /** @type {HTMLElement | null} */
  const button = document.querySelector("button.undo");
  button?.click();
  return button !== null;
}

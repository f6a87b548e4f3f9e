/** Start: who is there, what is known, which view. Rebuilt whole when the language changes, as every text does. */

import { announce } from "./announce.js";
import { h } from "./dom.js";
import { said } from "./format.js";
import { makeFrame } from "./frame.js";
import { listenForKeys } from "./keys.js";
import { connect, disconnect, onStreamSignedOut } from "./live.js";
import { call, load, loadMe, onSignedOut } from "./load.js";
import { inBoth, onPreference } from "./prefs.js";
import { go, startRouter } from "./router.js";
import { compareAlerts, state, subscribe } from "./store.js";
import { useStyles } from "./tags.js";
import { notThereView, unfetchedView } from "./views/not_there.js";
import { viewAt } from "./views/table.js";
import { t } from "./words/frame.js";

const SIGN_IN = "/masuk";
// How often a wall that is signed out asks whether it is in again.
const KEY_MS = 60_000;
const ALL = /** @type {Set<import("./store.js").Topic>} */ (
  new Set(["kinds", "gauges", "devices", "latest", "alerts", "counts", "stream", "beat", "failures", "tick"])
);

/** @type {import("./frame.js").Frame | null} */
let frame = null;
/** @type {import("./router.js").View | null} */
let view = null;
let shownPath = "";
/** Counts the addresses opened: a view that is fetched after the next one was opened is not wanted any more. */
let opened = 0;

/**
 * What makes the view of an address, once its script and style sheets are there.
 * @param {import("./views/table.js").Entry} entry
 * @param {string} rest
 */
async function fetched(entry, rest) {
  try {
    const sheets = useStyles(entry.styles.map((name) => `/assets/css/${name}.css`));
    const [script] = await Promise.all([entry.load(), sheets]);
    return () => script.view(rest);
  } catch {
    return () => unfetchedView(inBoth(entry.name ?? [rest, rest]));
  }
}

/** @param {URL} url */
async function show(url) {
  const turn = ++opened;
  if (!state.me) {
    showSignIn();
    return;
  }
  if (url.pathname === SIGN_IN) {
    go("/");
    return;
  }
  // Only the query differs: the view goes there by itself, and keeps its place.
  if (view?.moved && url.pathname === shownPath) {
    view.moved(url.searchParams);
    return;
  }
  const found = viewAt(url.pathname);
  if (!found?.entry.bare) frame ??= mountFrame();
  const make = found ? await fetched(found.entry, found.rest) : notThereView;
  if (turn !== opened) return;
  view?.close?.();
  shownPath = url.pathname;
  const made = (view = make());
  if (found?.entry.bare) showBare(made);
  else showFramed(made, found?.entry.page ?? "");
  made.update?.(ALL);
}

/** @param {import("./router.js").View} made @param {string} page */
function showFramed(made, page) {
  frame ??= mountFrame();
  frame.main.replaceChildren(made.element);
  frame.main.scrollTop = 0;
  frame.entered(page, made.title);
}

/** Alone on its screen. @param {import("./router.js").View} made */
function showBare(made) {
  frame = null;
  document.title = `${made.title} · Siaga`;
  document.body.replaceChildren(h("main.bare", { id: "main" }, made.element));
}

function mountFrame() {
  const made = makeFrame(signOut);
  document.body.replaceChildren(made.element);
  made.update(ALL);
  made.tick();
  return made;
}

async function showSignIn() {
  const turn = ++opened;
  disconnect();
  view?.close?.();
  view = null;
  frame = null;
  shownPath = "";
  if (viewAt(location.pathname)?.entry.bare) {
    showWithoutKey();
    return;
  }
  // Whatever happens now, nobody reads on what was for somebody else.
  document.body.replaceChildren();
  const { signInView } = await import("./views/sign_in.js");
  // Somebody may have come in meanwhile, by another tab of this browser.
  if (turn !== opened) return;
  const page = signInView(async () => {
    await loadMe();
    begin();
    show(new URL(location.href));
  });
  document.title = `${page.title} · Siaga`;
  document.body.replaceChildren(page.element);
  /** @type {HTMLElement | null} */ (page.element.querySelector("input"))?.focus();
}

/** Nobody could sign in on a wall: it says what it needs, and comes back by itself once the browser has a session. */
async function showWithoutKey() {
  const { wallWithoutKey } = await import("./views/wall.js");
  await useStyles(["/assets/css/wall.css"]);
  const page = wallWithoutKey();
  document.title = `${page.title} · Siaga`;
  document.body.replaceChildren(page.element);
  while (!state.me) {
    await new Promise((resolve) => setTimeout(resolve, KEY_MS));
    if (await loadMe().catch(() => null)) begin();
  }
  show(new URL(location.href));
}

/** The stream first, then what there is: nothing that happens in between is missed. */
function begin() {
  connect();
  load();
}

function forgetPerson() {
  if (!state.me) return;
  state.me = null;
  for (const known of [state.devices, state.latest, state.alerts]) known.clear();
  state.loaded.clear();
  state.counts = null;
  showSignIn();
}

async function signOut() {
  try {
    await call("session", { method: "DELETE" });
  } catch {
    // The server will forget the session by itself; this screen shows nothing any more in any case.
  }
  forgetPerson();
}

/** Alerts already told about, so that only new ones are said aloud. @type {Set<number> | null} */
let told = null;

function announceNew() {
  if (!state.loaded.has("alerts")) return;
  const before = told;
  told = new Set(state.alerts.keys());
  if (before === null) return;
  const fresh = [...state.alerts.values()].filter((alert) => !before.has(alert.id) && !alert.acked).sort(compareAlerts);
  if (!fresh.length) return;
  const title = said(fresh[0].title);
  const words = fresh.length === 1 ? t("announce_one", { title }) : t("announce_new", { n: fresh.length, title });
  announce(() => words, fresh[0].severity >= 2);
}

subscribe((topics) => {
  if (!state.me) return;
  frame?.update(topics);
  view?.update?.(topics);
  if (frame && topics.has("alerts")) announceNew();
});
setInterval(() => frame?.tick(), 1000);
onSignedOut(forgetPerson);
onStreamSignedOut(forgetPerson);
listenForKeys(() => view);
onPreference((what) => {
  if (what !== "language") return;
  view?.close?.();
  view = frame = null;
  show(new URL(location.href));
});

/** Nobody answers yet: `siaga up` may still be starting. */
async function start() {
  for (let pause = 1000; ; pause = Math.min(pause * 2, 10_000)) {
    try {
      if (await loadMe()) begin();
      break;
    } catch {
      const words = h("p", {}, t("unreachable", { time: new Date(Date.now() + pause).toLocaleTimeString("id-ID") }));
      document.body.replaceChildren(h("main.sign-in", {}, h("div.message", {}, h("b", {}, "Siaga"), words)));
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  startRouter(show);
}

start();

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
import { signInView } from "./views/sign_in.js";
import { viewAt } from "./views/table.js";
import { t } from "./words/frame.js";

const SIGN_IN = "/masuk";
const ALL = /** @type {Set<import("./store.js").Topic>} */ (
  new Set(["kinds", "devices", "latest", "alerts", "counts", "stream", "beat", "failures", "tick"])
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
  frame ??= mountFrame();
  // Only the query differs: the view goes there by itself, and keeps its place.
  if (view?.moved && url.pathname === shownPath) {
    view.moved(url.searchParams);
    return;
  }
  const found = viewAt(url.pathname);
  const make = found ? await fetched(found.entry, found.rest) : notThereView;
  if (turn !== opened || !frame) return;
  view?.close?.();
  shownPath = url.pathname;
  const made = (view = make());
  frame.main.replaceChildren(made.element);
  frame.main.scrollTop = 0;
  frame.entered(found?.entry.page ?? "", made.title);
  made.update?.(ALL);
}

function mountFrame() {
  const made = makeFrame(signOut);
  document.body.replaceChildren(made.element);
  made.update(ALL);
  made.tick();
  return made;
}

function showSignIn() {
  opened++;
  disconnect();
  view?.close?.();
  view = null;
  frame = null;
  const page = signInView(async () => {
    await loadMe();
    begin();
    show(new URL(location.href));
  });
  document.title = `${page.title} · Siaga`;
  document.body.replaceChildren(page.element);
  /** @type {HTMLElement | null} */ (page.element.querySelector("input"))?.focus();
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
  if (!frame) return;
  frame.update(topics);
  view?.update?.(topics);
  if (topics.has("alerts")) announceNew();
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

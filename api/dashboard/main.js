/** Start: who is there, what is known, which view. Rebuilt whole when the language changes, as every text does. */

import { announce } from "./announce.js";
import { h } from "./dom.js";
import { said } from "./format.js";
import { makeFrame } from "./frame.js";
import { listenForKeys } from "./keys.js";
import { connect, disconnect, onStreamSignedOut } from "./live.js";
import { call, load, loadMe, onSignedOut } from "./load.js";
import { onPreference } from "./prefs.js";
import { go, startRouter } from "./router.js";
import { compareAlerts, state, subscribe } from "./store.js";
import { alertsView } from "./views/alerts.js";
import { deviceView } from "./views/device.js";
import { devicesView } from "./views/devices.js";
import { notThereView } from "./views/not_there.js";
import { signInView } from "./views/sign_in.js";
import { situationView } from "./views/situation.js";
import { t } from "./words.js";

const SIGN_IN = "/masuk";
const ALL = /** @type {Set<import("./store.js").Topic>} */ (
  new Set(["kinds", "devices", "latest", "alerts", "counts", "stream", "beat", "failures", "tick"])
);

/** @type {import("./frame.js").Frame | null} */
let frame = null;
/** @type {import("./router.js").View | null} */
let view = null;
let shownPath = "";

/**
 * The view of an address and the page of the navigation it belongs to.
 * @param {URL} url
 * @returns {[import("./router.js").View, string]}
 */
function viewOf(url) {
  const [first, ...rest] = url.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  if (first === undefined) return [situationView(), "situation"];
  if (first === "peringatan" && rest.length === 0) return [alertsView(), "alerts"];
  if (first === "perangkat" && rest.length === 0) return [devicesView(), "devices"];
  if (first === "perangkat" && rest.length === 1) return [deviceView(rest[0]), "devices"];
  return [notThereView(first, rest.length > 0), ""];
}

/** @param {URL} url */
function show(url) {
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
  view?.close?.();
  shownPath = url.pathname;
  const [made, page] = viewOf(url);
  view = made;
  frame.main.replaceChildren(made.element);
  frame.main.scrollTop = 0;
  frame.entered(page, made.title);
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

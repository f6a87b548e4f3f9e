/**
 * The live stream. The server sends a beat every 5 s: after 10 s without one nothing on the screen may pass for now,
 * whatever the connection says.
 */

import { now, serverSaid } from "./clock.js";
import { load, loadMe, lookForDevices, putLatest } from "./load.js";
import { changed, putAlert, state } from "./store.js";

const LOST_MS = 10_000;
const LOOK_MS = 1_000;
const AGAIN_MS = 3_000;

/** @type {EventSource | null} */
let source = null;
/** @type {number} */
let again = 0;
let heardAt = performance.now();
let beatAt = Date.now();
/** Raised while we were away, to be told when it is over. @type {Set<number>} */
const missed = new Set();
/** @type {{ since: number, missed: number, at: number } | null} */
let caughtUp = null;
let wasOpen = false;

/** What was missed while disconnected, until somebody has read it. */
export const lastOutage = () => caughtUp;

export function forgetOutage() {
  caughtUp = null;
  changed("stream");
}

/** Open the stream, or open it anew. */
export function connect() {
  source?.close();
  clearTimeout(again);
  const opened = new EventSource("/api/v1/stream");
  source = opened;
  let first = true;
  opened.addEventListener("open", () => {
    // The browser's own reconnecting brings the alerts it missed. A new stream starts from now, and latest values are
    // never replayed: those are loaded.
    if (state.stream === "lost") catchUp(first);
    else if (wasOpen) load(first ? undefined : ["latest"]);
    wasOpen = true;
    first = false;
  });
  opened.addEventListener("error", () => {
    if (opened.readyState !== EventSource.CLOSED || source !== opened) return;
    // Refused, not broken off: the browser gives up, we do not. A session may have ended.
    again = window.setTimeout(async () => {
      try {
        if (!(await loadMe())) return signedOut();
      } catch {
        // No answer at all: the next try will tell.
      }
      connect();
    }, AGAIN_MS);
  });
  opened.addEventListener("alert", (event) => heard(event, onAlert));
  opened.addEventListener("latest", (event) => heard(event, onLatest));
  opened.addEventListener("beat", (event) => heard(event, onBeat));
  opened.addEventListener("reset", () => load());
}

/** @type {() => void} */
let signedOut = () => {};

/** @param {() => void} action */
export function onStreamSignedOut(action) {
  signedOut = action;
}

export function disconnect() {
  source?.close();
  source = null;
  clearTimeout(again);
  setStream("connecting");
}

/**
 * @param {MessageEvent} event
 * @param {(data: any) => void} then
 */
function heard(event, then) {
  let data;
  try {
    data = JSON.parse(event.data);
  } catch {
    return; // cut off in the middle; what follows is whole again
  }
  then(data);
}

/** @param {{ transition: any, alert: import("./store.js").Alert, counts: any }} data */
function onAlert({ transition, alert, counts }) {
  if (state.stream !== "live" && transition.what === "raised") missed.add(alert.id);
  putAlert(alert);
  state.counts = counts;
  changed("counts");
}

/** @param {{ items: import("./store.js").Latest[] }} data */
function onLatest({ items }) {
  for (const item of items) {
    putLatest(item);
    if (!state.devices.has(item.device_id)) lookForDevices();
  }
}

/** @param {{ now: string, lag_s: number | null, readings_per_s: number | null }} data */
function onBeat(data) {
  serverSaid(data.now);
  heardAt = performance.now();
  beatAt = Date.parse(data.now);
  state.beat = data;
  changed("beat");
  if (state.stream === "connecting") setStream("live");
  else if (state.stream === "lost") catchUp(false); // the connection held, but the server had lost its database
}

/** @param {boolean} everything  also what a replay would have brought */
async function catchUp(everything) {
  setStream("catching up");
  const since = state.lostSince ?? beatAt;
  const known = new Set(state.alerts.keys());
  const topics = ["latest", "alerts", "counts"];
  await load(everything ? undefined : topics);
  if (/** @type {string} */ (state.stream) !== "catching up") return;
  for (const id of state.alerts.keys()) if (!known.has(id)) missed.add(id);
  if (topics.some((topic) => state.failures.has(topic))) {
    setStream("lost"); // the next beat tries again
    return;
  }
  caughtUp = { since, missed: missed.size, at: now() };
  missed.clear();
  heardAt = performance.now();
  state.lostSince = null;
  setStream("live");
}

/** @param {"connecting" | "live" | "catching up" | "lost"} next */
function setStream(next) {
  if (state.stream === next) return;
  state.stream = next;
  document.documentElement.dataset.stream = next.replace(" ", "-");
  changed("stream");
}

setInterval(() => {
  if (!source || state.stream === "lost" || performance.now() - heardAt < LOST_MS) return;
  if (state.stream === "catching up") return; // loading has its own time limits
  state.lostSince ??= state.stream === "live" ? beatAt : null;
  setStream("lost");
}, LOOK_MS);

/** Ages and freshness change by themselves. */
setInterval(() => changed("tick"), 10_000);

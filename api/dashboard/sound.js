/**
 * What this station sounds: by the worst alert that nobody looks after, in a pattern of its own for each severity, until
 * the last one is acknowledged. Off until somebody begins a shift here, quiet for five minutes when asked, and a worse
 * alert breaks through that. Sound is never the only carrier: its state stands in words in the top bar.
 */

import { now } from "./clock.js";
import { state, subscribe } from "./store.js";

/** @typedef {"off" | "asleep" | "quiet" | "sounding" | "ready"} Sounding */

const QUIET_MS = 300_000;
const LOOK_MS = 500;
// Hz and pause between repeats by severity; 0: once for each alert. Low ones have no sound.
/** @type {Record<number, { notes: readonly number[], every_ms: number }>} */
const PATTERNS = {
  3: { notes: [880, 660, 880], every_ms: 10_000 },
  2: { notes: [660, 880], every_ms: 30_000 },
  1: { notes: [520], every_ms: 0 },
};
const LOST_NOTES = [220];
const KEY = "siaga.sound";

/** What plays, fetched when somebody begins a shift here. @type {typeof import("./sound_play.js") | null} */
let player = null;
const isAwake = () => player?.isAwake() ?? false;

/** @type {Set<() => void>} */
const listeners = new Set();
let on = kept() === "on";
let quietUntil = 0,
  quietSeverity = 0,
  lostTold = false;
/** Alerts that have had their one note. @type {Set<number>} */
const heard = new Set();
/** When the pattern of each severity was last played. @type {Map<number, number>} */
const playedAt = new Map();

/**
 * The worst severity that has a sound and nobody looks after; 0 when there is none.
 * @param {Iterable<import("./store.js").Alert>} alerts
 */
export function loudest(alerts) {
  let worst = 0;
  for (const alert of alerts) if (!alert.acked && alert.severity > worst) worst = alert.severity;
  return worst;
}

/** @returns {{ is: Sounding, severity: number, left_ms: number }} */
export function sound() {
  const severity = loudest(state.alerts.values());
  const left_ms = Math.max(0, quietUntil - now());
  if (!on) return { is: "off", severity, left_ms: 0 };
  if (!isAwake()) return { is: "asleep", severity, left_ms };
  if (left_ms > 0) return { is: "quiet", severity, left_ms };
  // Disconnected there is nothing to acknowledge with: one low note, then silence.
  return { is: severity && state.stream === "live" ? "sounding" : "ready", severity, left_ms: 0 };
}

/** Begin a shift at this station. A browser lets sound begin only when somebody has clicked. */
export function startSound() {
  on = true;
  keep("on");
  wake();
}

async function wake() {
  try {
    player ??= await import("./sound_play.js");
    player.wake(tell);
  } catch {
    // The button says that there is no sound; the next touch tries again.
  }
  tell();
}

export function stopSound() {
  on = false;
  keep("off");
  tell();
}

/** Five minutes of silence here; nothing is acknowledged by it. Asked again, sound comes back. */
export function quietSound() {
  const quiet = sound().is === "quiet";
  quietUntil = quiet ? 0 : now() + QUIET_MS;
  quietSeverity = loudest(state.alerts.values());
  tell();
  return on;
}

/** @param {() => void} listener */
export function onSound(listener) {
  listeners.add(listener);
}

function tell() {
  for (const listener of listeners) listener();
}

function look() {
  const severity = loudest(state.alerts.values());
  if (quietUntil > now() && severity > quietSeverity) quietUntil = 0;
  if (severity < quietSeverity) quietSeverity = severity;
  if (sound().is === "sounding") sing(severity);
  // An acknowledged alert that becomes worse may have its note again.
  for (const id of heard) if (state.alerts.get(id)?.acked ?? true) heard.delete(id);
  if (!severity) playedAt.clear();
  if (state.stream === "lost" && !lostTold && on) player?.play(LOST_NOTES);
  lostTold = state.stream === "lost";
  tell();
}

/** @param {number} severity */
function sing(severity) {
  const { notes, every_ms } = PATTERNS[severity];
  const fresh = [...state.alerts.values()].filter(
    (alert) => !alert.acked && alert.severity === severity && !heard.has(alert.id),
  );
  const due = every_ms > 0 && performance.now() - (playedAt.get(severity) ?? -Infinity) >= every_ms;
  for (const alert of fresh) heard.add(alert.id);
  if (!due && !(every_ms === 0 && fresh.length)) return;
  playedAt.set(severity, performance.now());
  player?.play(notes);
}

function kept() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** @param {string} value */
function keep(value) {
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // Then the shift is begun again after the page was loaded again.
  }
}

subscribe((topics) => {
  if (topics.has("alerts") || topics.has("stream")) look();
});
setInterval(() => on && look(), LOOK_MS);
// Whoever touches the page after it was loaded again wakes the sound of a shift that goes on.
for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => on && !isAwake() && wake());

/** What is in quarantine: groups of entries with the same complaint, whatever state they are in, and what one is about. */

import { ms } from "../format.js";
import { call, pages } from "../load.js";
import { resource } from "../resource.js";
import { state } from "../store.js";

/** @typedef {"open" | "claimed" | "replaying" | "replayed" | "discarded"} State */
/** @typedef {{ fingerprint: string, reason: string, device_id: string, topic: string, entries: number, count: number,
 *    first_seen: string, last_seen: string, detail: string, sample: number }} Answered  as the API groups them */
/** @typedef {Answered & { states: Partial<Record<State, number>> }} Group  entries: of all states */
/** @typedef {{ id: number, reason: string, device_id: string, topic: string, detail: string, skew_s: number | null,
 *    first_seen: string, last_seen: string, count: number, state: State, claimed_by: string | null,
 *    claimed_at: string | null, replay_of: number | null, has_payload: boolean }} Entry */
/** @typedef {{ at: string, who: string, what: string, note: string | null, shift_s: number | null,
 *    outcome: Record<string, number> | null }} Happened */
/** @typedef {Entry & { payload_text: string | null, payload_base64: string | null, events: Happened[] }} Whole */

/** @type {readonly State[]} */
export const WAITING = ["open", "claimed", "replaying"];
/** @type {readonly State[]} */
const DONE = ["replayed", "discarded"];
const EVERY_MS = 30_000;
const MOST = 200;
// So many of a group are opened to say what a replay would make of them.
export const LOOKED_AT = 20;

/** Every group, newest first, kept up to date. @param {() => void} changed */
export function groups(changed) {
  const parts = [...WAITING, ...DONE].map((of) => ({
    of,
    answer: resource(`quarantine/groups?state=${of}&limit=${MOST}`, changed, {
      every_ms: EVERY_MS,
      shape: ({ items }) => /** @type {Answered[]} */ (items),
    }),
  }));

  return {
    /** The part that says why nothing is there, for drawResource. */
    get first() {
      return (parts.find(({ answer }) => answer.failure) ?? parts.find(({ answer }) => !answer.value) ?? parts[0])
        .answer;
    },
    /** @returns {Group[] | null} */
    get value() {
      return parts.every(({ answer }) => answer.value)
        ? joined(parts.map(({ of, answer }) => [of, answer.value ?? []]))
        : null;
    },
    ask: () => parts.forEach(({ answer }) => answer.ask()),
    close: () => parts.forEach(({ answer }) => answer.close()),
  };
}

/** @param {[State, Answered[]][]} parts @returns {Group[]} */
function joined(parts) {
  /** @type {Map<string, Group>} */
  const found = new Map();
  for (const [of, items] of parts)
    for (const item of items) {
      const known = found.get(item.fingerprint);
      found.set(item.fingerprint, known ? both(known, of, item) : { ...item, states: { [of]: item.entries } });
    }
  return [...found.values()].sort((a, b) => b.last_seen.localeCompare(a.last_seen) || b.sample - a.sample);
}

/** @param {Group} known @param {State} of @param {Answered} item @returns {Group} */
function both(known, of, item) {
  const newer = item.sample > known.sample ? item : known;
  return {
    ...newer,
    entries: known.entries + item.entries,
    count: known.count + item.count,
    first_seen: known.first_seen < item.first_seen ? known.first_seen : item.first_seen,
    last_seen: known.last_seen > item.last_seen ? known.last_seen : item.last_seen,
    states: { ...known.states, [of]: item.entries },
  };
}

/** Whether somebody still has to do something about it, or ingest has. @param {Group} group */
export const isWaiting = (group) => WAITING.some((of) => group.states[of]);

/** The device that sent it, as its topic names it. @param {{ device_id: string, topic: string }} of */
export const senderOf = (of) => (of.device_id !== "?" ? of.device_id : (of.topic.split("/")[3] ?? of.topic));

/** @param {{ topic: string }} of */
export const regionOf = (of) => of.topic.split("/")[2] ?? "";

/** What a payload holds: its readings, as far as they can be read. @param {string | null} payload @returns {Record<string, any>[]} */
export function readingsOf(payload) {
  try {
    const content = JSON.parse(payload ?? "");
    return (Array.isArray(content) ? content : [content]).filter((each) => each && typeof each === "object");
  } catch {
    return [];
  }
}

/** The kind whose metrics these are; null when none or two fit alike. @param {Record<string, any>[]} readings */
export function kindOf(readings) {
  const names = Object.keys(readings[0] ?? {});
  const fits = [...state.kinds.values()]
    .map((kind) => ({ kind: kind.kind, n: kind.metrics.filter(({ name }) => names.includes(name)).length }))
    .filter(({ n }) => n > 0)
    .sort((a, b) => b.n - a.n);
  return fits.length && fits[0].n > (fits[1]?.n ?? 0) ? fits[0].kind : null;
}

/** Entries of a group, newest first, and the newest of them whole. @param {Group} group @param {AbortSignal} signal */
export async function opened(group, signal) {
  /** @type {{ items: Entry[] }} */
  const { items } = await call(`quarantine?fingerprint=${group.fingerprint}&limit=${MOST}`, { signal });
  const first = items.filter((entry) => WAITING.includes(entry.state));
  const looked = (first.length ? first : items).slice(0, LOOKED_AT);
  /** @type {Whole[]} */
  const whole = await Promise.all(looked.map(({ id }) => call(`quarantine/${id}`, { signal })));
  return { entries: items, whole };
}

/** Stored readings of a device at certain times, by time in ms. @param {string} device @param {number[]} times @param {AbortSignal} signal */
export async function storedAt(device, times, signal) {
  /** @type {Map<number, Record<string, number | null>>} */
  const found = new Map();
  if (!times.length) return found;
  const from = new Date(Math.min(...times)).toISOString(),
    to = new Date(Math.max(...times) + 1).toISOString();
  const wanted = new Set(times);
  for await (const items of pages(`readings?device=${encodeURIComponent(device)}&from=${from}&to=${to}`, signal))
    for (const item of items) if (wanted.has(ms(item.ts))) found.set(ms(item.ts), item.values ?? item);
  return found;
}

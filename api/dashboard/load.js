/** Loading from the API into the state, and trying again what failed. The stream keeps up to date what was loaded. */

import { now, serverSaid } from "./clock.js";
import { changed, hasLadder, putAlert, state } from "./store.js";

/** An answer that is no success; status 0 is no answer at all. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {any} problem  application/problem+json, if it was
   * @param {number | null} [retryAfter_s]  after how long it may be asked again, where the server says so
   */
  constructor(status, problem, retryAfter_s = null) {
    super(problem?.detail ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
    this.retryAfter_s = retryAfter_s;
  }
}

const UNAUTHORIZED = 401;
const RETRY_S = [3, 5, 10, 20, 30];
const TIMEOUT_MS = 20_000;
const RATES_MS = 60_000;

/** @type {() => void} */
let signedOut = () => {};

/** What to do once the server no longer knows us. @param {() => void} action */
export function onSignedOut(action) {
  signedOut = action;
}

/**
 * Ask the API; a body makes it a POST: a Blob as it is, anything else as JSON.
 * @param {string} path
 * @param {{ method?: string, body?: any, headers?: Record<string, string>, signal?: AbortSignal, timeout_ms?: number }} [options]
 * @returns {Promise<any>}
 */
export async function call(path, { method, body, headers, signal, timeout_ms = TIMEOUT_MS } = {}) {
  const limit = AbortSignal.timeout(timeout_ms);
  const isJsonBody = body !== undefined && !(body instanceof Blob);
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: { "X-Siaga": "1", ...(isJsonBody ? { "Content-Type": "application/json" } : {}), ...headers },
      body: isJsonBody ? JSON.stringify(body) : body,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, null);
  }
  const isJson = answer.headers.get("Content-Type")?.includes("json");
  const content = isJson ? await answer.json().catch(() => null) : null;
  if (answer.ok) return content;
  if (answer.status === UNAUTHORIZED && path !== "session" && path !== "me") signedOut();
  const wait = answer.headers.get("Retry-After");
  throw new ApiError(answer.status, content, wait === null ? null : Number(wait));
}

/**
 * All items of a collection, page by page.
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function* pages(path, signal) {
  let cursor = "";
  do {
    const next = cursor && `${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`;
    const page = await call(path + next, { signal });
    yield page.items;
    cursor = page.next_cursor ?? "";
  } while (cursor);
}

/** Everything a screen needs, by topic. @type {Record<string, () => Promise<void>>} */
const LOADERS = {
  async kinds() {
    const { items } = await call("kinds");
    state.kinds = new Map(items.map((/** @type {any} */ kind) => [kind.kind, kind]));
  },
  async gauges() {
    for (const { kind } of [...state.kinds.values()].filter(hasLadder)) {
      for await (const items of pages(`devices?kind=${kind}`)) for (const item of items) state.devices.set(item.id, item);
      for await (const items of pages(`latest?kind=${kind}`)) for (const item of items) putLatest(item);
    }
  },
  async devices() {
    /** @type {typeof state.devices} */
    const found = new Map();
    for await (const items of pages("devices")) for (const device of items) found.set(device.id, device);
    state.devices = found;
  },
  async latest() {
    for await (const items of pages("latest")) for (const item of items) putLatest(item);
  },
  async alerts() {
    /** @type {Set<number>} */
    const open = new Set();
    const before = new Set(state.alerts.keys());
    for await (const items of pages("alerts")) {
      for (const alert of items) {
        open.add(alert.id);
        putAlert(alert);
      }
    }
    // What was open before and is not listed has ended; what the stream brought meanwhile stays.
    for (const id of before) if (!open.has(id)) state.alerts.delete(id);
  },
  async counts() {
    state.counts = await call("alerts/counts");
  },
  async boundaries() {
    const answer = await fetch("/assets/asahan_kecamatan.geojson");
    if (!answer.ok) throw new ApiError(answer.status, null);
    state.boundaries = await answer.json();
    state.districts = new Map(
      state.boundaries.features.map((/** @type {any} */ f) => [f.properties.kode, f.properties.nama]),
    );
  },
};
export const TOPICS = Object.keys(LOADERS);
// In this order and before all else: ten rivers are there at once, ten thousand lamps take seconds.
const FIRST = ["kinds", "gauges"];

/** @type {Map<string, Promise<boolean>>} */
const running = new Map();
/** @type {Map<string, { tries: number, timer: number }>} */
const waiting = new Map();

/** Who is asking; null when nobody is signed in. @returns {Promise<import("./store.js").Me | null>} */
export async function loadMe() {
  try {
    const me = await call("me");
    serverSaid(me.now);
    state.me = me;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== UNAUTHORIZED) throw error;
    state.me = null;
  }
  return state.me;
}

/**
 * Load some topics, each on its own: one that fails leaves the others alone and is tried again.
 * @param {string[]} [topics]
 */
export async function load(topics = TOPICS) {
  for (const topic of FIRST) if (topics.includes(topic)) await loadOne(topic);
  await Promise.all(topics.filter((topic) => !FIRST.includes(topic)).map(loadOne));
}

/** @param {string} topic @returns {Promise<boolean>} */
function loadOne(topic) {
  const under_way = running.get(topic);
  if (under_way) return under_way;
  clearTimeout(waiting.get(topic)?.timer);
  const attempt = attemptOf(topic).finally(() => running.delete(topic));
  running.set(topic, attempt);
  return attempt;
}

/** @param {string} topic */
async function attemptOf(topic) {
  try {
    await LOADERS[topic]();
    waiting.delete(topic);
    state.failures.delete(topic);
    state.loaded.add(topic);
    changed(/** @type {any} */ (topic === "boundaries" ? "devices" : topic));
    changed("failures");
    return true;
  } catch (error) {
    const status = error instanceof ApiError ? error.status : 0;
    if (status === UNAUTHORIZED) return false;
    if (!(error instanceof ApiError)) console.error(error);
    const tries = (waiting.get(topic)?.tries ?? 0) + 1;
    const pause = RETRY_S[Math.min(tries, RETRY_S.length) - 1] * 1000;
    waiting.set(topic, { tries, timer: window.setTimeout(() => loadOne(topic), pause) });
    state.failures.set(topic, { status, retryAt: now() + pause });
    changed("failures");
    return false;
  }
}

/** Try now what would be tried later. @param {string} topic */
export function retry(topic) {
  if (LOADERS[topic]) loadOne(topic);
}

/**
 * A newer reading replaces an older one; the rate of rise stays, as the stream does not send it.
 * @param {import("./store.js").Latest} item
 */
export function putLatest(item) {
  const known = state.latest.get(item.device_id);
  if (known && known.ts !== item.ts && Date.parse(known.ts) > Date.parse(item.ts)) return;
  state.latest.set(item.device_id, item.rate === undefined ? { ...item, rate: known?.rate } : item);
  changed("latest");
}

/** @type {number} */
let lookingForDevices = 0;

/** A reading of a device we do not know: somebody has registered devices. */
export function lookForDevices() {
  lookingForDevices ||= window.setTimeout(() => {
    lookingForDevices = 0;
    loadOne("devices");
  }, 2000);
}

// Rates come only with /latest: asked for once a minute where there is a ladder.
setInterval(async () => {
  if (!state.me || document.hidden || state.stream !== "live") return;
  for (const kind of state.kinds.values()) {
    if (!hasLadder(kind)) continue;
    try {
      for await (const items of pages(`latest?kind=${kind.kind}`)) for (const item of items) putLatest(item);
    } catch {
      // The next minute has another chance, and the levels themselves come by the stream.
    }
  }
}, RATES_MS);

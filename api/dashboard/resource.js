/**
 * One answer of the API that a view keeps: asked for at once, again at an interval or when a topic changes, tried again
 * when it failed, and asked for anew after the stream was away. What it had stays while it asks again.
 */

import { now } from "./clock.js";
import { attribute, h, redraw } from "./dom.js";
import { timeWithSeconds } from "./format.js";
import { ApiError, call } from "./load.js";
import { message, skeleton } from "./parts.js";
import { state, subscribe } from "./store.js";
import { t } from "./words/common.js";

/**
 * @template T
 * @typedef {object} Resource
 * @property {T | null} value  the last answer
 * @property {{ status: number, retryAt: number, detail: string } | null} failure  of the last question, if it failed
 * @property {number | null} at  when the last answer came, server time in ms
 * @property {(path?: string) => void} ask  ask now, or for something else from now on: then what it had is forgotten
 * @property {() => void} close
 */

const RETRY_MS = [3_000, 5_000, 10_000, 20_000, 30_000];
// A burst of changes is one question.
const BURST_MS = 3_000;

/**
 * @template T
 * @param {string} path  of the API, as `call` takes it; "" asks for nothing yet
 * @param {() => void} changed  draw again
 * @param {{ every_ms?: number, topics?: readonly import("./store.js").Topic[], watch?: () => string,
 *   shape?: (answer: any) => T }} [options]  watch: what of these topics matters here; asked again only when it differs
 * @returns {Resource<T>}
 */
export function resource(path, changed, { every_ms = 0, topics = [], watch, shape = (answer) => answer } = {}) {
  let wanted = path,
    tries = 0,
    timer = 0,
    waiting = 0,
    closed = false,
    stream = state.stream,
    watched = watch?.();
  /** @type {AbortController | null} */
  let asking = null;
  /** @type {Resource<T>} */
  const made = { value: null, failure: null, at: null, ask, close };

  /** @param {string} [next] */
  function ask(next) {
    if (next !== undefined && next !== wanted) {
      wanted = next;
      tries = 0;
      made.value = made.failure = made.at = null;
      changed();
    }
    question();
  }

  async function question() {
    clearTimeout(timer);
    clearTimeout(waiting);
    waiting = 0;
    asking?.abort();
    if (closed || !wanted) return;
    const control = (asking = new AbortController());
    let pause = every_ms;
    try {
      const answer = await call(wanted, { signal: control.signal });
      if (control.signal.aborted) return;
      made.value = shape(answer);
      made.failure = null;
      made.at = now();
      tries = 0;
    } catch (error) {
      if (control.signal.aborted) return;
      if (!(error instanceof ApiError)) console.error(error);
      pause = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];
      const { status, message: detail } = error instanceof ApiError ? error : { status: 0, message: "" };
      made.failure = { status, detail, retryAt: now() + pause };
    }
    asking = null;
    if (pause) timer = window.setTimeout(question, pause);
    changed();
  }

  const stop = subscribe((changes) => {
    const back = stream !== "live" && state.stream === "live";
    stream = state.stream;
    const concerned = topics.some((topic) => changes.has(topic)) && (!watch || watched !== (watched = watch()));
    if (back) question();
    else if (concerned && !waiting) waiting = window.setTimeout(question, BURST_MS);
  });

  function close() {
    closed = true;
    stop();
    clearTimeout(timer);
    clearTimeout(waiting);
    asking?.abort();
  }

  question();
  return made;
}

/**
 * Draw what stands in a panel: the skeleton, what failed, what is said when there is nothing, or the content.
 * @template T
 * @param {HTMLElement} place
 * @param {Resource<T>} from
 * @param {{ what: string, lines?: number, key: (value: T) => string, empty?: (value: T) => Node | null,
 *   content: (value: T) => any }} options  what: its name in a sentence; key: what the content depends on
 */
export function drawResource(place, from, { what, lines = 4, key, empty = () => null, content }) {
  const { value, failure } = from;
  attribute(place, "aria-busy", value === null && !failure && "true");
  const told = `${value === null ? "" : key(value)} ${value === null} ${failure?.retryAt} ${document.documentElement.lang}`;
  redraw(place, told, () => {
    if (value !== null) return [failure && failed(what, from), empty(value) ?? content(value)];
    return failure ? failed(what, from) : skeleton(lines);
  });
}

/** @param {string} what @param {Resource<any>} from */
function failed(what, { failure, ask }) {
  const { status, detail, retryAt } = failure ?? { status: 0, detail: "", retryAt: now() };
  const words = { status, time: timeWithSeconds(retryAt) };
  const why = status ? [t("answered", words), ...(detail ? [detail] : [])] : t("unreachable", words);
  const again = h("button.btn.small", { type: "button", onclick: () => ask() }, t("try_now"));
  return message(t("cannot_load", { what }), why, again);
}

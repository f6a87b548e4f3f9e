/**
 * What the screen knows: one state, changed by loading (load.js) and by the stream (live.js), watched by the frame and
 * the view. Changes are collected and told once per frame, at most ten times a second.
 */

/** @typedef {{ id: string, en: string }} Text */
/** @typedef {{ name: string, unit: string, unit_label: Text, label: Text, decimals: number, rollup?: string }} Metric */
/** @typedef {{ kind: string, label: Text, interval_s: number, primary: string, groups: string[], metrics: Metric[], diagnostics: Metric[],
 *    attributes: { name: string, type: string, format?: string | null, required: boolean }[] }} Kind */
/** @typedef {{ id: string, kind: string, name: string | null, region: string | null, district: string | null,
 *    lat: number | null, lon: number | null, attributes: Record<string, any>, status?: string,
 *    presence?: { online: boolean, since: string } | null }} Device */
/** @typedef {{ device_id: string, kind: string, ts: string, received_at: string, qc: number, late: boolean,
 *    values: Record<string, number | null>, interval_s: number | null, siaga: number | null, rate?: number | null,
 *    at?: number }} Latest  at: when it was measured, in ms, once somebody has asked (freshness.js) */
/** @typedef {{ id: number, what: string, from_severity: number | null, to_severity: number | null, siaga: number | null,
 *    event_at: string, detected_at: string, who: string | null, why: string | null, value: number | null,
 *    until: string | null, assignee: string | null, parent_id: number | null }} Transition */
/** @typedef {{ id: number, rule: string, kind: string, device_id: string, device_name: string, district: string | null,
 *    severity: number, peak_severity: number, siaga: number | null, state: "active" | "cleared", acked: boolean,
 *    historical: boolean, worsened: boolean, raised_at: string, detected_at: string, cleared_at: string | null,
 *    acked_at: string | null, acked_by: string | null, comment: string | null, metric: string | null,
 *    value: number | null, unit: string | null, title: Text, assignee: string | null, shelved_until: string | null,
 *    shelved_by: string | null, shelved_why: string | null, suppressed: "maintenance" | "out_of_service" | "parent" | null,
 *    window_id: number | null, parent_id: number | null, members: number | null, superseded: boolean,
 *    superseded_by: number | null, version: number }} Alert  members: of an incident, devices that it stands for */
/** @typedef {{ open: number, unacked: Record<string, number>, shelved: number, suppressed: number,
 *    flood?: { since: string, alerts: number } | null }} Counts */
/** @typedef {{ name: string, role: string, by: "user" | "key" | "link", regions: string[] | null, expires_at: string | null, region: string, regency: string, time_zone: string, now: string }} Me */
/** @typedef {"kinds" | "gauges" | "devices" | "latest" | "alerts" | "counts" | "stream" | "beat" | "failures" | "tick"} Topic */

export const state = {
  /** @type {Me | null} */ me: null,
  /** @type {Map<string, Kind>} */ kinds: new Map(),
  /** @type {Map<string, Device>} */ devices: new Map(),
  /** @type {Map<string, Latest>} */ latest: new Map(),
  /** Open and not historical. @type {Map<number, Alert>} */ alerts: new Map(),
  /** Alerts that the stream told of and that are not among the open ones, the newest few. @type {Map<number, Alert>} */
  others: new Map(),
  /** Alerts to which this person is doing something. @type {Set<number>} */ underWay: new Set(),
  /** @type {Counts | null} */ counts: null,
  /** Names of districts by code. @type {Map<string, string>} */ districts: new Map(),
  /** District boundaries. @type {any} */ boundaries: null,
  /** @type {{ lag_s: number | null, readings_per_s: number | null } | null} */ beat: null,
  /** @type {"connecting" | "live" | "catching up" | "lost"} */ stream: "connecting",
  /** When the last beat came, server time in ms. @type {number | null} */ lostSince: null,
  /** What could not be loaded and when it is tried again. @type {Map<string, { status: number, retryAt: number }>} */
  failures: new Map(),
  /** Topics that have been loaded once. @type {Set<string>} */ loaded: new Set(),
};

/** @type {Set<(topics: Set<Topic>) => void>} */
const listeners = new Set();
/** @type {Set<Topic>} */
let pending = new Set();
let scheduled = false;
let flushedAt = 0;
const FRAME_MS = 100;
const OTHERS_MOST = 500;

/** @param {Topic} topic */
export function changed(topic) {
  pending.add(topic);
  if (scheduled) return;
  scheduled = true;
  const wait = flushedAt + FRAME_MS - performance.now();
  // A hidden tab gets no frames: it counts, and draws once when it is looked at again.
  if (wait > 0) setTimeout(() => requestAnimationFrame(flush), wait);
  else requestAnimationFrame(flush);
}

function flush() {
  const topics = pending;
  pending = new Set();
  scheduled = false;
  flushedAt = performance.now();
  if (topics.has("alerts")) worst = null;
  for (const listener of [...listeners]) listener(topics);
}

/**
 * @param {(topics: Set<Topic>) => void} listener
 * @returns {() => void} stops listening
 */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @type {Map<string, Alert> | null} */
let worst = null;

/** The alert of a device that matters most: unacknowledged first, then worst, then oldest. @param {string} device_id */
export function worstAlert(device_id) {
  if (!worst) {
    worst = new Map();
    for (const alert of state.alerts.values()) {
      const other = worst.get(alert.device_id);
      if (!other || compareAlerts(alert, other) < 0) worst.set(alert.device_id, alert);
    }
  }
  return worst.get(device_id) ?? null;
}

/**
 * Order of work: what nobody looks after, worst, oldest.
 * @param {Alert} a
 * @param {Alert} b
 */
export function compareAlerts(a, b) {
  return Number(a.acked) - Number(b.acked) || b.severity - a.severity || a.raised_at.localeCompare(b.raised_at) || a.id - b.id;
}

/** An open alert replaces what was known of it; one that is over, held back, or only about the past, leaves. @param {Alert} alert */
export function putAlert(alert) {
  const known = state.alerts.get(alert.id);
  if (known && known.version > alert.version) return;
  const held = alert.shelved_until || alert.suppressed;
  state.others.delete(alert.id);
  if ((alert.state === "active" || !alert.acked) && !alert.historical && !held) state.alerts.set(alert.id, alert);
  else {
    state.alerts.delete(alert.id);
    state.others.set(alert.id, alert);
    if (state.others.size > OTHERS_MOST) state.others.delete(/** @type {number} */ (state.others.keys().next().value));
  }
  changed("alerts");
}

/** The name of a device; its id when nobody has named it. @param {string} id */
export function deviceName(id) {
  return state.devices.get(id)?.name ?? id;
}

/** @param {string | null} code */
export function districtName(code) {
  return code ? (state.districts.get(code) ?? code) : null;
}

/** Whether devices of this kind have siaga levels. @param {Kind} kind */
export function hasLadder(kind) {
  return kind.attributes.some((each) => each.name === "siaga_1_m");
}

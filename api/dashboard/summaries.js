/** Small panels beside the map: one for every kind of device without a view of its own, and the health of the data. */

import { completeness } from "./completeness.js";
import { attribute, h, redraw, text } from "./dom.js";
import { number, percent, said } from "./format.js";
import { isCurrent, isSuspect } from "./freshness.js";
import { severityMark } from "./marks.js";
import { failure, kindInText, kindName, missing, panel, primaryOf, skeleton, unitText } from "./parts.js";
import { resource } from "./resource.js";
import { compareAlerts, deviceName, hasLadder, state } from "./store.js";
import { t } from "./words/situation.js";

/** @typedef {import("./store.js").Device} Device */
/** @typedef {import("./store.js").Alert} Alert */

export const LAMP = "streetlight",
  TRAFFIC = "traffic";
const LEDGER_MS = 300_000;

/** Devices by kind, made anew when the registry has been loaded again. @type {Map<string, Device[]>} */
let byKinds = new Map();
/** @type {typeof state.devices | null} */
let sortedFrom = null;

/** @param {string} kind @returns {Device[]} */
function devicesOf(kind) {
  if (sortedFrom !== state.devices) {
    sortedFrom = state.devices;
    byKinds = new Map();
    for (const device of state.devices.values()) {
      const own = byKinds.get(device.kind);
      if (own) own.push(device);
      else byKinds.set(device.kind, [device]);
    }
  }
  return byKinds.get(kind) ?? [];
}
/** @param {string} kind @returns {Alert[]} */
const alertsOf = (kind) =>
  [...state.alerts.values()].filter((alert) => alert.kind === kind && alert.state === "active").sort(compareAlerts);

/**
 * @param {string} name @param {string} title @param {string} href
 * @param {(meta: HTMLElement) => (Node | null)[]} content
 */
function summary(name, title, href, content) {
  const made = panel(name, title);
  made.body.className = "body";
  made.end.append(h("a.link", { href }, t("details")));
  function update() {
    const gone = missing(["kinds", "devices", "latest", "alerts"]);
    attribute(made.element, "aria-busy", gone?.is === "loading" && "true");
    const nodes = gone ? null : content(made.meta);
    const key = gone
      ? `${gone.is} ${state.failures.get(gone.topic)?.retryAt}`
      : nodes?.map((node) => node && /** @type {Element} */ (node).outerHTML).join();
    redraw(made.body, `${key}`, () =>
      gone ? (gone.is === "failed" ? failure(title, gone.topic) : skeleton(3)) : nodes,
    );
  }
  return { element: made.element, update };
}

/** @param {(Node | string | null)[]} label @param {Node | string} value @param {string} [name] */
export const line = (label, value, name = "div.line") =>
  h(
    name,
    {},
    label.map((part) => (typeof part === "string" ? h("span.label", {}, part) : part)),
    h("span.end.num", {}, value),
  );

/** @param {number | null} value @param {import("./store.js").Metric | undefined} metric */
function quantityNode(value, metric) {
  return h("span", {}, h("span.v", {}, number(value, metric?.decimals ?? 1)), h("span.unit", {}, unitText(metric)));
}

/** A kind without a panel of its own. @param {string} kind */
export function kindPanel(kind) {
  return summary(`kind-${kind}`, kindName(kind), `/perangkat?jenis=${kind}`, (meta) => {
    const devices = devicesOf(kind);
    const metric = primaryOf(kind);
    const known = devices.filter((device) => isCurrent(device.id));
    const valued = known
      .map((device) => ({ device, value: state.latest.get(device.id)?.values[metric?.name ?? ""] ?? null }))
      .filter((each) => each.value !== null);
    const highest = valued.sort((a, b) => Number(b.value) - Number(a.value))[0];
    const alerts = alertsOf(kind);
    text(meta, t("n_devices", { n: number(devices.length) }));
    return [
      alerts.length
        ? line(
            [severityMark(alerts[0].severity), t("with_alerts")],
            number(new Set(alerts.map((alert) => alert.device_id)).size),
          )
        : null,
      line([t("reporting")], `${number(known.length)} / ${number(devices.length)}`),
      highest
        ? line(
            [
              metric ? said(metric.label) : "",
              h("span.t3.cut", {}, t("highest", { name: deviceName(highest.device.id) })),
            ],
            quantityNode(highest.value, metric),
          )
        : null,
    ];
  });
}

/** Kinds that have neither a ladder nor a panel of their own here. */
export function otherKinds() {
  return [...state.kinds.values()]
    .filter((kind) => kind.kind !== LAMP && kind.kind !== TRAFFIC && !hasLadder(kind) && devicesOf(kind.kind).length)
    .map((kind) => kind.kind);
}

/** @param {string} kind */
export const hasDevices = (kind) => devicesOf(kind).length > 0;

/** @param {() => void} draw */
export function healthPanel(draw) {
  const ledger = resource("ledger/summary?by=kind&from=-24h", draw, { every_ms: LEDGER_MS, shape: ({ items }) => items });
  const made = summary("health", t("health"), "/karantina?tab=neraca", (meta) => {
    const all = [...state.devices.values()];
    const never = all.filter((device) => !state.latest.has(device.id)).length;
    const silent = all.filter((device) => state.latest.has(device.id) && !isCurrent(device.id));
    const doubtful = [...state.latest.values()].filter(isSuspect).length;
    const live = state.stream === "live";
    const sum = (/** @type {"missing" | "quarantined"} */ of) =>
      ledger.value && ledger.value.reduce((/** @type {number} */ n, /** @type {any} */ row) => n + row[of], 0);
    text(meta, t("last_24h"));
    return [
      line([t("completeness")], h("b.v", {}, ledger.value ? percent(completeness(ledger.value).share) : "–")),
      line([t("missing_numbers")], h("span.v", {}, number(sum("missing")))),
      line([t("quarantined")], h("span.v", {}, number(sum("quarantined")))),
      line([t("not_reporting"), h("span.t3.cut", {}, byKind(silent))], h("span.v", {}, number(silent.length))),
      never ? line([t("never_reported")], number(never)) : null,
      doubtful ? line([t("doubtful")], number(doubtful)) : null,
      line(
        [t("incoming")],
        live && state.beat
          ? h(
              "span",
              {},
              number(state.beat.readings_per_s, (state.beat.readings_per_s ?? 0) < 10 ? 1 : 0),
              h("span.unit", {}, ` ${t("readings_per_s")}`),
            )
          : t("unknown"),
      ),
    ];
  });
  return { ...made, close: ledger.close };
}

/** 14 lampu jalan, 1 pos muka air @param {Device[]} devices */
function byKind(devices) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { kind } of devices) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, n]) => `${number(n)} ${kindInText(kind)}`).join(", ");
}

/** The small panels beside the map: lamps, traffic, one for every other kind of device, and the health of the data. */

import { attribute, h, redraw, text } from "./dom.js";
import { number, percent, said, time } from "./format.js";
import { isCurrent, isSuspect } from "./freshness.js";
import { severityMark } from "./marks.js";
import { failure, kindName, metricOf, missing, panel, primaryOf, skeleton, unitText } from "./parts.js";
import { compareAlerts, deviceName, districtName, hasLadder, state } from "./store.js";
import { t } from "./words/situation.js";

/** @typedef {import("./store.js").Device} Device */
/** @typedef {import("./store.js").Alert} Alert */

export const LAMP = "streetlight",
  TRAFFIC = "traffic";
// Rules that say a lamp is dark: by itself, or because nothing feeds it.
const DARK = new Set(["lamp_out", "unpowered"]);
// As the rule lamp_out has it: below this a lamp gives no light.
const LIT_W = 2;
// So many lamps of one panel, and at least half of them: the supply has failed, not the lamps.
const PANEL_LAMPS = 3,
  PANEL_SHARE = 0.5;

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
const line = (label, value, name = "div.line") =>
  h(
    name,
    {},
    label.map((part) => (typeof part === "string" ? h("span.label", {}, part) : part)),
    h("span.end.num", {}, value),
  );

export function lampPanel() {
  return summary("lamps", t("lamps"), `/perangkat?jenis=${LAMP}`, (meta) => {
    const lamps = devicesOf(LAMP);
    const known = lamps.filter((lamp) => isCurrent(lamp.id));
    const lit = known.filter((lamp) => (state.latest.get(lamp.id)?.values.power_w ?? 0) >= LIT_W).length;
    const dark = alertsOf(LAMP).filter((alert) => DARK.has(alert.rule));
    const { panels, alone } = darkPanels(lamps, dark);
    const others = alertsOf(LAMP).filter((alert) => !DARK.has(alert.rule) && alert.rule !== "stale");
    const silent = lamps.length - known.length;
    text(meta, t("of_n", { n: number(lamps.length) }));
    if (!known.length) return [h("p.t2", {}, t("none_lit_known"))];
    return [
      h(
        "div.headline",
        {},
        h("span.big.v", {}, number(lit)),
        h("span.t2", {}, t("lit")),
        h("span.end.t2", {}, percent(lit / lamps.length)),
      ),
      shares(lamps.length, lit, dark),
      ...panels.map(({ name, lamps: n, place, since, severity }) =>
        line(
          [
            severityMark(severity),
            t("panel_dark"),
            h(
              "span.t3.cut",
              {},
              t("panel_named", { panel: name, place: place ?? "", since: time(since), time: time(since) }),
            ),
          ],
          h("b", {}, number(n)),
        ),
      ),
      alone.length ? line([severityMark(alone[0].severity), t("dark_alone")], number(alone.length)) : null,
      others.length ? line([severityMark(others[0].severity), t("lamp_other")], number(others.length)) : null,
      silent ? line([severityMark(0, { fill: "outlined" }), t("not_reporting")], number(silent)) : null,
    ];
  });
}

/** @param {number} all @param {number} lit @param {Alert[]} dark */
function shares(all, lit, dark) {
  const bar = h("div.shares", { "aria-hidden": "true" });
  const worst = Math.max(0, ...dark.map((alert) => alert.severity));
  for (const [name, n] of /** @type {[string, number][]} */ ([
    ["lit", lit],
    [`dark.sev${worst}`, dark.length],
  ])) {
    if (!n) continue;
    const part = h(`i.${name}`);
    part.style.width = `${all ? (100 * n) / all : 0}%`;
    bar.append(part);
  }
  return bar;
}

/**
 * Dark lamps by the panel that feeds them, where most of it is dark; the rest failed on their own.
 * @param {Device[]} lamps
 * @param {Alert[]} dark
 */
function darkPanels(lamps, dark) {
  /** @type {Map<string, number>} */
  const sizes = new Map();
  for (const { attributes } of lamps)
    if (attributes.panel) sizes.set(attributes.panel, (sizes.get(attributes.panel) ?? 0) + 1);
  /** @type {Map<string, Alert[]>} */
  const groups = new Map();
  for (const alert of dark) {
    const name = state.devices.get(alert.device_id)?.attributes.panel ?? "";
    groups.set(name, [...(groups.get(name) ?? []), alert]);
  }
  const whole = [...groups].filter(
    ([name, group]) =>
      name && group.length >= PANEL_LAMPS && group.length >= PANEL_SHARE * (sizes.get(name) ?? Infinity),
  );
  const inPanel = new Set(whole.map(([name]) => name));
  return {
    panels: whole
      .map(([name, group]) => ({
        name,
        lamps: group.length,
        place: districtName(group[0].district),
        severity: Math.max(...group.map((alert) => alert.severity)),
        since: group.map((alert) => alert.raised_at).sort()[0],
      }))
      .sort((a, b) => b.lamps - a.lamps)
      .slice(0, 3),
    alone: [...groups].filter(([name]) => !inPanel.has(name)).flatMap(([, group]) => group),
  };
}

export function trafficPanel() {
  return summary("traffic", t("traffic"), `/perangkat?jenis=${TRAFFIC}`, (meta) => {
    const detectors = devicesOf(TRAFFIC);
    const known = detectors
      .filter((each) => isCurrent(each.id))
      .map((each) => /** @type {import("./store.js").Latest} */ (state.latest.get(each.id)));
    const jams = alertsOf(TRAFFIC).filter((alert) => alert.rule === "congestion");
    const flows = known.map((latest) => latest.values.flow_vph).filter((flow) => typeof flow === "number");
    const moving = known.filter((latest) => typeof latest.values.speed_kmh === "number");
    const slowest = moving.sort((a, b) => Number(a.values.speed_kmh) - Number(b.values.speed_kmh))[0];
    const flow = metricOf(TRAFFIC, "flow_vph"),
      speed = metricOf(TRAFFIC, "speed_kmh");
    const mean = flows.length ? flows.reduce((sum, each) => Number(sum) + Number(each), 0) / flows.length : null;
    text(meta, t("n_sites", { n: number(detectors.length) }));
    const silent = detectors.length - known.length;
    return [
      jams.length
        ? line(
            [severityMark(jams[0].severity), h("b", {}, t("congested")), h("span.t3.cut", {}, jams[0].device_name)],
            t("n_places", { n: number(jams.length) }),
          )
        : known.length
          ? line([t("flowing")], "")
          : null,
      mean === null ? null : line([t("mean_flow")], quantityNode(mean, flow)),
      slowest
        ? line(
            [h("span.cut", {}, t("slowest", { name: deviceName(slowest.device_id) }))],
            quantityNode(slowest.values.speed_kmh, speed),
          )
        : null,
      silent ? line([severityMark(0, { fill: "outlined" }), t("not_reporting")], number(silent)) : null,
    ];
  });
}

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

export function healthPanel() {
  return summary("health", t("health"), "/perangkat?keadaan=basi", () => {
    const all = [...state.devices.values()];
    const latest = [...state.latest.values()];
    const current = all.filter((device) => isCurrent(device.id)).length;
    const never = all.filter((device) => !state.latest.has(device.id)).length;
    const silent = all.filter((device) => state.latest.has(device.id) && !isCurrent(device.id));
    const doubtful = latest.filter(isSuspect).length,
      late = latest.filter((each) => each.late).length;
    const live = state.stream === "live";
    return [
      line(
        [t("reporting"), h("span.t3", {}, t("of_n", { n: number(all.length) }))],
        h("b.v", {}, all.length ? percent(current / all.length) : "–"),
      ),
      line([t("not_reporting"), h("span.t3.cut", {}, byKind(silent))], h("span.v", {}, number(silent.length))),
      never ? line([t("never_reported")], number(never)) : null,
      line([t("doubtful")], number(doubtful)),
      late ? line([t("late_arrivals")], number(late)) : null,
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
}

/** 14 lampu jalan, 1 pos muka air @param {Device[]} devices */
function byKind(devices) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { kind } of devices) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, n]) => `${number(n)} ${kindName(kind).toLowerCase()}`).join(", ");
}

/** Every lamp, in a list of thousands: what it does now, on which panel, what stands against it. */

import { attribute, h, redraw, text } from "../dom.js";
import { number } from "../format.js";
import { alertMark, icon, unknownMark } from "../marks.js";
import { dataAge, isOld, message, metricOf, quantity } from "../parts.js";
import { asked, go, remember } from "../router.js";
import { compareAlerts, deviceName, districtName, state, worstAlert } from "../store.js";
import { virtualList } from "../virtual.js";
import { t } from "../words/lamps.js";
import { faultName } from "./lamps_night.js";

/** @typedef {import("../store.js").Device} Device */

export const LAMP = "streetlight";
// As alerts/lit.py has it: what is below gives no light, and what is dimmed.
const LIT_SHARE = 0.3,
  LEAST_W = 2,
  DIMMED_BELOW_PCT = 95;

/** What a lamp does. @param {Device} device @returns {"lit" | "dimmed" | "off" | "unheard"} */
export function doing(device) {
  const latest = state.latest.get(device.id),
    power = latest?.values.power_w ?? null;
  if (isOld(latest) || power === null) return "unheard";
  const dimming = latest?.values.dimming_pct ?? 100,
    nominal = device.attributes.nominal_w ?? 0;
  if (power < Math.max(LEAST_W, (LIT_SHARE * nominal * dimming) / 100)) return "off";
  return dimming < DIMMED_BELOW_PCT ? "dimmed" : "lit";
}

/** @param {() => Set<string>} dark  panels that are dark as a whole: what stands against their lamps is held back */
export function lampsList(dark) {
  const search = h("input", { type: "search", placeholder: t("search_lamps"), "aria-label": t("search_lamps"), value: asked("cari"), oninput: filtered });
  const panel = h("select.field", { "aria-label": t("panel"), onchange: filtered });
  const only = h("input", { type: "checkbox", checked: asked("hanya") === "masalah", onchange: filtered });
  const count = h("span.t3.end", { role: "status" });
  const toolbar = h(
    "div.toolbar",
    {},
    h("label.field.search", {}, icon("search"), search, h("kbd", { "aria-hidden": "true" }, "/")),
    panel,
    h("label.field", {}, only, t("only_problems")),
    count,
  );
  const head = h(
    "div.lv-head",
    { role: "row" },
    h("span.mk", { role: "columnheader" }, h("span.only-read", {}, t("severity"))),
    ["lamp", "panel", "district", "does", "power", "age", "remark"].map((word) => h(`span.${word}`, { role: "columnheader" }, t(word))),
  );
  const list = virtualList({ label: t("lamps"), head, keyOf: (/** @type {Device} */ device) => device.id, make: makeRow, update: (row, device) => updateRow(row, device, inDark(device)) });
  const note = h("div");
  const element = h("div.lamp-list", {}, toolbar, note, list.element);
  let wanted = asked("panel");
  /** @type {Device[]} */
  let shown = [];
  let known = "",
    darkBefore = "";
  const inDark = (/** @type {Device} */ device) => dark().has(device.attributes.panel);

  function filtered() {
    wanted = panel.value;
    remember({ cari: search.value.trim() || null, panel: wanted || null, hanya: only.checked ? "masalah" : null });
    list.element.scrollTop = 0;
    known = "";
    update(new Set());
  }

  /** @param {Device} device */
  function passes(device) {
    if (device.kind !== LAMP || (wanted && device.attributes.panel !== wanted)) return false;
    if (only.checked && !worstAlert(device.id) && !inDark(device) && doing(device) !== "unheard") return false;
    const words = search.value.trim().toLowerCase();
    return !words || `${device.name ?? ""} ${device.id} ${device.attributes.panel} ${device.attributes.feeder} ${districtName(device.district)}`.toLowerCase().includes(words);
  }

  function order() {
    return [...state.devices.values()].filter(passes).sort((a, b) => {
      const [x, y] = [worstAlert(a.id), worstAlert(b.id)];
      if (x && y) return compareAlerts(x, y) || a.id.localeCompare(b.id);
      return Number(!x) - Number(!y) || Number(inDark(b)) - Number(inDark(a)) || a.id.localeCompare(b.id);
    });
  }

  /** @param {Set<string>} topics */
  function update(topics) {
    const panels = [...new Set([...state.devices.values()].flatMap(({ kind, attributes }) => (kind === LAMP && attributes.panel ? [attributes.panel] : [])))].sort();
    redraw(panel, `${panels} ${document.documentElement.lang}`, () =>
      [["", t("panel_all")], ...panels.map((name) => [name, name])].map(([value, name]) => h("option", { value, selected: value === wanted }, name)),
    );
    // Readings move nobody's place: only alerts and who is there do.
    const moves = ["devices", "alerts"].some((topic) => topics.has(topic)) || darkBefore !== (darkBefore = [...dark()].join());
    if (moves || known !== "done") shown = order();
    known = "done";
    list.element.hidden = !shown.length;
    redraw(note, `${shown.length > 0} ${document.documentElement.lang}`, () => (shown.length ? null : message(t("no_match"))));
    text(count, t("n_lamps", { n: number(shown.length) }));
    list.show(shown);
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const focused = list.focused(),
      at = focused < 0 ? list.first() - 1 : focused;
    const to = { j: at + 1, ArrowDown: at + 1, k: at - 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[name];
    if (to !== undefined && shown.length) return (list.focus(to), true);
    if (name === "Enter" && focused >= 0) return (go(`/perangkat/${shown[at].id}`), true);
    return false;
  }

  return { element, update, key, close: list.close };
}

const CELLS = /** @type {const} */ (["mk", "lamp", "panel", "district", "does", "power", "age", "remark"]);

function makeRow() {
  const cells = Object.fromEntries(CELLS.map((name) => [name, h(`span.${name}`, { role: "gridcell" })]));
  const row = h("div.lv-row", { role: "row", tabindex: -1 }, Object.values(cells));
  row.cells_ = cells;
  return row;
}

/** @param {any} row @param {Device} device @param {boolean} dark  with its panel */
function updateRow(row, device, dark) {
  const cells = row.cells_;
  const latest = state.latest.get(device.id),
    alert = worstAlert(device.id),
    old = isOld(latest),
    language = document.documentElement.lang;
  attribute(row, "class", old ? "lv-row stale" : "lv-row");
  redraw(cells.mk, `${alert?.id} ${alert?.version} ${old} ${language}`, () =>
    alert ? alertMark(alert, { size: 14 }) : old ? unknownMark({ size: 14, label: t(latest ? "stale" : "none") }) : null,
  );
  redraw(cells.lamp, `${device.name}`, () => h("a.whole", { href: `/perangkat/${device.id}`, tabindex: -1 }, deviceName(device.id)));
  text(cells.panel, device.attributes.panel ?? "–");
  text(cells.district, districtName(device.district) ?? "–");
  const does = doing(device),
    dimming = latest?.values.dimming_pct ?? null;
  text(cells.does, does === "dimmed" ? t("dimmed_to", { n: number(dimming) }) : t(`does_${does}`));
  redraw(cells.power, `${latest?.ts} ${language}`, () => quantity(latest?.values.power_w, metricOf(LAMP, "power_w")));
  redraw(cells.age, `${latest?.ts} ${latest && dataAge(latest).children.length} ${language}`, () => (latest ? dataAge(latest) : "–"));
  text(cells.remark, alert ? faultName(alert.rule) : dark ? t("with_panel", { panel: device.attributes.panel }) : "");
}

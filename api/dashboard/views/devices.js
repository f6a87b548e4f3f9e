/** Perangkat: every device with its latest value and how old that is; ten thousand of them scroll as easily as ten. */

import { attribute, h, redraw, text } from "../dom.js";
import { number, said } from "../format.js";
import { isBelievable, freshness } from "../freshness.js";
import { alertMark, icon, unknownMark } from "../marks.js";
import { dataAge, failure, isOld, kindName, latestValue, message, missing, primaryOf, skeleton } from "../parts.js";
import { asked, go, remember } from "../router.js";
import { deviceName, districtName, state, worstAlert } from "../store.js";
import { virtualList } from "../virtual.js";
import { t } from "../words/device.js";

/** @typedef {import("../store.js").Device} Device */

const STATES = /** @type {const} */ ([
  ["", "state_all"],
  ["masalah", "state_problem"],
  ["basi", "state_stale"],
  ["belum", "state_never"],
]);

/** @returns {import("../router.js").View} */
export function view() {
  const search = h("input", {
    type: "search",
    placeholder: t("search_devices"),
    "aria-label": t("search_devices"),
    value: asked("cari"),
    oninput: filtered,
  });
  const kind = h("select.field", { "aria-label": t("kind"), onchange: filtered });
  const district = h("select.field", { "aria-label": t("district"), onchange: filtered });
  const status = h(
    "select.field",
    { "aria-label": t("col_state"), onchange: filtered },
    STATES.map(([value, word]) => h("option", { value, selected: value === asked("keadaan") }, t(word))),
  );
  const count = h("span.t3.end", { role: "status" });
  const toolbar = h(
    "div.toolbar",
    {},
    h("label.field.search", {}, icon("search"), search, h("kbd", { "aria-hidden": "true" }, "/")),
    kind,
    district,
    status,
    count,
  );
  const head = h(
    "div.dv-head",
    { role: "row" },
    h("span.mk", { role: "columnheader" }, h("span.only-read", {}, t("severity"))),
    ["col_device", "kind", "district", "col_latest", "col_age", "col_alerts"].map((word, i) =>
      h(`span.c${i}`, { role: "columnheader" }, t(word)),
    ),
  );
  const list = virtualList({
    label: t("devices"),
    head,
    keyOf: (/** @type {Device} */ device) => device.id,
    make: makeRow,
    update: updateRow,
  });
  const note = h("div");
  const panel = h("section.panel.dv", { "aria-label": t("devices") }, note, list.element);
  const element = h("div.view.devices", {}, toolbar, panel);
  let wanted = { kind: asked("jenis"), district: asked("kecamatan") };
  /** @type {Device[]} */
  let shown = [];
  let stamp = "";

  function filtered() {
    wanted = { kind: kind.value, district: district.value };
    remember({
      cari: search.value.trim() || null,
      jenis: kind.value || null,
      kecamatan: district.value || null,
      keadaan: status.value || null,
    });
    list.element.scrollTop = 0;
    stamp = "";
    update();
  }

  /** @param {Device} device */
  function passes(device) {
    if (kind.value && device.kind !== kind.value) return false;
    if (district.value && device.district !== district.value) return false;
    const latest = state.latest.get(device.id);
    if (status.value === "masalah" && !worstAlert(device.id)) return false;
    if (status.value === "basi" && (!latest || isBelievable(freshness(latest)))) return false;
    if (status.value === "belum" && latest) return false;
    const words = search.value.trim().toLowerCase();
    return !words || textOf(device).includes(words);
  }

  /** Everything a device can be found by. @type {WeakMap<Device, string>} */
  const texts = new WeakMap();

  /** @param {Device} device */
  function textOf(device) {
    let found = texts.get(device);
    if (found === undefined) {
      found =
        `${device.name ?? ""} ${device.id} ${districtName(device.district) ?? ""} ${kindName(device.kind)} ${Object.values(device.attributes).join(" ")}`.toLowerCase();
      texts.set(device, found);
    }
    return found;
  }

  function fill() {
    const language = document.documentElement.lang;
    redraw(kind, `${[...state.kinds.keys()]} ${language}`, () =>
      [["", t("kind_all")], ...[...state.kinds.keys()].map((name) => [name, kindName(name)])].map(([value, name]) =>
        h("option", { value, selected: value === wanted.kind }, name),
      ),
    );
    redraw(district, `${state.districts.size} ${language}`, () =>
      [["", t("district_all")], ...[...state.districts].sort((a, b) => a[1].localeCompare(b[1]))].map(([value, name]) =>
        h("option", { value, selected: value === wanted.district }, name),
      ),
    );
  }

  /** @param {Set<string>} [topics] */
  function update(topics) {
    fill();
    const gone = missing(["kinds", "devices", "latest"]);
    // Which devices are listed depends on readings only under a filter by state; the rows themselves always follow.
    const moves =
      !topics ||
      ["devices", "kinds", "failures"].some((topic) => topics.has(topic)) ||
      (status.value !== "" && ["latest", "alerts", "tick"].some((topic) => topics.has(topic)));
    if (moves || !stamp) shown = gone ? [] : [...state.devices.values()].filter(passes);
    stamp = "done";
    list.element.hidden = !shown.length;
    attribute(panel, "aria-busy", gone?.is === "loading" && "true");
    const all = state.devices.size;
    text(
      count,
      gone
        ? ""
        : shown.length === all
          ? t("n_devices", { n: number(all) })
          : t("n_of_devices", { n: number(shown.length), all: number(all) }),
    );
    redraw(
      note,
      `${gone?.is} ${gone && state.failures.get(gone.topic)?.retryAt} ${shown.length > 0} ${all > 0} ${document.documentElement.lang}`,
      () =>
        gone
          ? gone.is === "failed"
            ? failure(t("devices"), gone.topic)
            : skeleton(8)
          : shown.length
            ? null
            : message(t(all ? "no_match" : "no_devices"), all ? null : t("no_gauges_text")),
    );
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

  return { element, title: t("devices"), update, key, close: list.close };
}

function makeRow() {
  const cell = (/** @type {string} */ name) => h(`span.${name}`, { role: "gridcell" });
  const parts = {
    mk: cell("mk"),
    name: cell("c0"),
    kind: cell("c1"),
    district: cell("c2"),
    value: cell("c3"),
    age: cell("c4"),
    alert: cell("c5"),
  };
  const row = h("div.dv-row", { role: "row", tabindex: -1 }, Object.values(parts));
  row.parts = parts;
  return row;
}

/** @param {any} row @param {Device} device */
function updateRow(row, device) {
  const { mk, name, kind, district, value, age, alert: alertCell } = row.parts;
  const latest = state.latest.get(device.id),
    alert = worstAlert(device.id),
    old = isOld(latest);
  const language = document.documentElement.lang;
  attribute(row, "class", old ? "dv-row stale" : "dv-row");
  redraw(mk, `${alert?.id} ${alert?.version} ${alert?.acked} ${old} ${language}`, () =>
    alert ? alertMark(alert) : old ? unknownMark({ label: t(latest ? "stale" : "none") }) : null,
  );
  redraw(name, `${device.name} ${language}`, () => [
    // One stop of the Tab key for the whole list: Enter on the row follows it.
    h("a.whole", { href: `/perangkat/${device.id}`, tabindex: -1 }, deviceName(device.id)),
    h("span.sub", {}, device.id),
  ]);
  text(kind, kindName(device.kind));
  text(district, districtName(device.district) ?? "–");
  const metric = primaryOf(device.kind);
  redraw(value, `${latest?.ts} ${old} ${metric?.name} ${language}`, () => [
    latestValue(latest, metric),
    h("span.sub", {}, metric ? said(metric.label) : ""),
  ]);
  redraw(age, `${latest?.ts} ${latest && freshness(latest)} ${language}`, () =>
    latest ? dataAge(latest) : h("span.t3", {}, t("none")),
  );
  text(alertCell, alert ? said(alert.title) : "");
}

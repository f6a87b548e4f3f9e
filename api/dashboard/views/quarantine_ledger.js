/** The ledger of the fleet: received = stored + duplicate + conflict + quarantined, by kind; which numbers are missing. */

import { h, redraw, text } from "../dom.js";
import { number, percent } from "../format.js";
import { icon } from "../marks.js";
import { kindName, message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { deviceName } from "../store.js";
import { t } from "../words/quarantine.js";

/** @typedef {{ kind?: string | null, received: number, stored: number, duplicate: number, conflict: number, quarantined: number,
 *    missing: number, expected: number, completeness: number | null }} Line */
/** @typedef {{ device_id: string } & Line} OfDevice */
/** @typedef {{ boot: string, first: number, last: number, count: number, after: string, until: string }} Range */

export const EVERY_MS = 60_000;
const PARTS = /** @type {const} */ (["stored", "duplicate", "conflict", "quarantined"]);
// Devices whose missing numbers are written out below the ledger of the fleet.
const RANGES_OF = 4;

/** @param {Line} line */
const balances = (line) => line.received === PARTS.reduce((sum, part) => sum + line[part], 0);

/** The ledger of the fleet, below the inbox. */
export function fleetLedger() {
  const { element, meta, end, body } = panel("ledger", t("ledger"));
  text(meta, t("ledger_of_all"));
  const ranges = h("div.ranges");
  body.className = "scrolls";
  const place = h("div");
  body.append(place, ranges);
  const summary = resource("ledger/summary?by=kind", draw, {
    every_ms: EVERY_MS,
    shape: ({ items }) => /** @type {Line[]} */ (items),
  });
  const devices = resource(`ledger/devices?limit=50`, draw, {
    every_ms: EVERY_MS,
    shape: ({ items }) => /** @type {OfDevice[]} */ (items),
  });
  /** @type {Map<string, import("../resource.js").Resource<Range[]>>} */
  const missing = new Map();

  function draw() {
    const lines = (summary.value ?? []).filter((line) => line.kind !== null || line.received > 0);
    const good = lines.every(balances);
    redraw(end, `${summary.value && good} ${document.documentElement.lang}`, () =>
      summary.value ? [good && icon("check"), h("b", {}, t(good ? "balanced" : "unbalanced"))] : null,
    );
    drawResource(place, summary, {
      what: t("ledger"),
      key: JSON.stringify,
      empty: () => (lines.length ? null : message(t("ledger_empty"))),
      content: () => ledgerTable(lines),
    });
    drawRanges();
  }

  function drawRanges() {
    const of = (devices.value ?? []).filter(({ missing }) => missing > 0).slice(0, RANGES_OF);
    for (const [id, asked] of missing)
      if (!of.some((each) => each.device_id === id)) {
        asked.close();
        missing.delete(id);
      }
    for (const { device_id } of of)
      if (!missing.has(device_id)) missing.set(device_id, missingOf(device_id, drawRanges));
    const key = of.map(({ device_id }) => JSON.stringify(missing.get(device_id)?.value)).join();
    redraw(ranges, `${key} ${document.documentElement.lang}`, () =>
      of.length
        ? [
            h("h3", {}, t("missing_numbers")),
            h(
              "ul",
              {},
              of.map(({ device_id }) =>
                h("li", {}, deviceName(device_id), " · ", rangesText(missing.get(device_id)?.value ?? [])),
              ),
            ),
          ]
        : null,
    );
  }

  draw();
  return {
    element,
    draw,
    close() {
      for (const each of [summary, devices, ...missing.values()]) each.close();
    },
  };
}

/** @param {string} device @param {() => void} changed */
export const missingOf = (device, changed) =>
  resource(`ledger/missing?device=${encodeURIComponent(device)}`, changed, {
    every_ms: EVERY_MS,
    shape: ({ items }) => /** @type {Range[]} */ (items),
  });

/** "boot a1b2 · 8.741–8.794 (54)" @param {Range[]} ranges */
export function rangesText(ranges) {
  const boots = [...new Set(ranges.map(({ boot }) => boot))];
  return boots
    .map((boot) => {
      const of = ranges.filter((each) => each.boot === boot);
      const spans = of
        .slice(0, 5)
        .map(({ first, last }) => (first === last ? number(first) : `${number(first)}–${number(last)}`));
      const more = of.length > 5 ? " …" : "";
      return `boot ${boot} · ${spans.join(", ")}${more} (${number(of.reduce((n, { count }) => n + count, 0))})`;
    })
    .join("; ");
}

/** @param {Line[]} lines */
function ledgerTable(lines) {
  /** @type {Line} */
  const all = {
    received: 0,
    stored: 0,
    duplicate: 0,
    conflict: 0,
    quarantined: 0,
    missing: 0,
    expected: 0,
    completeness: null,
  };
  let met = 0;
  for (const line of lines) {
    for (const name of /** @type {const} */ (["received", ...PARTS, "missing", "expected"])) all[name] += line[name];
    met += (line.completeness ?? 0) * line.expected;
  }
  all.completeness = all.expected ? met / all.expected : null;
  const heads = ["received", "", ...PARTS, "missing", "completeness"];
  const row = (/** @type {Line} */ line, /** @type {string} */ name, total = false) =>
    h(
      total ? "tr.total" : "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td.r.b", {}, number(line.received)),
      h("td.eq", { title: t(balances(line) ? "balanced" : "unbalanced") }, balances(line) ? "=" : "≠"),
      PARTS.map((part) => h("td.r", {}, number(line[part]))),
      h(line.missing ? "td.r.b" : "td.r", {}, number(line.missing)),
      h("td.r", {}, percent(line.completeness)),
    );
  return h(
    "table.compact.ledger-table",
    { "aria-label": t("ledger") },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, t("kind")),
        heads.map((name) => (name ? h("th.r", { scope: "col" }, t(`l_${name}`)) : h("td"))),
      ),
    ),
    h(
      "tbody",
      {},
      lines.map((line) => row(line, line.kind ? kindName(line.kind) : t("strangers"))),
      row(all, t("all"), true),
    ),
  );
}

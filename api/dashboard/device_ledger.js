/** Kelengkapan: a day of a device hour by hour, what became of what it sent, and which numbers are missing. */

import { h, s } from "./dom.js";
import { moment, number, percent, time } from "./format.js";
import { message, panel } from "./parts.js";
import { drawResource, resource } from "./resource.js";
import { t } from "./words/device.js";

/** @typedef {{ hour: string, received: number, stored: number, duplicate: number, conflict: number, quarantined: number,
 *    missing: number | null, expected: number | null, completeness: number | null }} Hour */
/** @typedef {{ boot: string | null, first: number, last: number, count: number, after: string, until: string }} Range */

const HOURS = 24;
const RENEW_MS = 300_000;
const RANGES = 4;
const WIDTH = 288,
  HEIGHT = 22;

/** @param {string} id */
export function ledgerPanel(id) {
  const made = panel("ledger", t("completeness"));
  made.meta.textContent = t("range_24h");
  made.end.classList.add("b");
  made.body.className = "body";
  const device = encodeURIComponent(id);
  const hours = resource(`ledger?device=${device}&from=-${HOURS - 1}h`, update, { every_ms: RENEW_MS, shape: ({ items }) => /** @type {Hour[]} */ (items) });
  const missing = resource(`ledger/missing?device=${device}&from=-${HOURS - 1}h`, update, { every_ms: RENEW_MS, shape: ({ items }) => /** @type {Range[]} */ (items) });

  function update() {
    made.end.textContent = hours.value ? percent(shareOf(hours.value)) : "";
    drawResource(made.body, hours, {
      what: t("completeness"),
      lines: 3,
      key: (items) => JSON.stringify([items, missing.value]),
      empty: (items) => (items.some((each) => each.received) ? null : message(t("nothing_received"))),
      content: (items) => [cells(items), hourAxis(items), sentence(items, missing.value ?? [])],
    });
  }

  update();
  return {
    element: made.element,
    update,
    close() {
      hours.close();
      missing.close();
    },
  };
}

/** @param {Hour[]} hours  of those that something was expected of */
function shareOf(hours) {
  const due = hours.filter((each) => each.completeness !== null && each.expected);
  const expected = due.reduce((sum, each) => sum + (each.expected ?? 0), 0);
  return expected ? due.reduce((sum, each) => sum + (each.completeness ?? 0) * (each.expected ?? 0), 0) / expected : null;
}

/** @param {Hour[]} hours */
function cells(hours) {
  const wide = WIDTH / hours.length;
  const cell = (/** @type {Hour} */ each, /** @type {number} */ i) => {
    const share = Math.min(1, each.completeness ?? (each.received ? 1 : 0)),
      box = { x: i * wide + 0.75, width: wide - 1.5 };
    return each.received
      ? [s("rect.lack", { ...box, y: 0, height: HEIGHT }), s("rect.full", { ...box, y: HEIGHT * (1 - share), height: HEIGHT * share })]
      : s("rect.none", { ...box, y: 0.5, height: HEIGHT - 1 });
  };
  const silent = hours.filter((each) => !each.received);
  const label = t("ledger_says", { share: percent(shareOf(hours)), silent: silent.length ? silent.map((each) => time(each.hour)).join(", ") : "–" });
  return s("svg.hours24", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, hours.map(cell));
}

/** @param {Hour[]} hours */
const hourAxis = (hours) => h("div.hours24-axis", { "aria-hidden": "true" }, [0, 6, 12, 18, HOURS - 1].map((i) => h("span", {}, hours[i] ? time(hours[i].hour) : "")));

/** @param {Hour[]} hours @param {Range[]} ranges */
function sentence(hours, ranges) {
  const sum = (/** @type {"received" | "stored" | "duplicate" | "conflict" | "quarantined" | "missing"} */ what) => hours.reduce((all, each) => all + (each[what] ?? 0), 0);
  const parts = Object.fromEntries(["received", "stored", "duplicate", "conflict", "quarantined"].map((what) => [what, number(sum(/** @type {"stored"} */ (what)))]));
  const lost = sum("missing");
  const shown = ranges.slice(0, RANGES).map((each) => t("numbers", { first: number(each.first), last: number(each.last), after: moment(each.after) }));
  const more = ranges.length > RANGES ? t("more_ranges", { n: number(ranges.length - RANGES) }) : "";
  return h(
    "p.ledger-says",
    {},
    t("balance", parts),
    " ",
    lost ? h("b", {}, t("missing_n", { n: number(lost) })) : t("missing_none"),
    shown.length ? `: ${shown.join("; ")}${more}.` : ".",
  );
}

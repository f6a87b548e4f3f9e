/** Devices that lack something, and the ledger of one of them: hours, clock, missing numbers. */

import { h, redraw, text } from "../dom.js";
import { moment, number, signed, time } from "../format.js";
import { message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { deviceName } from "../store.js";
import { strip } from "../strip.js";
import { makeTable } from "../table.js";
import { t } from "../words/quarantine.js";
import { EVERY_MS, missingOf, rangesText } from "./quarantine_ledger.js";

/** @typedef {import("./quarantine_ledger.js").Line} Line */
/** @typedef {import("./quarantine_ledger.js").OfDevice} OfDevice */

const HOUR_MS = 3_600_000;

/** Devices that lack something, and one of them in full. @param {string} chosen @param {(id: string) => void} choose */
export function deviceLedger(chosen, choose) {
  const { element, meta, body } = panel("short", t("by_device"));
  text(meta, t("last_24h"));
  const list = resource("ledger/devices?limit=200", draw, {
    every_ms: EVERY_MS,
    shape: ({ items }) => /** @type {OfDevice[]} */ (items),
  });
  const side = panel("one-ledger", t("one_device"));
  const counts = /** @type {const} */ (["missing", "quarantined", "conflict", "duplicate", "stored", "received"]);
  const table = makeTable({
    label: t("by_device"),
    columns: [
      {
        name: "dev",
        words: t("device"),
        key: ({ device_id }) => `${device_id} ${deviceName(device_id)} ${chosen}`,
        cell: ({ device_id }) => [
          h("b", {}, device_id === "?" ? t("strangers") : deviceName(device_id)),
          h("span.sub", {}, device_id),
        ],
      },
      ...counts.map((name) => ({
        name: "r",
        words: t(`l_${name}`),
        key: (/** @type {OfDevice} */ each) => String(each[name]),
        cell: (/** @type {OfDevice} */ each) =>
          h(each[name] && counts.indexOf(name) < 3 ? "b.num" : "span.num", {}, number(each[name])),
      })),
    ],
    keyOf: ({ device_id }) => device_id,
    rowClass: ({ device_id }) => (device_id === chosen ? "chosen" : ""),
    open: ({ device_id }) => {
      if (device_id !== "?") choose(device_id);
    },
  });
  const place = h("div");
  body.className = "scrolls";
  body.append(place, table.element);
  /** @type {import("../resource.js").Resource<any>[]} */
  let asked = [];

  /** @param {string} id */
  function show(id) {
    chosen = id;
    for (const each of asked) each.close();
    asked = [];
    if (id) {
      const device = encodeURIComponent(id);
      const hours = resource(`ledger?device=${device}`, drawOne, { every_ms: EVERY_MS });
      asked = [
        hours,
        missingOf(id, drawOne),
        resource(`ledger/drift?device=${device}`, drawOne, { every_ms: EVERY_MS }),
      ];
    }
    drawOne();
    draw();
  }

  function draw() {
    table.element.hidden = !list.value?.length;
    drawResource(place, list, {
      what: t("ledger"),
      key: (items) => String(items.length > 0),
      empty: (items) => (items.length ? null : message(t("nothing_lacks"))),
      content: () => null,
    });
    table.show(list.value ?? []);
  }

  function drawOne() {
    const [hours, missing, drift] = asked;
    text(side.meta, chosen ? deviceName(chosen) : "");
    if (!chosen) return redraw(side.body, `none ${document.documentElement.lang}`, () => message(t("choose_device")));
    drawResource(side.body, hours, {
      what: t("ledger"),
      key: (value) => `${JSON.stringify(value)} ${JSON.stringify(missing.value)} ${JSON.stringify(drift.value)}`,
      content: ({ items }) => [
        h("div.body", {}, hourStrip(items), sentence(items)),
        h(
          "dl.kv.body",
          {},
          h("dt", {}, t("clock")),
          h("dd", {}, driftText(drift.value)),
          h("dt", {}, t("missing_numbers")),
          h("dd", {}, missing.value?.length ? rangesText(missing.value) : missing.value ? t("none_missing") : "–"),
        ),
        h("div.body", {}, h("a.btn.small", { href: `/perangkat/${chosen}` }, t("open_device"))),
      ],
    });
  }

  show(chosen);
  return {
    element,
    side: side.element,
    show,
    draw,
    key: table.key,
    close() {
      for (const each of [list, ...asked]) each.close();
    },
  };
}

/** @param {(Line & { hour: string })[]} hours */
function hourStrip(hours) {
  const from = Date.parse(hours[0]?.hour ?? "") / HOUR_MS,
    to = from + hours.length;
  const parts = hours.map((each, i) => ({
    from: from + i + 0.06,
    to: from + i + 0.94,
    share: each.completeness ?? 0,
    is: /** @type {"on" | "unknown"} */ (each.received ? "on" : "unknown"),
  }));
  const worst = hours.filter(({ completeness }) => completeness !== null && completeness < 1).length;
  return [
    strip({
      from,
      to,
      parts,
      height: 40,
      width: 400,
      label: t("hours_label", { n: number(worst), all: number(hours.length) }),
    }),
    h(
      "div.row.t3.ends",
      {},
      h("span", {}, hours[0] && moment(hours[0].hour)),
      h("span.end", {}, hours.length ? time(Date.parse(hours[hours.length - 1].hour) + HOUR_MS) : ""),
    ),
  ];
}

/** @param {Line[]} hours */
function sentence(hours) {
  const sum = (/** @type {keyof Line} */ name) => number(hours.reduce((n, each) => n + Number(each[name] ?? 0), 0));
  return h(
    "p.t2",
    {},
    t("equation", {
      received: sum("received"),
      stored: sum("stored"),
      duplicate: sum("duplicate"),
      conflict: sum("conflict"),
      quarantined: sum("quarantined"),
      missing: sum("missing"),
    }),
  );
}

/** @param {{ offset_s: number | null, drift_s_per_day: number | null, flagged: boolean } | null} drift */
function driftText(drift) {
  if (!drift || drift.offset_s === null) return "–";
  const off = t(drift.offset_s >= 0 ? "clock_behind" : "clock_ahead", { s: number(Math.abs(drift.offset_s), 1) });
  const runs = drift.drift_s_per_day === null ? "" : `, ${t("clock_drifts", { d: signed(drift.drift_s_per_day, 2) })}`;
  return [off + runs, drift.flagged && [" ", h("span.tag", {}, t("clock_off"))]];
}

/** Perlu tindakan: what nobody looks after yet, worst first, with one button each; in a surge what is alike is one row. */

import { ackButton, acknowledge, updateAckButton } from "./ack_button.js";
import { isIncident, isSurge } from "./alert_groups.js";
import { sentence } from "./alert_text.js";
import { now } from "./clock.js";
import { attribute, h, keyed, redraw, text } from "./dom.js";
import { ago, moment, number, said } from "./format.js";
import { HeldOrder } from "./held.js";
import { alertMark, fillOf } from "./marks.js";
import { ageOf, failure, message, missing, panel, skeleton } from "./parts.js";
import { compareAlerts, state } from "./store.js";
import { t } from "./words/situation.js";

/** @typedef {import("./store.js").Alert & { alike?: number }} Alert  alike: so many more of its rule and district */

const ROWS = 6;
const FRESH_MS = 5_000;

/** @param {() => string | null} lastEvent  a sentence about what was last, for a calm screen */
export function needsAction(lastEvent) {
  const { element, meta, end, body } = panel("action", t("needs_action"));
  const list = h("ul", { "aria-label": t("needs_action") });
  const note = h("div.note"),
    more = h("a.more-alerts.link", { href: "/peringatan" });
  body.append(note, list, more);
  const order = new HeldOrder(list, (/** @type {Alert} */ alert) => alert.id, update);

  function update() {
    const unacked = [...state.alerts.values()].filter((alert) => !alert.acked).sort(compareAlerts);
    const wanted = isSurge() ? alike(unacked) : unacked;
    const gone = missing(["alerts", "kinds"]);
    const rows = order.arrange(wanted.slice(0, ROWS), (id) => now_of(order.shown.get(id), state.alerts.get(id)));
    text(meta, gone || !unacked.length ? "" : unackedText(unacked));
    text(end, state.counts ? t("n_open", { n: number(state.counts.open) }) : "");
    const first = rows.find((alert) => !alert.acked)?.id;
    keyed(
      list,
      gone ? [] : rows,
      (alert) => String(alert.id),
      makeRow,
      (row, alert) => updateRow(row, alert, alert.id === first),
    );
    const rest = wanted.filter((alert) => !order.shown.has(alert.id)).length;
    more.hidden = !rest || gone !== null;
    text(more, t("n_more", { n: number(rest) }));
    attribute(element, "aria-busy", gone?.is === "loading" && "true");
    const key = gone
      ? `${gone.is} ${gone.topic} ${state.failures.get(gone.topic)?.retryAt}`
      : rows.length
        ? "rows"
        : `calm ${lastEvent()} ${state.devices.size} ${Math.floor(now() / 10_000)}`;
    redraw(note, `${key} ${document.documentElement.lang}`, () =>
      gone
        ? gone.is === "failed"
          ? failure(t("alerts"), gone.topic)
          : skeleton(4)
        : rows.length
          ? null
          : calm(lastEvent()),
    );
  }

  return {
    element,
    update,
    /** Acknowledge the row with the focus, else the first. */
    acknowledgeFirst() {
      const row = /** @type {HTMLElement | null} */ (document.activeElement?.closest(".action li"));
      const alert = row
        ? state.alerts.get(Number(row.dataset.id))
        : [...order.shown.values()].find((each) => !each.acked);
      if (alert) acknowledge(alert);
      return alert !== undefined;
    },
  };
}

/**
 * A row that keeps its place, as it is now: an alert that has left the open ones was acknowledged and is over.
 * @param {Alert | undefined} row @param {Alert | undefined} alert
 */
function now_of(row, alert) {
  if (!row) return undefined;
  return alert ? { ...alert, alike: row.alike } : { ...row, acked: true };
}

/** @param {Alert[]} unacked */
function unackedText(unacked) {
  if (!isSurge()) return t("n_unacked", { n: number(unacked.length) });
  const incidents = unacked.filter(isIncident).length;
  return t("surge_unacked", { incidents: number(incidents), single: number(unacked.length - incidents) });
}

/**
 * Incidents each in a row, and of other alerts one for each rule, district and severity: the first, and how many are alike.
 * @param {Alert[]} unacked  in order
 * @returns {Alert[]}
 */
function alike(unacked) {
  /** @type {Map<string, Alert>} */
  const rows = new Map();
  for (const alert of unacked) {
    const key = isIncident(alert) ? String(alert.id) : `${alert.rule} ${alert.district} ${alert.severity}`;
    const first = rows.get(key);
    rows.set(key, first ? { ...first, alike: (first.alike ?? 0) + 1 } : alert);
  }
  return [...rows.values()].sort((a, b) => b.severity - a.severity || Number(isIncident(b)) - Number(isIncident(a)));
}

/** @param {Alert} alert */
function makeRow(alert) {
  const mark = h("span.mk"),
    title = h("h3"),
    said = h("p"),
    why = h("p.t3");
  const button = ackButton(alert.id),
    age = h("span.num.t2");
  const link = h("a.what", { href: `/peringatan?id=${alert.id}` }, title, said, why);
  const row = h("li", { "data-id": alert.id }, h("i.bar"), mark, link, h("div.do", {}, button, age));
  row.parts = { mark, title, said, why, button, age };
  return row;
}

/** @param {any} row @param {Alert} alert @param {boolean} first */
function updateRow(row, alert, first) {
  const { mark, title, said: line, why, button, age } = row.parts;
  attribute(row, "class", `sev${alert.severity} ${fillOf(alert)}`);
  const fresh = now() - Date.parse(alert.detected_at) < FRESH_MS;
  redraw(mark, `${alert.version} ${fillOf(alert)} ${fresh} ${document.documentElement.lang}`, () =>
    alertMark({ ...alert, siaga: null }, { fresh }),
  );
  const more = alert.alike ? ` ${t("and_alike", { n: number(alert.alike) })}` : "";
  text(title, said(alert.title) + more + (alert.state === "cleared" ? ` – ${t("cleared").toLowerCase()}` : ""));
  // Many are not acknowledged by one slip of a finger: the row leads to the list.
  button.hidden = more !== "";
  text(line, sentence(alert));
  text(
    why,
    [alert.worsened && t("worsened"), alert.cleared_at && t("cleared_at", { time: moment(alert.cleared_at) })]
      .filter(Boolean)
      .join(" · "),
  );
  redraw(age, alert.raised_at + document.documentElement.lang, () => ageOf(Date.parse(alert.raised_at)));
  updateAckButton(button, alert, first);
}

/**
 * Empty because all is well must not look like empty because it is broken: what was last, and that checks run.
 * @param {string | null} last
 */
function calm(last) {
  const newest = state.beat && state.beat.lag_s !== null ? ago(state.beat.lag_s * 1000) : "–";
  return message(
    t("nothing_to_ack"),
    [last ?? "", t("checks_run", { n: number(state.devices.size), ago: newest })].filter(Boolean),
  );
}

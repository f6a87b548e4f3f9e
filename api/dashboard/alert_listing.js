/** The list panel of the alerts: rows in an order that holds still, what waits, what is hidden, marks, the keys below. */

import { MEMBERS_SHOWN, isAlert } from "./alert_groups.js";
import { itemKey, listHead, makeRow, updateRow } from "./alert_list.js";
import { markedRows } from "./alert_marked.js";
import { alertMembers } from "./alert_members.js";
import { alertSparks } from "./alert_sparks.js";
import { alertMetric } from "./alert_text.js";
import { attribute, h, keyed, redraw } from "./dom.js";
import { number } from "./format.js";
import { HeldOrder } from "./held.js";
import { moveInRows } from "./rows.js";
import { t } from "./words/alerts.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./alert_groups.js").Item} Item */
/** @typedef {{ words: string, label: string, run: () => void, key?: string } | null} Line */
/** note: what stands in its place when there is nothing. more: a button below.
 *  @typedef {{ items: Item[], busy: boolean, note: { key: string, make: () => Node | null } | null, hidden: Line, waiting: Line,
 *    more: { label: string, run: () => void } | null }} Listing */

const PAGE = 200;
const SPARKS = 30;

/** @param {{ select: (id: number) => void, selected: () => number | null, changed: () => void }} options */
export function alertListing({ select, selected, changed }) {
  const all = h("input", { type: "checkbox", "aria-label": t("mark_all"), onchange: () => marked.all(all.checked) });
  const hidden = h("div.held", { role: "status", hidden: true }),
    waiting = h("div.held", { role: "status", hidden: true });
  const rows = h("div.al-rows", { role: "rowgroup" });
  const grid = h(
    "div.al-grid",
    { role: "grid", "aria-label": t("alerts"), "aria-multiselectable": "true" },
    listHead(all),
    rows,
  );
  const note = h("div"),
    more = h("div.more-rows");
  let limit = PAGE;
  /** @type {Alert[]} */
  let shown = [];
  /** Incidents that are unfolded. @type {Set<number>} */
  const open = new Set();
  const sparks = alertSparks(changed),
    members = alertMembers(MEMBERS_SHOWN, changed),
    marked = markedRows(() => shown, changed);
  const foot = h(
    "div.foot",
    { "aria-hidden": "true" },
    keyHint(["J", "K"], "keys_select"),
    keyHint(["X"], "keys_mark"),
    keyHint(["A"], "keys_ack"),
    keyHint(["T"], "keys_shelve"),
    keyHint(["O"], "keys_assign"),
    keyHint(["C"], "keys_comment"),
    keyHint(["Enter"], "keys_open"),
    h("span.end"),
    keyHint(["?"], "keys_all"),
  );
  const element = h(
    "section.panel.al",
    { "aria-label": t("alerts") },
    hidden,
    waiting,
    h("div.al-scroll", { tabindex: -1 }, grid, note, more),
    marked.bar,
    foot,
  );
  const held = new HeldOrder(rows, (/** @type {Alert} */ alert) => alert.id, changed);

  /** @type {import("./alert_list.js").Rows} */
  const doing = {
    select,
    selected,
    mark: marked.mark,
    isMarked: marked.has,
    isOpen: (id) => open.has(id),
    spark(alert) {
      const metric = alert.members === null ? alertMetric(alert) : undefined;
      return metric ? sparks.of({ device: alert.device_id, metric: metric.name }) : [];
    },
    fold(id) {
      if (!open.delete(id)) open.add(id);
      changed();
    },
  };

  /** @param {Alert} incident */
  function unfold(incident) {
    if (!open.has(incident.id)) return [];
    const known = members.of(incident) ?? [];
    const rest = (incident.members ?? 0) - known.length;
    return [...known.map((member) => ({ member, of: incident.id })), ...(rest > 0 ? [{ rest, of: incident.id }] : [])];
  }

  /** @param {Listing} listing */
  function show(listing) {
    const items = listing.items.slice(0, limit);
    shown = items.filter(isAlert);
    const wanted = shown.slice(0, SPARKS).flatMap((alert) => {
      const metric = alert.members === null ? alertMetric(alert) : undefined;
      return metric && alert.kind !== "installation" ? [{ device: alert.device_id, metric: metric.name }] : [];
    });
    sparks.want(wanted);
    keyed(
      rows,
      items,
      itemKey,
      (item) => makeRow(item, doing),
      (row, item) => updateRow(row, item, doing),
    );
    attribute(grid, "aria-rowcount", listing.items.length + 1);
    grid.hidden = !items.length;
    keepOneStop();
    attribute(element, "aria-busy", listing.busy && "true");
    redraw(note, `${listing.note?.key} ${document.documentElement.lang}`, () => listing.note?.make() ?? null);
    line(hidden, listing.hidden);
    line(waiting, listing.waiting);
    const rest = listing.items.length - limit;
    const below = rest > 0 ? { label: t("load_more", { n: number(Math.min(PAGE, rest)) }), run: grow } : listing.more;
    redraw(
      more,
      below?.label ?? "",
      () => below && h("button.btn", { type: "button", onclick: below.run }, below.label),
    );
    marked.update();
    foot.hidden = !marked.bar.hidden;
    all.checked = shown.length > 0 && shown.every(({ id }) => marked.has(id));
    all.indeterminate = !all.checked && marked.any();
  }

  function grow() {
    limit += PAGE;
    changed();
  }

  /** The list is one stop of the Tab key. */
  function keepOneStop() {
    const stop = rows.querySelector('[aria-selected="true"]') ?? rows.querySelector(".al-row");
    for (const row of rows.querySelectorAll('.al-row[tabindex="0"]')) if (row !== stop) attribute(row, "tabindex", -1);
    if (stop) attribute(stop, "tabindex", 0);
  }

  return {
    element,
    held,
    show,
    unfold,
    marked,
    reset() {
      limit = PAGE;
      held.renew([]);
      marked.clear();
    },
    release() {
      held.renew([]);
      /** @type {HTMLElement | null} */ (document.activeElement)?.blur?.();
      held.over = false;
      changed();
    },
    /** Show which row is chosen. */
    choose() {
      for (const row of rows.querySelectorAll(".al-row"))
        attribute(row, "aria-selected", String(Number(row.dataset.id) === selected()));
    },
    toChosen: () => rows.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }),
    /** @param {KeyboardEvent} event */
    key(event) {
      const id = selected();
      const at = id === null ? null : rows.querySelector(`[data-id="${id}"]`);
      const row = moveInRows(event, rows, ".al-row", at);
      if (row) {
        select(Number(row.dataset.id));
        return true;
      }
      if (event.key.toLowerCase() === "x" && id !== null) return (marked.mark(id, event.shiftKey), true);
      const fold = event.key === "ArrowRight" || event.key === "ArrowLeft";
      if (fold && id !== null && at && open.has(id) === (event.key === "ArrowLeft")) return (doing.fold(id), true);
      return marked.key(event.key.toLowerCase());
    },
  };
}

/** @param {string[]} keys @param {string} word */
const keyHint = (keys, word) =>
  h(
    "span",
    {},
    keys.map((key) => h("kbd", {}, key)),
    t(word),
  );

/** A line over the list with one button, while there is something to say. @param {HTMLElement} element @param {Line} what */
function line(element, what) {
  element.hidden = !what;
  redraw(element, what ? what.words + what.label : "", () => {
    if (!what) return null;
    const key = what.key && h("kbd", { "aria-hidden": "true" }, what.key);
    return [h("span", {}, what.words), h("button.btn.small", { type: "button", onclick: what.run }, what.label, key)];
  });
}

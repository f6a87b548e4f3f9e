/** Peringatan: what is unowned, since when, how sure, and what has been. A list and one alert beside it. */

import { itemKey, listHead, makeRow, updateRow } from "../alert_list.js";
import { alertDetail } from "../alert_detail.js";
import { alertFilter } from "../alert_filter.js";
import { alertHistory } from "../alert_history.js";
import { isOfDevice } from "../alert_text.js";
import { attribute, h, keyed, redraw, text } from "../dom.js";
import { number } from "../format.js";
import { HeldOrder } from "../held.js";
import { failure, message, missing, skeleton } from "../parts.js";
import { asked, go, remember } from "../router.js";
import { moveInRows } from "../rows.js";
import { compareAlerts, state } from "../store.js";
import { t } from "../words/alerts.js";

/** @typedef {import("../store.js").Alert} Alert */

const PAGE = 200;
const FOLLOW_MS = 120;

/** @returns {import("../router.js").View} */
export function view() {
  let tab = asked("tab") === "riwayat" ? "riwayat" : "terbuka";
  let id = Number(asked("id")) || null;
  let limit = PAGE,
    follow = 0;
  const past = alertHistory(() => {
    if (tab === "riwayat") update(new Set(["alerts"]));
  });

  const tabs = h("div.segments", { role: "tablist", "aria-label": t("alerts") });
  const filter = alertFilter(filtered);
  const order = h("span.t3.end.order");
  const toolbar = h("div.toolbar", {}, tabs, filter.elements, order);
  const hidden = h("div.held", { role: "status", hidden: true }),
    waiting = h("div.held", { role: "status", hidden: true });
  const rows = h("div.al-rows", { role: "rowgroup" });
  const grid = h("div.al-grid", { role: "grid", "aria-label": t("alerts"), "aria-readonly": "true" }, listHead(), rows);
  const note = h("div"),
    more = h("div.more-rows");
  const foot = h(
    "div.foot",
    { "aria-hidden": "true" },
    keyHint(["J", "K"], "keys_select"),
    keyHint(["A"], "keys_ack"),
    keyHint(["Enter"], "keys_open"),
    h("span.end"),
    keyHint(["?"], "keys_all"),
  );
  const list = h(
    "section.panel.al",
    { "aria-label": t("alerts") },
    hidden,
    waiting,
    h("div.al-scroll", {}, grid, note, more),
    foot,
  );
  const detail = alertDetail((alert) => {
    if (!state.alerts.has(alert.id)) update(new Set(["alerts"]));
  });
  const element = h("div.view.alerts", {}, toolbar, list, detail.element);
  const held = new HeldOrder(
    rows,
    (/** @type {Alert} */ alert) => alert.id,
    () => update(new Set(["alerts"])),
  );

  function filtered() {
    limit = PAGE;
    held.renew([]);
    update(new Set(["alerts"]));
  }

  /** @param {Set<string>} topics */
  function update(topics) {
    if (topics.has("kinds")) filter.fill();
    redraw(tabs, `${tab} ${state.counts?.open} ${document.documentElement.lang}`, () =>
      [
        ["terbuka", t("tab_open")],
        ["riwayat", t("tab_history")],
      ].map(([name, word]) =>
        h(
          "button",
          {
            type: "button",
            role: "tab",
            "aria-selected": String(name === tab),
            "aria-current": name === tab && "true",
            onclick: () => go(name === "riwayat" ? "/peringatan?tab=riwayat" : "/peringatan"),
          },
          word,
          name === "terbuka" && state.counts && [" ", number(state.counts.open)],
        ),
      ),
    );
    text(order, t(tab === "terbuka" ? "sort_open" : "sort_history"));
    if (tab === "terbuka") updateOpen();
    else updatePast();
    detail.update();
  }

  function updateOpen() {
    const gone = missing(["alerts", "kinds"]);
    const all = gone ? [] : [...state.alerts.values()];
    const wanted = all.filter(filter.passes).sort(compareAlerts);
    const shown = held.arrange(wanted, (each) => state.alerts.get(each));
    const unacked = shown.filter((alert) => !alert.acked);
    // In a held order an acknowledged row keeps its place among the others; the heads count what is, not where it stands.
    const firstAcked = held.holds
      ? shown.findIndex((_, i) => shown.slice(i).every((alert) => alert.acked))
      : unacked.length;
    const cut = firstAcked < 0 ? shown.length : firstAcked;
    const groups = /** @type {import("../alert_list.js").Item[]} */ ([]);
    if (cut > 0) groups.push({ group: "group_unacked", n: unacked.length }, ...shown.slice(0, cut));
    if (cut < shown.length)
      groups.push({ group: "group_acked", n: shown.length - unacked.length }, ...shown.slice(cut));
    draw(groups, gone ? { gone } : wanted.length || !all.length ? null : { none: t("no_match") });
    const hiddenUnacked = all.filter((alert) => !alert.acked && !filter.passes(alert)).length;
    lineOver(
      hidden,
      hiddenUnacked ? t("hidden_unacked", { n: number(hiddenUnacked) }) : "",
      t("show_all"),
      filter.clear,
    );
    lineOver(waiting, held.waiting ? t("n_waiting", { n: number(held.waiting) }) : "", t("show"), release, ".");
  }

  function updatePast() {
    const shown = past.alerts.filter(filter.passes);
    lineOver(hidden, "", "", () => {});
    lineOver(waiting, "", "", () => {});
    const open = new Map(shown.map((alert) => [alert.id, state.alerts.get(alert.id) ?? alert]));
    draw(
      [...open.values()],
      past.instead() ?? (shown.length ? null : { none: t(past.alerts.length ? "no_match" : "no_history") }),
    );
  }

  /**
   * @param {import("../alert_list.js").Item[]} items
   * @param {any} instead  what to say when there is nothing
   */
  function draw(items, instead) {
    keyed(
      rows,
      items.slice(0, limit),
      itemKey,
      (item) => makeRow(item, select),
      (row, item) => updateRow(row, item, id),
    );
    attribute(grid, "aria-rowcount", items.length + 1);
    grid.hidden = !items.length;
    const tabbable = rows.querySelector('[aria-selected="true"]') ?? rows.querySelector(".al-row");
    for (const row of rows.querySelectorAll('[tabindex="0"]')) if (row !== tabbable) attribute(row, "tabindex", -1);
    if (tabbable) attribute(tabbable, "tabindex", 0);
    attribute(list, "aria-busy", (instead?.loading || instead?.gone?.is === "loading") && "true");
    const gone = instead?.gone;
    redraw(
      note,
      JSON.stringify([
        instead,
        items.length > 0,
        document.documentElement.lang,
        gone && state.failures.get(gone.topic),
      ]),
      () => {
        if (gone) return gone.is === "failed" ? failure(t("alerts"), gone.topic) : skeleton(6);
        if (instead?.loading) return skeleton(6);
        if (instead?.failed)
          return message(
            t("cannot_load", { what: t("tab_history") }),
            String(instead.failed.status || ""),
            h("button.btn.small", { type: "button", onclick: past.more }, t("try_now")),
          );
        return items.length ? null : message(instead?.none ?? t("no_open"));
      },
    );
    const rest = items.length - limit;
    const label =
      rest > 0
        ? t("load_more", { n: number(Math.min(PAGE, rest)) })
        : tab === "riwayat" && past.hasMore()
          ? t("load_older")
          : "";
    redraw(
      more,
      label,
      () =>
        label &&
        h(
          "button.btn",
          {
            type: "button",
            onclick: () => {
              if (rest > 0) limit += PAGE;
              else past.more();
              update(new Set(["alerts"]));
            },
          },
          label,
        ),
    );
  }

  function release() {
    held.renew([]);
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur?.();
    held.over = false;
    update(new Set(["alerts"]));
  }

  /** @param {number} chosen */
  function select(chosen) {
    if (chosen === id) return;
    remember({ id: String(chosen) });
    show(chosen);
  }

  /** @param {number | null} chosen */
  function show(chosen) {
    id = chosen;
    element.classList.toggle("chosen", id !== null);
    for (const row of rows.querySelectorAll(".al-row"))
      attribute(row, "aria-selected", String(Number(row.dataset.id) === id));
    clearTimeout(follow);
    follow = window.setTimeout(() => detail.show(id), FOLLOW_MS);
  }

  /** @param {URLSearchParams} query */
  function moved(query) {
    const next = query.get("tab") === "riwayat" ? "riwayat" : "terbuka";
    if (next !== tab) {
      tab = next;
      limit = PAGE;
      held.renew([]);
      if (tab === "riwayat") past.restart();
    }
    show(Number(query.get("id")) || null);
    update(new Set(["alerts"]));
    rows.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const row = moveInRows(event, rows, ".al-row", id === null ? null : rows.querySelector(`[data-id="${id}"]`));
    if (row) {
      select(Number(row.dataset.id));
      return true;
    }
    if (event.key.toLowerCase() === "a") return id !== null && detail.acknowledge();
    if (event.key === ".") return (release(), true);
    const alert = id === null ? undefined : (state.alerts.get(id) ?? past.alerts.find((each) => each.id === id));
    if (event.key === "Enter" && alert && isOfDevice(alert) && !document.activeElement?.matches("button, a"))
      return (go(`/perangkat/${alert.device_id}`), true);
    return false;
  }

  if (tab === "riwayat") past.restart();
  show(id);
  return {
    element,
    title: t("alerts"),
    update,
    key,
    moved,
    back() {
      if (id === null) return false;
      remember({ id: null });
      show(null);
      return true;
    },
    close() {
      clearTimeout(follow);
      detail.close();
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

/**
 * A line over the list with one button, while there is something to say.
 * @param {HTMLElement} element
 * @param {string} words
 * @param {string} label
 * @param {() => void} action
 * @param {string} [key]
 */
function lineOver(element, words, label, action, key) {
  element.hidden = !words;
  redraw(
    element,
    words + label,
    () =>
      words && [
        h("span", {}, words),
        h(
          "button.btn.small",
          { type: "button", onclick: action },
          label,
          key && h("kbd", { "aria-hidden": "true" }, key),
        ),
      ],
  );
}

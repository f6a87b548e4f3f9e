/** Peringatan: what is unowned, since when, how sure, what is to be done. A list and one alert beside it. */

import { act } from "../alert_act.js";
import { assignDialog, commentDialog, shelveDialog } from "../alert_dialogs.js";
import { alertDetail } from "../alert_detail.js";
import { alertFilter } from "../alert_filter.js";
import { byCause, byState } from "../alert_groups.js";
import { alertKpi } from "../alert_kpi.js";
import { alertListing } from "../alert_listing.js";
import { alertPages, newer } from "../alert_pages.js";
import { isOfDevice } from "../alert_text.js";
import { alertWindows } from "../alert_windows.js";
import { h, redraw, text } from "../dom.js";
import { number } from "../format.js";
import { failure, message, missing, skeleton } from "../parts.js";
import { asked, go, remember } from "../router.js";
import { tabs as makeTabs } from "../segments.js";
import { compareAlerts, state } from "../store.js";
import { surgeBanner } from "../surge.js";
import { t } from "../words/alerts.js";

/** @typedef {import("../store.js").Alert} Alert */

const FOLLOW_MS = 120;
const TABS = /** @type {const} */ ([
  ["terbuka", "tab_open"],
  ["ditunda", "tab_shelved"],
  ["ditekan", "tab_suppressed"],
  ["di-luar-layanan", "tab_windows"],
  ["riwayat", "tab_history"],
  ["kpi", "tab_kpi"],
]);
/** @typedef {typeof TABS[number][0]} Tab */
/** Where each list that is not that of the open ones comes from, and what belongs to it. */
const LISTS = {
  ditunda: {
    path: "alerts?state=shelved",
    belongs: (/** @type {Alert} */ a) => a.shelved_until !== null,
    none: "no_shelved",
  },
  ditekan: {
    path: "alerts?state=suppressed",
    belongs: (/** @type {Alert} */ a) => a.suppressed !== null,
    none: "no_suppressed",
  },
  riwayat: { path: "alerts?state=closed&historical=any", belongs: () => true, none: "no_history" },
};
/** @typedef {keyof typeof LISTS} Paged */

/** @param {string} name @returns {Tab} */
const tabOf = (name) => TABS.find(([each]) => each === name)?.[0] ?? "terbuka";

/** @returns {import("../router.js").View} */
export function view() {
  let tab = tabOf(asked("tab"));
  let id = Number(asked("id")) || null;
  let follow = 0,
    counted = "";
  const redrawn = () => update(new Set(["alerts"]));
  const pages = Object.fromEntries(
    Object.entries(LISTS).map(([name, { path, belongs }]) => [name, alertPages(path, belongs, redrawn)]),
  );
  const tabs = h("div");
  const filter = alertFilter(filtered);
  const order = h("span.t3.end.order");
  const toolbar = h("div.toolbar", {}, tabs, filter.elements, order);
  const surge = surgeBanner(filtered);
  const list = alertListing({ select, selected: () => id, changed: redrawn });
  const detail = alertDetail(redrawn);
  /** The tab that is a page of its own. @type {{ element: HTMLElement, update: () => void, close: () => void, key?: (event: KeyboardEvent) => boolean } | null} */
  let page = null;
  const place = h("div.page", { hidden: true });
  const element = h("div.view.alerts", {}, surge.element, toolbar, list.element, detail.element, place);

  function filtered() {
    list.reset();
    redrawn();
  }

  /** @param {Set<import("../store.js").Topic>} topics */
  function update(topics) {
    if (topics.has("kinds")) filter.fill();
    surge.update();
    const counts = state.counts;
    redraw(
      tabs,
      `${tab} ${counts?.open} ${counts?.shelved} ${counts?.suppressed} ${document.documentElement.lang}`,
      () => {
        const n = { terbuka: counts?.open, ditunda: counts?.shelved, ditekan: counts?.suppressed };
        const of = (/** @type {Tab} */ name) =>
          name in n && counts ? number(n[/** @type {"ditunda"} */ (name)]) : undefined;
        const href = (/** @type {Tab} */ name) => (name === "terbuka" ? "/peringatan" : `/peringatan?tab=${name}`);
        const links = TABS.map(([name]) => ({ name, href: href(name), count: of(name) }));
        return makeTabs(t("alerts"), links, tab, (name) => t(TABS.find(([each]) => each === name)?.[1] ?? ""));
      },
    );
    const now_counted = `${counts?.shelved} ${counts?.suppressed} ${counts?.open}`;
    if (tab in LISTS && counted !== now_counted) pages[/** @type {Paged} */ (tab)].soon();
    counted = now_counted;
    if (page) return page.update();
    text(
      order,
      t(tab === "riwayat" ? "sort_history" : surge.groups() && tab === "terbuka" ? "sort_surge" : "sort_open"),
    );
    list.show(tab === "terbuka" ? open() : paged(/** @type {Paged} */ (tab)));
    detail.update();
  }

  /** @returns {import("../alert_listing.js").Listing} */
  function open() {
    const gone = missing(["alerts", "kinds"]);
    const all = gone ? [] : [...state.alerts.values()];
    const wanted = all.filter(filter.passes).sort(compareAlerts);
    const { held } = list;
    const shown = held.arrange(wanted, (each) => state.alerts.get(each) ?? state.others.get(each));
    const unseen = all.filter((alert) => !alert.acked && !filter.passes(alert)).length;
    const none = () => (all.length ? message(t("no_match")) : calm());
    return {
      items: surge.groups() ? byCause(shown, list.unfold) : byState(shown, held.holds, list.unfold),
      busy: gone?.is === "loading",
      note: gone
        ? {
            key: `${gone.is} ${gone.topic} ${state.failures.get(gone.topic)?.retryAt}`,
            make: () => (gone.is === "failed" ? failure(t("alerts"), gone.topic) : skeleton(6)),
          }
        : shown.length
          ? null
          : { key: `none ${all.length} ${state.devices.size}`, make: none },
      hidden: unseen
        ? { words: t("hidden_unacked", { n: number(unseen) }), label: t("show_all"), run: filter.clear }
        : null,
      waiting: held.waiting
        ? { words: t("n_waiting", { n: number(held.waiting) }), label: t("show"), run: list.release, key: "." }
        : null,
      more: null,
    };
  }

  /** Empty because all is well must not look like empty because it is broken. */
  const calm = () => message(t("no_open"), t("checks_run", { n: number(state.devices.size) }));

  /** @param {Paged} name @returns {import("../alert_listing.js").Listing} */
  function paged(name) {
    const from = pages[name];
    const shown = from.current().filter(filter.passes);
    const { failed, loaded } = from;
    const again = h("button.btn.small", { type: "button", onclick: from.again }, t("try_now"));
    const what = t(TABS.find(([each]) => each === name)?.[1] ?? "");
    const none = () =>
      failed
        ? message(t("cannot_load", { what }), String(failed.status || ""), again)
        : loaded
          ? message(t(from.alerts.length ? "no_match" : LISTS[name].none))
          : skeleton(6);
    return {
      items: shown,
      busy: !loaded && !failed,
      note: shown.length ? null : { key: `${name} ${loaded} ${failed?.status} ${from.alerts.length}`, make: none },
      hidden: null,
      waiting: null,
      more: from.hasMore() ? { label: t("load_older"), run: from.more } : null,
    };
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
    list.choose();
    clearTimeout(follow);
    follow = window.setTimeout(() => detail.show(id), FOLLOW_MS);
  }

  function enter() {
    page?.close();
    page = tab === "kpi" ? alertKpi() : tab === "di-luar-layanan" ? alertWindows() : null;
    place.hidden = page === null;
    place.replaceChildren(...(page ? [page.element] : []));
    list.element.hidden = detail.element.hidden = page !== null;
    for (const each of filter.elements) each.hidden = page !== null;
    order.hidden = page !== null;
    if (tab in LISTS) pages[/** @type {Paged} */ (tab)].again();
  }

  /** @param {URLSearchParams} query */
  function moved(query) {
    const next = tabOf(query.get("tab") ?? "");
    if (next !== tab) {
      tab = next;
      enter();
      list.reset();
    }
    show(Number(query.get("id")) || null);
    redrawn();
    list.toChosen();
  }

  /** The alert that is chosen, as it is known. @returns {Alert | null} */
  function chosen() {
    if (id === null) return null;
    const known = Object.values(pages).flatMap(({ alerts }) => alerts.find((each) => each.id === id) ?? [])[0];
    return state.alerts.get(id) ?? (known ? newer(known) : detail.shown());
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (page) return page.key?.(event) ?? false;
    if (list.key(event)) return true;
    if (event.key === ".") return (list.release(), true);
    const alert = chosen();
    if (!alert) return false;
    const letter = event.key.toLowerCase();
    if (letter === "a" && !alert.acked) act("ack", [alert]);
    else if (letter === "t" && !alert.shelved_until) shelveDialog([alert], redrawn);
    else if (letter === "o") assignDialog([alert], redrawn);
    else if (letter === "c") commentDialog([alert], redrawn);
    else if (
      event.key === "Enter" &&
      isOfDevice(alert) &&
      alert.members === null &&
      !document.activeElement?.matches("button, a")
    )
      go(`/perangkat/${alert.device_id}`);
    else return "atoc".includes(letter);
    return true;
  }

  enter();
  show(id);
  return {
    element,
    title: t("alerts"),
    update,
    key,
    keys: [
      [["T"], t("keys_shelve")],
      [["O"], t("keys_assign")],
      [["C"], t("keys_comment")],
      [["X", "Shift X"], t("keys_mark_range")],
      [["←", "→"], t("keys_fold")],
    ],
    moved,
    back() {
      if (list.marked.any()) return (list.marked.clear(), true);
      if (id === null) return false;
      remember({ id: null });
      show(null);
      return true;
    },
    close() {
      clearTimeout(follow);
      detail.close();
      surge.close();
      page?.close();
      for (const each of Object.values(pages)) each.close();
    },
  };
}

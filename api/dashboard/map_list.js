/** The map as a list, for keyboards and screen readers, and the card of what was picked on it. */

import { h, keyed, redraw, text } from "./dom.js";
import { number, said } from "./format.js";
import { alertMark, unknownMark } from "./marks.js";
import { dataAge, isOld, kindName, latestValue, primaryOf } from "./parts.js";
import { deviceName, districtName, state, worstAlert } from "./store.js";
import { t } from "./words/map.js";

/** @typedef {import("./map_points.js").Points} Points */
const MOST = 200,
  CARD_MOST = 8;

/** What stands for many has no device of its own. @param {string} id */
const isIncident = (id) => id.startsWith("$");

/** @param {string} id */
function entry(id) {
  const incident = isIncident(id) ? worstAlert(id) : null;
  const href = incident ? `/peringatan?id=${incident.id}` : `/perangkat/${id}`;
  const row = h(
    "li",
    {},
    h("a", { href }, h("span.mk"), h("span.what", {}, h("b"), h("span.sub")), h("span.num.v2")),
  );
  return row;
}

/** @param {HTMLElement} row @param {string} id */
function updateEntry(row, id) {
  const alert = worstAlert(id),
    latest = state.latest.get(id),
    device = state.devices.get(id),
    kind = device?.kind ?? alert?.kind ?? "";
  const [mark, , value] = /** @type {HTMLElement[]} */ ([...(row.firstElementChild?.children ?? [])]);
  const old = isOld(latest) && !isIncident(id);
  redraw(mark, `${alert?.id} ${alert?.version} ${old}`, () =>
    alert ? alertMark(alert) : old ? unknownMark({ label: t("stale") }) : null,
  );
  text(/** @type {Element} */ (row.querySelector("b")), alert ? said(alert.title) : deviceName(id));
  text(
    /** @type {Element} */ (row.querySelector(".sub")),
    [alert && device && deviceName(id), kindName(kind), districtName(device?.district ?? alert?.district ?? null)]
      .filter(Boolean)
      .join(" · "),
  );
  if (!isIncident(id)) redraw(value, `${latest?.ts} ${old}`, () => [
    h(old ? "span.stale" : "span", {}, latestValue(latest, primaryOf(kind))),
    latest && h("span.sub", {}, dataAge(latest)),
  ]);
}

/** Up and down move through links. @param {KeyboardEvent} event */
function onArrow(event) {
  const links = [.../** @type {HTMLElement} */ (event.currentTarget).querySelectorAll("a")];
  const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  if (to === undefined || !links[to]) return;
  event.preventDefault();
  links[to].focus();
}

/** @param {() => Points} points */
export function mapList(points) {
  const list = h("ul", { onkeydown: onArrow }),
    note = h("p.t3");
  const element = h(
    "div.map-list",
    { hidden: true, role: "region", "aria-label": t("problems_title") },
    h(
      "header",
      {},
      h("h2", {}, t("problems_title")),
      h("button.btn.quiet.small.end", { type: "button", onclick: close }, t("close")),
    ),
    note,
    list,
  );

  function update() {
    if (element.hidden) return;
    const { marks, devices } = points();
    const ids = marks.filter((mark) => mark.severity !== null).map((mark) => mark.incident?.device_id ?? devices[mark.i].id);
    keyed(list, ids.slice(0, MOST), (id) => id, entry, updateEntry);
    text(note, ids.length === 0 ? t("no_problems") : ids.length > MOST ? t("first_n", { n: number(MOST) }) : "");
    note.hidden = !note.textContent;
  }
  function close() {
    if (element.hidden) return false;
    show(false);
    return true;
  }
  /** @param {boolean} open */
  function show(open) {
    element.hidden = !open;
    const button = /** @type {HTMLElement | null} */ (element.parentElement?.querySelector(".twin"));
    button?.setAttribute("aria-expanded", String(open));
    update();
    if (open) element.querySelector("a")?.focus();
    else button?.focus();
  }
  return { element, update, close, toggle: () => show(element.hidden) };
}

/** @param {() => Points} points */
export function mapCard(points) {
  const list = h("ul", { onkeydown: onArrow }),
    more = h("p.t3");
  const element = h(
    "div.map-card",
    { hidden: true, role: "status" },
    list,
    more,
    h("button.btn.quiet.small.close", { type: "button", "aria-label": t("close"), onclick: close }, "×"),
  );
  /** @type {string[]} */
  let ids = [];

  function update() {
    if (element.hidden) return;
    keyed(list, ids.slice(0, CARD_MOST), (id) => id, entry, updateEntry);
    text(more, ids.length > CARD_MOST ? `+ ${number(ids.length - CARD_MOST)}` : "");
    more.hidden = ids.length <= CARD_MOST;
  }
  function close() {
    const was = !element.hidden;
    element.hidden = true;
    return was;
  }
  return {
    element,
    update,
    close,
    /** @param {number[]} picked */
    show(picked) {
      ids = picked.map((i) => points().devices[i].id);
      element.hidden = ids.length === 0;
      update();
    },
  };
}

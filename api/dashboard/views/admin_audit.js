/** The audit log: who did what, when, from where; filtered, page by page, or as one CSV. */

import { h, redraw } from "../dom.js";
import { shortDay, timeWithSeconds } from "../format.js";
import { call } from "../load.js";
import { icon } from "../marks.js";
import { message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { asked, remember } from "../router.js";
import { segments } from "../segments.js";
import { makeTable } from "../table.js";
import { t } from "../words/admin.js";
import { attempt, select } from "./admin_form.js";

/** @typedef {{ id: number, at: string, who: string, by: string, what: string, subject: string | null,
 *    address: string | null, details: Record<string, any> }} Line */

const PAGE = 100;
const ACTIONS = ["session", "user", "key", "alert", "shelf", "window", "rule", "quarantine", "handover", "duty", "notice", "device"];
const RANGES = /** @type {const} */ (["1", "7", "30", "all"]);

/** @returns {import("./admin.js").Part} */
export function auditPart() {
  const { element, end, body } = panel("audit", t("tab_audit"));
  const who = search("siapa", t("search_who")),
    subject = search("tentang", t("search_subject"));
  const what = select([["", t("what_all")], ...ACTIONS.map((each) => /** @type {[string, string]} */ ([each, t(`w_${each}`)]))], asked("tindakan"), { "aria-label": t("what"), onchange: filtered });
  let range = RANGES.find((each) => each === asked("rentang")) ?? "7";
  const csv = h("a.btn", { download: "audit.csv" }, icon("download"), "CSV");
  const filters = h(
    "div.toolbar.filters",
    {},
    segments(t("range"), RANGES.map((each) => /** @type {const} */ ([each, t(`last_${each}`)])), () => range, (each) => {
      range = each;
      filtered();
    }),
    what,
    who.field,
    subject.field,
  );
  end.append(csv);
  const more = h("button.btn", { type: "button", onclick: older }, t("more"));
  const foot = h("div.foot", {}, more);
  const scroll = h("div.content");
  body.append(filters, scroll, foot);
  /** Pages after the first. @type {Line[]} */
  let rest = [];
  /** @type {string | null} */
  let cursor = null;
  const first = resource("audit?" + query(), arrived, { every_ms: 60_000 });
  const table = makeTable({
    label: t("tab_audit"),
    keyOf: (/** @type {Line} */ line) => String(line.id),
    columns: [
      { name: "at", words: t("time"), key: ({ at }) => at, cell: ({ at }) => h("span.num.t2", {}, `${shortDay(at)} ${timeWithSeconds(Date.parse(at))}`) },
      { name: "who", words: t("who"), key: ({ who: name }) => name, cell: ({ who: name }) => h("b", {}, name) },
      { name: "what", words: t("what"), key: ({ what: action }) => action, cell: ({ what: action }) => h("span", { title: action }, actionText(action)) },
      { name: "subject", words: t("of_what"), key: (line) => String(line.subject), cell: (line) => line.subject ?? "–" },
      { name: "by", words: t("way_in"), key: ({ by }) => by, cell: ({ by }) => h("span.t2", {}, t(`by_${by}`)) },
      { name: "address", words: t("address"), key: ({ address }) => String(address), cell: ({ address }) => h("span.num.t2", {}, address ?? "–") },
      { name: "details", words: t("details"), key: ({ details }) => JSON.stringify(details), cell: ({ details }) => h("span.t2", {}, detailText(details)) },
    ],
  });

  /** @param {string} name @param {string} word */
  function search(name, word) {
    const input = h("input", { type: "search", placeholder: word, "aria-label": word, value: asked(name), onchange: filtered });
    return { input, field: h("label.field.search", {}, icon("search"), input) };
  }

  function query() {
    const given = new URLSearchParams();
    for (const [name, value] of [["who", who.input.value.trim()], ["what", what.value], ["subject", subject.input.value.trim()]]) if (value) given.set(name, value);
    if (range !== "all") given.set("from", `-${range}d`);
    csv.href = `/api/v1/audit?${given}&format=csv`;
    given.set("limit", String(PAGE));
    return given.toString();
  }

  function filtered() {
    remember({ tindakan: what.value, siapa: who.input.value, tentang: subject.input.value, rentang: range === "7" ? null : range });
    rest = [];
    first.ask("audit?" + query());
  }

  function arrived() {
    // Older pages stay as they are: the log only grows at its other end.
    if (!rest.length) cursor = first.value?.next_cursor ?? null;
    draw();
  }

  async function older() {
    more.disabled = true;
    await attempt(async () => {
      const page = await call(`audit?${query()}&cursor=${encodeURIComponent(cursor ?? "")}`);
      rest = [...rest, ...page.items];
      cursor = page.next_cursor;
    }, "");
    more.disabled = false;
    draw();
  }

  function draw() {
    drawResource(scroll, first, {
      what: t("tab_audit"),
      lines: 10,
      key: ({ items }) => String(items.length > 0),
      empty: ({ items }) => (items.length ? null : message(t("no_lines"))),
      content: () => table.element,
    });
    const seen = new Set(rest.map(({ id }) => id));
    table.show([...(first.value?.items ?? []).filter((/** @type {Line} */ line) => !seen.has(line.id)), ...rest]);
    foot.hidden = cursor === null;
  }
  redraw(foot, "", () => more);
  return { element, update: draw, key: table.key, close: first.close };
}

/** In words, where there are any for it. @param {string} action */
function actionText(action) {
  const key = action.replace(".", "_"),
    word = t(`d_${key}`);
  return word === `d_${key}` ? action : word;
}

/** role: operator, days: 90 @param {Record<string, any>} details */
const detailText = (details) =>
  Object.entries(details)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(", ");

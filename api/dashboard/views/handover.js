/** Serah terima: what is taken over, what is hidden until when; a document, notes, and two signatures. */

import { toast } from "../announce.js";
import { now } from "../clock.js";
import { h, redraw } from "../dom.js";
import { moment } from "../format.js";
import { ApiError, call } from "../load.js";
import { icon } from "../marks.js";
import { panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { asked, go } from "../router.js";
import { state } from "../store.js";
import { t } from "../words/handover.js";
import { documentKey, documentOf, figuresOf } from "./handover_doc.js";
import { signaturesOf } from "./handover_sign.js";

/** @typedef {import("./handover_lines.js").Draft} Draft */
/** @typedef {import("./handover_lines.js").Handover} Handover */
/** @typedef {import("./handover_lines.js").Row} Row */

const AGAIN_MS = 60_000,
  LISTED = 8;
// The address of a new one, though another still waits.
const NEW = "baru";

/** What alerts have to do with it. */
const counted = () => JSON.stringify(state.counts);
const live = { every_ms: AGAIN_MS, topics: /** @type {const} */ (["counts"]), watch: counted };

/** @returns {import("../router.js").View} */
export function view() {
  const rows = resource("handover?limit=" + LISTED, choose, { every_ms: AGAIN_MS, shape: ({ items }) => /** @type {Row[]} */ (items) });
  /** @type {import("../resource.js").Resource<Handover>} */
  const signed = resource("", draw, live);
  /** @type {import("../resource.js").Resource<Draft>} */
  const told = resource("", draw, live);
  let shownId = asked("id"),
    busy = false;

  const paper = h("div.paper"),
    written = h("div.written");
  const hint = h("p.t3", { id: "notes-hint" }, t("notes_hint"));
  const notes = h("textarea", { id: "notes", rows: 4, maxlength: 10_000, "aria-describedby": "notes-hint", oninput: keepNotes });
  notes.value = keptNotes();
  // On paper a field would cut what does not fit.
  const printed = h("p.printed", { "aria-hidden": "true" }, notes.value);
  const field = h("div.notes", {}, h("label", { for: "notes" }, t("notes")), notes, printed, hint);
  const doc = h("section.panel.doc", { "aria-label": t("title") }, paper, field, written);
  const side = panel("signatures", t("signatures"));
  side.body.className = "body";
  const boxes = h("div.boxes"),
    figures = h("div"),
    earlier = h("div.earlier-box");
  const print = h("button.btn.print", { type: "button", onclick: () => window.print() }, icon("download"), "PDF");
  side.body.append(boxes, h("h3", {}, t("this_shift")), figures, print, h("h3", {}, t("earlier")), earlier);
  const element = h("div.view.handover", {}, doc, side.element);

  function keepNotes() {
    printed.textContent = notes.value;
    remembered(notes.value);
  }

  /** The newest, while it waits for who takes over; null when there is something new to put together. */
  const waiting = () => (rows.value?.[0]?.state === "given" ? rows.value[0] : null);

  /** Which of them is on the screen: one that was asked for, the one that waits, or what there is now. */
  function choose() {
    const open = waiting(),
      id = shownId === NEW ? null : shownId || open?.id;
    signed.ask(id ? `handover/${id}` : "");
    // What is signed and over needs nothing of now.
    const past = id && (!open || String(open.id) !== String(id));
    told.ask(past || !rows.value ? "" : id && open ? `handover/draft?from=${encodeURIComponent(open.from)}` : "handover/draft");
    draw();
  }

  /** @returns {import("./handover_doc.js").Shown | null} */
  function shown() {
    const one = signed.value;
    if (!one) return told.value && { told: told.value, signed: told.value, changes: [], at: now() };
    if (one.state === "given" && one.newest) return told.value && { told: told.value, signed: one.draft, changes: one.changed, at: now() };
    return { told: one.draft, signed: one.draft, changes: one.changed, at: Date.parse(one.draft.to) };
  }

  function draw() {
    const asking = signed.failure ? signed : told.failure ? told : rows.failure && !rows.value ? rows : told;
    const made = ready() ? shown() : null;
    /** @type {import("../resource.js").Resource<any>} */
    const from = { ...asking, value: made, ask: asking.ask };
    drawResource(paper, from, { what: t("draft"), lines: 14, key: documentKey, content: documentOf });
    const composing = made !== null && !signed.value;
    field.hidden = !composing;
    written.hidden = made === null || composing;
    redraw(written, `${signed.value?.id} ${document.documentElement.lang}`, () => [
      h("h3", {}, t("notes")),
      h("p.kept", {}, signed.value?.notes || t("no_notes")),
    ]);
    if (made) redraw(figures, JSON.stringify([made.told.shift, document.documentElement.lang]), () => figuresOf(made.told));
    drawBoxes(made !== null);
    drawEarlier();
  }

  /** Whether what belongs to the chosen one has come. */
  function ready() {
    if (!rows.value) return false;
    const one = shownId !== NEW && (shownId || waiting());
    return !one || signed.value !== null;
  }

  /** @param {boolean} there */
  function drawBoxes(there) {
    const one = signed.value;
    const stuck = one?.unacknowledged.map(({ id, acked }) => [id, acked]);
    const key = [there, one?.id, one?.version, one?.changed.length, stuck, state.stream, busy, document.documentElement.lang];
    redraw(boxes, JSON.stringify(key), () =>
      there ? signaturesOf({ one, busy, other: shownId === NEW ? waiting() : null, give, take }) : null,
    );
  }

  function drawEarlier() {
    const list = (rows.value ?? []).filter((row) => row !== waiting());
    redraw(earlier, JSON.stringify([list, shownId, document.documentElement.lang]), () => [
      h("ul.earlier", {}, list.map((row) => h("li", {}, earlierLink(row, String(row.id) === shownId)))),
      list.length === 0 && h("p.t3", {}, t("no_forecasts")),
    ]);
  }

  const give = () => sign("handover", { body: { notes: notes.value } }, t("signed_given"), () => {
    notes.value = "";
    keepNotes();
  });

  /** @param {string | null} reason */
  function take(reason) {
    const one = /** @type {Handover} */ (signed.value);
    const headers = { "If-Match": `"${one.version}"` };
    return sign(`handover/${one.id}/sign`, { body: reason === null ? {} : { reason }, headers }, t("signed_taken"), () => {});
  }

  /** @param {string} path @param {{ body: any, headers?: Record<string, string> }} options @param {string} done @param {() => void} then */
  async function sign(path, options, done, then) {
    if (busy) return;
    busy = true;
    draw();
    try {
      const one = await call(path, options);
      then();
      toast(done, "check");
      busy = false;
      rows.ask();
      go(`/serah-terima?id=${one.id}`);
    } catch (error) {
      const { status, message: detail } = error instanceof ApiError ? error : { status: 0, message: String(error) };
      const why = status === 409 || status === 412 ? t("state_moved") : status ? detail : t("no_answer");
      toast(t("not_signed", { why }), "alerts");
      signed.ask();
      rows.ask();
    } finally {
      busy = false;
      draw();
    }
  }

  return {
    element,
    title: t("handover"),
    update: (topics) => topics.has("stream") || topics.has("devices") || topics.has("tick") ? draw() : undefined,
    moved(query) {
      shownId = query.get("id") ?? "";
      choose();
    },
    close() {
      for (const each of [rows, signed, told]) each.close();
    },
  };
}

/** @param {Row} row @param {boolean} isShown */
function earlierLink(row, isShown) {
  const who = t("given_to", { from: row.given_by, to: row.taken_by ?? t("waiting") });
  return h("a", { href: `/serah-terima?id=${row.id}`, "aria-current": isShown && "page" }, h("span.num", {}, moment(row.given_at)), h("span", {}, who));
}

// Notes are written over hours: a reload must not lose them, nor another person find them.
const noteKey = () => `siaga.notes.${state.me?.name}`;

function keptNotes() {
  try {
    return localStorage.getItem(noteKey()) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} text */
function remembered(text) {
  try {
    if (text) localStorage.setItem(noteKey(), text);
    else localStorage.removeItem(noteKey());
  } catch {
    // A browser that keeps nothing: what is typed is there until the page is left.
  }
}

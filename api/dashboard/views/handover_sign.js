/** The two signatures: who hands over, who takes over, and what is in the way of it. */

import { attribute, h } from "../dom.js";
import { moment, number, said, timeWithSeconds } from "../format.js";
import { icon } from "../marks.js";
import { may, refusalOf } from "../roles.js";
import { state } from "../store.js";
import { t } from "../words/handover.js";

/** @typedef {import("./handover_lines.js").Handover} Handover */
/** one: the handover on the screen, null while it is put together; other: one that waits meanwhile
 *  @typedef {{ one: Handover | null, busy: boolean, other: import("./handover_lines.js").Row | null,
 *    give: () => void, take: (reason: string | null) => void }} Signing */

const NAMED = 5;

/** @param {Signing} signing */
export function signaturesOf({ one, busy, other, give, take }) {
  const giving = one ? signature(one.given_by, one.given_at) : unsigned(state.me?.name ?? "");
  return [
    h("section.signature", { "aria-label": t("gives") }, h("p.t3", {}, t("gives")), giving, !one && giveParts(busy, give)),
    h("section.signature", { "aria-label": t("takes") }, h("p.t3", {}, t("takes")), takeParts(one, busy, take)),
    one && ways(one),
    other && h("p.ways", {}, h("a.link", { href: "/serah-terima" }, t("to_waiting"))),
  ];
}

/** @param {string} who @param {string} at */
const signature = (who, at) => [
  h("p.b", {}, who),
  h("p.line", {}, icon("check"), t("signed_at", { time: isToday(at) ? timeWithSeconds(Date.parse(at)) : moment(at) })),
];

/** @param {string} at */
const isToday = (at) => moment(at).length <= 5;

/** @param {string} who */
const unsigned = (who) => [h("p.b", {}, who || "–"), h("p.line.t3", {}, t("not_yet"))];

/** @param {boolean} busy @param {() => void} give */
const giveParts = (busy, give) => [
  off(h("button.btn.primary", { type: "button", onclick: give }, t("i_give")), busy ? t("loading") : refusalOf("operator")),
  h("p.t2", {}, t("give_text")),
];

/** @param {Handover | null} one @param {boolean} busy @param {(reason: string | null) => void} take */
function takeParts(one, busy, take) {
  if (!one) return [unsigned(""), h("p.t2", {}, t("take_after"))];
  if (one.state === "taken")
    return [
      signature(one.taken_by ?? "–", one.taken_at ?? one.given_at),
      one.reason && h("p.t2", {}, t("alone_because", { reason: one.reason })),
      one.changed.length > 0 && h("p.t2", {}, t("changed_until", { n: number(one.changed.length) })),
    ];
  if (!one.newest) return [unsigned(""), h("p.t2", {}, t("superseded"))];
  const alone = one.given_by === state.me?.name,
    stuck = one.unacknowledged;
  const reason = alone && may("admin") && !stuck.length ? h("textarea", { rows: 2, maxlength: 500, id: "alone", oninput: show }) : null;
  const button = h("button.btn.primary", { type: "button", onclick: () => take(reason ? reason.value.trim() : null) }, t(alone ? "i_take_alone" : "i_take"));

  function show() {
    const why = busy ? t("loading") : refusalOf("operator");
    const own = stuck.length
      ? t("ack_first", { n: number(stuck.length) })
      : alone && !reason
        ? t("somebody_else", { who: one?.given_by })
        : reason && !reason.value.trim()
          ? t("reason_first")
          : null;
    off(button, why ?? own);
  }
  show();
  return [
    unsigned(alone ? (reason ? one.given_by : "") : (state.me?.name ?? "")),
    reason && h("label.ask-field", { for: "alone" }, h("span.t2", {}, t("why_alone")), reason),
    button,
    stuck.length > 0 &&
      h(
        "div.t2",
        {},
        t("ack_first", { n: number(stuck.length) }),
        h(
          "ul",
          {},
          stuck.slice(0, NAMED).map((alert) => h("li", {}, h("a.link", { href: `/peringatan?id=${alert.id}` }, said(alert.title)))),
        ),
        stuck.length > NAMED && h("a.link", { href: "/peringatan" }, t("more_lines", { n: number(stuck.length - NAMED) })),
      ),
    stuck.length === 0 && alone && !reason && h("p.t2", {}, t("somebody_else", { who: one.given_by })),
    one.changed.length > 0 && h("p.t2", {}, t("has_changed", { time: moment(one.given_at), n: number(one.changed.length) })),
  ];
}

/** @param {Handover} one */
const ways = (one) =>
  one.state === "given" && one.newest
    ? h("p.ways", {}, h("a.link", { href: "/serah-terima?id=baru" }, t("compose_new")))
    : h("p.ways", {}, h("a.link", { href: "/serah-terima" }, t("to_now")));

/** Switched off with its reason; it keeps its place among the stops of the Tab key (roles.js). @param {any} button @param {string | null} why */
function off(button, why) {
  for (const name of ["title", "aria-description"]) attribute(button, name, why);
  attribute(button, "aria-disabled", why !== null && "true");
  return button;
}

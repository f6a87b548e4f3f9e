/** Acting on groups: claiming, asking for a replay and waiting for it, discarding; each with what came of it. */

import { announce, toast } from "../announce.js";
import { dialog } from "../dialog.js";
import { h, text } from "../dom.js";
import { number } from "../format.js";
import { ApiError, call } from "../load.js";
import { gate, refusalOf } from "../roles.js";
import { state } from "../store.js";
import { t } from "../words/quarantine.js";

/** @typedef {import("./quarantine_data.js").Group} Group */
/** @typedef {import("./quarantine_data.js").Whole} Whole */
/** @typedef {{ note?: string, shift_s?: number, force?: boolean }} How */
/** @typedef {{ id: number, state: string, problem: string | null }} Acted */

const LOOK_MS = 2_000,
  LOOKS = 45,
  OUTCOMES_OF = 20;
const REASONS = ["why_test", "why_vendor", "why_known", "why_double"];

/**
 * Do it to every entry of these groups that waits for a person.
 * @param {"claim" | "replay" | "discard"} action
 * @param {Group[]} groups
 * @param {How} [how]
 * @returns {Promise<Acted[]>}
 */
export async function act(action, groups, how = {}) {
  /** @type {Acted[]} */
  const done = [];
  for (const { fingerprint, states } of groups)
    for (const of of /** @type {const} */ (["open", "claimed"])) {
      if (!states[of] || (action === "claim" && of === "claimed" && !how.force)) continue;
      let more = true;
      while (more) {
        const answer = await call(`quarantine/${action}`, { body: { ...how, filter: { fingerprint, state: of } } });
        done.push(...answer.items);
        // Those that are refused come again and again.
        more = answer.more && answer.items.some((/** @type {Acted} */ each) => each.problem === null);
      }
    }
  return done;
}

/** What was refused, once each. @param {Acted[]} done */
const refusals = (done) => [...new Set(done.flatMap(({ problem }) => (problem ? [problem] : [])))];

/** @param {Acted[]} done @param {string} word */
function tell(done, word) {
  const good = done.filter(({ problem }) => problem === null).length,
    bad = done.length - good;
  const words = [
    t(word, { n: number(good) }),
    ...(bad ? [t("n_refused", { n: number(bad), why: refusals(done).join("; ") })] : []),
  ];
  toast(words.join(" "), bad ? "alerts" : "check");
  announce(() => words.join(" "));
}

/** @param {Group[]} groups @param {() => void} changed */
export async function claim(groups, changed) {
  if (refusalOf("engineer")) return;
  try {
    tell(await act("claim", groups), "n_claimed");
  } catch (error) {
    toast(problemOf(error), "alerts");
  }
  changed();
}

/** @param {unknown} error */
export function problemOf(error) {
  if (!(error instanceof ApiError)) throw error;
  return error.status ? error.message : t("no_answer");
}

/** How many entries of these somebody else has claimed are only found out by asking. @param {Group[]} groups */
const entriesOf = (groups) => groups.reduce((n, { states }) => n + (states.open ?? 0) + (states.claimed ?? 0), 0);

/**
 * A dialog that does one thing, says what was refused, and stays open until that has been read.
 * @param {{ title: string, fields: (Node | null)[], button: string, go: () => Promise<boolean> }} options  go: whether it can close
 */
export function doing({ title, fields, button, go }) {
  const problem = h("p.problem", { role: "alert" });
  const submit = gate(h("button.btn.primary", { type: "submit" }, button), "engineer");
  const made = dialog(
    title,
    h(
      "form.doing",
      {
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          if (refusalOf("engineer") || submit.disabled) return;
          submit.disabled = true;
          try {
            if (await go()) made.close();
          } catch (error) {
            text(problem, problemOf(error));
          }
          submit.disabled = false;
        },
      },
      fields,
      problem,
      h("div.row.acts", {}, h("button.btn", { type: "button", onclick: () => made.close() }, t("cancel")), submit),
    ),
  );
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return { element: made, say: (/** @type {string} */ words) => text(problem, words) };
}

/** @param {Group[]} groups @param {() => void} changed */
export function discard(groups, changed) {
  const why = h("textarea.field", { rows: 2, required: true, maxlength: 2000, "aria-label": t("reason") });
  const chips = REASONS.map((word) =>
    h(
      "button.btn.small",
      {
        type: "button",
        onclick: () => {
          why.value = t(word);
          why.focus();
        },
      },
      t(word),
    ),
  );
  doing({
    title: t("discard_title", { n: number(entriesOf(groups)) }),
    fields: [
      h("p", {}, t("discard_text")),
      h("label", {}, h("span.t3", {}, t("reason")), why),
      h("div.row.wrap", {}, chips),
    ],
    button: t("discard"),
    async go() {
      tell(await act("discard", groups, { note: why.value.trim() }), "n_discarded");
      changed();
      return true;
    },
  });
}

/**
 * @param {Group[]} groups
 * @param {number} shift_ms
 * @param {string} shift  in words
 * @param {() => void} changed
 */
export function replay(groups, shift_ms, shift, changed) {
  const note = h("input", { type: "text", maxlength: 2000, "aria-label": t("note") });
  const force = h("input", { type: "checkbox" });
  const claimed = groups.some(({ states }) => states.claimed);
  doing({
    title: t("replay_title", { n: number(entriesOf(groups)) }),
    fields: [
      h("p", {}, shift_ms ? t("replay_shifted", { shift }) : t("replay_plain")),
      h("p.t3", {}, t("replay_text")),
      h("label", {}, h("span.t3", {}, t("note")), h("span.field", {}, note)),
      claimed ? h("label.row", {}, force, t("replay_force")) : null,
    ],
    button: t("replay"),
    async go() {
      const done = await act("replay", groups, {
        note: note.value.trim() || undefined,
        shift_s: shift_ms / 1000,
        force: force.checked,
      });
      changed();
      follow(done, changed);
      return true;
    },
  });
}

/** Wait until ingest has tried what it was asked to, and say what came of it. @param {Acted[]} done @param {() => void} changed */
export async function follow(done, changed) {
  const asked = done.filter(({ problem }) => problem === null).map(({ id }) => id);
  if (!asked.length) return tell(done, "n_replayed");
  toast(t("n_waiting", { n: number(asked.length) }), "check");
  const looked = asked.slice(0, OUTCOMES_OF);
  for (let n = 0; n < LOOKS && state.me; n++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    try {
      /** @type {Whole[]} */
      const now = await Promise.all(looked.map((id) => call(`quarantine/${id}`)));
      if (now.some((each) => each.state === "replaying")) continue;
      const words = outcome(now, asked.length);
      toast(words, now.some((each) => each.state === "open") ? "alerts" : "check");
      announce(() => words);
      break;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }
  changed();
}

/** @param {Whole[]} now @param {number} asked */
function outcome(now, asked) {
  const again = now.filter((each) => each.state === "open");
  if (again.length) return t("n_open_again", { n: number(again.length), why: again[0].detail });
  /** @type {Record<string, number>} */
  const became = {};
  for (const { events } of now)
    for (const [name, n] of Object.entries(events.at(-1)?.outcome ?? {})) became[name] = (became[name] ?? 0) + n;
  const parts = outcomeText(became);
  return [t("n_replayed", { n: number(asked) }), parts].filter(Boolean).join(" ");
}

/** "12 tersimpan, 1 duplikat" @param {Record<string, number>} became */
export function outcomeText(became) {
  const names = /** @type {const} */ (["stored", "duplicate", "conflict", "quarantined"]);
  return names
    .filter((name) => became[name])
    .map((name) => t("n_became", { n: number(became[name]), what: t(`became_${name}`) }))
    .join(", ");
}

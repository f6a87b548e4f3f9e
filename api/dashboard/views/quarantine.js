/** Karantina: what was refused and why, what would happen if it were let in, and whether everything adds up. */

import { attribute, h, redraw } from "../dom.js";
import { moment, number } from "../format.js";
import { icon } from "../marks.js";
import { message } from "../parts.js";
import { drawResource } from "../resource.js";
import { gate } from "../roles.js";
import { asked, go, remember } from "../router.js";
import { tabs } from "../segments.js";
import { deviceName } from "../store.js";
import { makeTable } from "../table.js";
import { t } from "../words/quarantine.js";
import { claim, discard, replay } from "./quarantine_act.js";
import { groups, isWaiting, senderOf } from "./quarantine_data.js";
import { groupDetail } from "./quarantine_detail.js";
import { complaintOf } from "./quarantine_why.js";
import { fleetLedger } from "./quarantine_ledger.js";
import { deviceLedger } from "./quarantine_ledger_device.js";

/** @typedef {import("./quarantine_data.js").Group} Group */

const TABS = { inbox: "/karantina", done: "/karantina?tab=selesai", ledger: "/karantina?tab=neraca" };

/** @returns {import("../router.js").View} */
export function view() {
  const known = groups(draw);
  /** @type {Set<string>} */
  const marked = new Set();
  const search = h("input", {
    type: "search",
    placeholder: t("search"),
    "aria-label": t("search"),
    value: asked("cari"),
    oninput: searched,
  });
  const tabPlace = h("div.tab-place");
  const field = h("label.field.search", {}, icon("search"), search, h("kbd", { "aria-hidden": "true" }, "/"));
  const toolbar = h("div.toolbar", {}, tabPlace, field, h("span.t3.end.promise", {}, t("promise")));
  const note = h("div");
  const table = inboxTable();
  const bulk = h("div.bulk", { role: "group", "aria-label": t("marked"), hidden: true });
  const inbox = h("section.panel.inbox", { "aria-label": t("quarantine") }, note, table.element, bulk);
  const ledger = fleetLedger();
  const detail = groupDetail(again, () => go(TABS[tab() === "done" ? "done" : "inbox"]));
  const devices = deviceLedger(asked("alat"), (id) => go(`${TABS.ledger}&alat=${encodeURIComponent(id)}`));
  const element = h(
    "div.view.quarantine",
    {},
    toolbar,
    inbox,
    ledger.element,
    detail.element,
    devices.element,
    devices.side,
  );

  /** @returns {keyof typeof TABS} */
  function tab() {
    return asked("tab") === "selesai" ? "done" : asked("tab") === "neraca" ? "ledger" : "inbox";
  }

  function again() {
    known.ask();
  }

  function searched() {
    remember({ cari: search.value.trim() || null });
    draw();
  }

  /** @param {Group} group */
  const hrefOf = (group) => `${TABS[tab()]}${tab() === "inbox" ? "?" : "&"}sidik=${group.fingerprint}`;

  function inboxTable() {
    return makeTable({
      label: t("quarantine"),
      keyOf: (/** @type {Group} */ { fingerprint }) => fingerprint,
      rowClass: ({ fingerprint }) => (fingerprint === chosen() ? "chosen" : ""),
      open: (group) => go(hrefOf(group)),
      columns: [
        {
          name: "pick",
          words: h("span.only-read", {}, t("marked")),
          key: ({ fingerprint }) => `${marked.has(fingerprint)} ${tab()}`,
          cell: (group) =>
            tab() === "inbox" &&
            h("input", {
              type: "checkbox",
              tabindex: -1,
              checked: marked.has(group.fingerprint),
              "aria-label": t("mark_this", { what: `${t(`reason_${group.reason}`)}, ${senderOf(group)}` }),
              onchange: () => toggle(group.fingerprint),
            }),
        },
        {
          name: "what",
          words: t("col_reason"),
          key: (group) =>
            `${complaintOf(group)} ${deviceName(senderOf(group))} ${group.sample} ${chosen() === group.fingerprint}`,
          cell: (group) => [
            h(
              "a.whole",
              { href: hrefOf(group), tabindex: -1, "aria-current": chosen() === group.fingerprint && "true" },
              t(`reason_${group.reason}`),
            ),
            h("span.sub", { title: group.detail }, complaintOf(group)),
            h("span.sub.on-phone", {}, deviceName(senderOf(group))),
          ],
        },
        {
          name: "who",
          words: t("col_device"),
          key: (group) => `${group.device_id} ${deviceName(senderOf(group))}`,
          cell: (group) => [
            h("span", {}, deviceName(senderOf(group))),
            deviceName(senderOf(group)) !== senderOf(group) && h("span.sub", {}, senderOf(group)),
          ],
        },
        {
          name: "n",
          words: t("col_packets"),
          key: ({ count }) => String(count),
          cell: ({ count }) => h("b.num", {}, number(count)),
        },
        {
          name: "seen",
          words: t("col_seen"),
          key: (group) => `${group.first_seen} ${group.last_seen}`,
          cell: (group) => [
            moment(group.last_seen),
            h(
              "span.sub",
              {},
              group.count > 1 ? t("since", { time: moment(group.first_seen) }) : moment(group.first_seen),
            ),
          ],
        },
        {
          name: "state",
          words: t("col_state"),
          key: ({ states }) => JSON.stringify(states),
          cell: ({ states }) => Object.keys(states).map((of) => of !== "open" && h("span.tag", {}, t(`state_${of}`))),
        },
      ],
    });
  }

  const chosen = () => asked("sidik");

  /** @param {string} fingerprint */
  function toggle(fingerprint) {
    if (!marked.delete(fingerprint)) marked.add(fingerprint);
    draw();
  }

  /** @param {Group[]} all */
  function drawBulk(all) {
    const those = all.filter(({ fingerprint }) => marked.has(fingerprint));
    bulk.hidden = !those.length || tab() !== "inbox";
    redraw(bulk, `${those.map(({ fingerprint }) => fingerprint)} ${document.documentElement.lang}`, () => {
      const done = () => {
        marked.clear();
        again();
      };
      const button = (/** @type {string} */ word, /** @type {() => void} */ onclick) =>
        gate(h("button.btn", { type: "button", onclick }, t(word)), "engineer");
      return [
        h("b", {}, t("n_marked", { n: those.length })),
        button("claim", () => claim(those, done)),
        button("replay_now", () => replay(those, 0, "", done)),
        button("discard_now", () => discard(those, done)),
        h("button.btn.quiet", { type: "button", onclick: () => (marked.clear(), draw()) }, t("cancel")),
      ];
    });
    for (const control of bulk.querySelectorAll("button:not(.quiet)"))
      gate(/** @type {HTMLElement} */ (control), "engineer");
  }

  /** @param {Group} group */
  function passes(group) {
    const words = search.value.trim().toLowerCase();
    const all = [group.topic, group.detail, group.device_id, deviceName(senderOf(group)), t(`reason_${group.reason}`)];
    return !words || all.join(" ").toLowerCase().includes(words);
  }

  function draw() {
    const now = tab(),
      all = known.value ?? [];
    attribute(element, "data-tab", now);
    attribute(element, "data-detail", now !== "ledger" && chosen() !== "");
    const waiting = all.filter(isWaiting);
    redraw(tabPlace, `${now} ${waiting.length} ${document.documentElement.lang}`, () =>
      tabs(
        t("quarantine"),
        Object.entries(TABS).map(([name, href]) => ({
          name,
          href,
          count: name === "inbox" ? number(waiting.length) : undefined,
        })),
        now,
        (name) => t(`tab_${name}`),
      ),
    );
    field.hidden = now === "ledger";
    inbox.hidden = now === "ledger";
    ledger.element.hidden = now !== "inbox";
    detail.element.hidden = now === "ledger";
    devices.element.hidden = devices.side.hidden = now !== "ledger";
    const listed = now === "done" ? all.filter((group) => !isWaiting(group)) : waiting;
    const shown = listed.filter(passes);
    drawResource(note, known.first, {
      what: t("quarantine"),
      lines: 5,
      key: () => `${shown.length > 0} ${listed.length > 0} ${now} ${known.value !== null}`,
      empty: () =>
        known.value && !shown.length
          ? message(t(listed.length ? "no_match" : `nothing_${now}`), listed.length ? null : t(`nothing_${now}_text`))
          : null,
      content: () => null,
    });
    table.element.hidden = !shown.length;
    table.show(shown);
    drawBulk(all);
    detail.show(all.find(({ fingerprint }) => fingerprint === chosen()) ?? null);
  }

  function moved() {
    devices.show(asked("alat"));
    draw();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (tab() === "ledger") return devices.key(event);
    if (event.key.toLowerCase() === "x") {
      const row = /** @type {HTMLElement | null} */ (document.activeElement?.closest("tr[data-key]") ?? null);
      if (row?.dataset.key) toggle(row.dataset.key);
      return row !== null;
    }
    return table.key(event);
  }

  draw();
  return {
    element,
    title: t("quarantine"),
    /** @param {Set<string>} topics */
    update(topics) {
      if (topics.has("devices") || topics.has("kinds") || topics.has("stream")) {
        draw();
        detail.draw();
        ledger.draw();
        devices.draw();
      }
    },
    key,
    keys: [[["X"], t("k_mark")]],
    back() {
      if (!chosen() && !asked("alat")) return false;
      go(TABS[tab()]);
      return true;
    },
    moved,
    close() {
      known.close();
      ledger.close();
      detail.close();
      devices.close();
    },
  };
}

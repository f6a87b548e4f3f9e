/** Perintah: what this device may be told (a lamp by an operator, a gauge by an engineer), and what became of it. */

import { toast } from "./announce.js";
import { h } from "./dom.js";
import { age, moment } from "./format.js";
import { ApiError, call } from "./load.js";
import { panel } from "./parts.js";
import { drawResource, resource } from "./resource.js";
import { gate } from "./roles.js";
import { t } from "./words/device.js";

/** @typedef {{ id: string, name: string, args: Record<string, any>, state: string, who: string, made_at: string, error: string | null }} Command */
/** @typedef {[name: string, args: Record<string, any>]} Choice */

const LISTED = 5;
const ASK_MS = 3_000;

/** Whom it takes, and what there is to choose from; docs/commands.md has the limits. @type {Record<string, { role: import("./roles.js").Role, choices: Choice[] }>} */
const TOLD = {
  streetlight: {
    role: "operator",
    choices: [
      ["switch", { state: "on" }],
      ["switch", { state: "off" }],
      ["switch", { state: "auto" }],
      ...[100, 70, 40].map((n) => /** @type {Choice} */ (["dim", { level_pct: n }])),
    ],
  },
  water_level: { role: "engineer", choices: [60, 300, 600].map((s) => /** @type {Choice} */ (["interval", { interval_s: s }])) },
};

/** @param {string} name @param {Record<string, any>} args */
function words(name, args) {
  if (name === "switch") return t(`switch_${args.state}`);
  if (name === "dim") return t("dim_to", { n: args.level_pct });
  return t("report_every", { age: age(args.interval_s * 1000) });
}

/** @param {string} id @param {string} kind */
export function commandsPanel(id, kind) {
  const told = TOLD[kind];
  if (!told) return null;
  const { element, body } = panel("commands", t("commands"));
  const buttons = told.choices.map(([name, args]) => gate(h("button.btn.small", { type: "button", onclick: () => tell(name, args) }, words(name, args)), told.role));
  const list = h("div", {});
  body.append(h("div.row.choices", {}, buttons), list);
  const past = resource(`devices/${encodeURIComponent(id)}/commands?limit=${LISTED}`, update, { every_ms: ASK_MS, shape: ({ items }) => /** @type {Command[]} */ (items) });

  /** @param {string} name @param {Record<string, any>} args */
  async function tell(name, args) {
    try {
      await call(`devices/${encodeURIComponent(id)}/commands`, { body: { name, args } });
      toast(t("command_asked", { what: words(name, args) }));
    } catch (error) {
      toast(t("refused", { why: error instanceof ApiError ? error.message : String(error) }));
    }
    past.ask();
  }

  function update() {
    for (const button of buttons) gate(button, told.role);
    drawResource(list, past, {
      what: t("commands"),
      lines: 2,
      key: () => (past.value ?? []).map((each) => `${each.id} ${each.state}`).join(),
      empty: () => (past.value?.length ? null : h("p.t3", {}, t("no_commands"))),
      content: () => h("ul.its-alerts", {}, past.value?.map(line)),
    });
  }

  /** @param {Command} command */
  const line = (command) =>
    h(
      "li",
      {},
      h(
        "div",
        {},
        h(
          "span.what",
          {},
          words(command.name, command.args),
          h("span.sub", {}, [t(`command_${command.state}`), command.error, command.who].filter(Boolean).join(" · ")),
        ),
        h("time.num.t3", { datetime: command.made_at }, moment(command.made_at)),
      ),
    );

  update();
  return { element, update, close: past.close };
}

/** Whether a device is connected, and what it is in its life, as rows of facts; nothing where there is nothing to say. @param {import("./store.js").Device} device @returns {[string, string][]} */
export function lifeFacts(device) {
  /** @type {[string, string][]} */
  const rows = [];
  if (device.status && device.status !== "in_service") rows.push([t("life"), t(`life_${device.status}`)]);
  if (device.presence) rows.push([t("connected"), t(device.presence.online ? "online_since" : "offline_since", { time: moment(device.presence.since) })]);
  return rows;
}

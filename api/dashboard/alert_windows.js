/** Di luar layanan: where work goes on or nothing is in service, until when, who said so, how many alerts it holds back. */

import { groupName, workName } from "./alert_text.js";
import { toast } from "./announce.js";
import { h } from "./dom.js";
import { moment, number } from "./format.js";
import { ApiError, call } from "./load.js";
import { message } from "./parts.js";
import { drawResource, resource } from "./resource.js";
import { gate } from "./roles.js";
import { deviceName, districtName, state } from "./store.js";
import { makeTable } from "./table.js";
import { t } from "./words/alerts.js";

/** @typedef {{ id: number, what: "maintenance" | "out_of_service", scope: string, name: string, from: string, to: string | null,
 *    reason: string, who: string, state: "to come" | "standing" | "over", withheld: number }} Window */

export function alertWindows() {
  const place = h("div");
  /** @type {import("./resource.js").Resource<Window[]>} */
  const windows = resource("windows?state=all&limit=200", update, {
    every_ms: 60_000,
    topics: ["counts"],
    watch: () => String(state.counts?.suppressed),
    shape: ({ items }) => items.filter((/** @type {Window} */ { state }) => state !== "over"),
  });
  const table = makeTable({
    label: t("tab_windows"),
    keyOf: (/** @type {Window} */ { id }) => String(id),
    columns: [
      {
        name: "what",
        words: t("col_what"),
        key: ({ name }) => name,
        cell: (each) => [h("b", {}, nameOf(each)), h("span.sub", {}, workName(each.what))],
      },
      {
        name: "from",
        words: t("col_from"),
        key: ({ from, state }) => from + state,
        cell: ({ from, state }) => [moment(from), state === "to come" && h("span.sub", {}, t("to_come"))],
      },
      {
        name: "to",
        words: t("col_to"),
        key: ({ to }) => String(to),
        cell: ({ to }) => (to ? moment(to) : t("without_end")),
      },
      {
        name: "withheld r",
        words: t("col_withheld"),
        key: ({ withheld }) => String(withheld),
        cell: ({ withheld }) => h("span.num", {}, number(withheld)),
      },
      {
        name: "why",
        words: t("col_why"),
        key: ({ reason, who }) => reason + who,
        cell: ({ reason, who }) => [reason, h("span.sub", {}, who)],
      },
      { name: "end-it", words: t("col_act"), key: () => state.stream, cell: endButton },
    ],
  });
  const element = h("section.panel.windows", { "aria-label": t("tab_windows") }, place, table.element);

  /** @param {Window} each */
  function endButton(each) {
    return gate(h("button.btn.small", { type: "button", onclick: () => end(each) }, t("end_window")), "operator");
  }

  /** @param {Window} each */
  async function end(each) {
    try {
      await call(`windows/${each.id}/end`, { body: {} });
      toast(t("window_ended", { what: nameOf(each) }));
    } catch (error) {
      toast(t("window_refused", { why: error instanceof ApiError ? error.message : String(error) }), "alerts");
    }
    windows.ask();
  }

  function update() {
    const { value } = windows;
    drawResource(place, windows, {
      what: t("tab_windows"),
      key: (items) => String(items.length > 0),
      empty: (items) => (items.length ? h("div") : message(t("no_windows"), t("no_windows_text"))),
      content: () => null,
    });
    table.element.hidden = !value?.length;
    table.show(value ?? []);
  }

  update();
  return { element, update, key: table.key, close: windows.close };
}

/** @param {Window} window */
function nameOf({ scope, name }) {
  if (scope === "device") return deviceName(name);
  if (scope === "district") return `${t("district")} ${districtName(name)}`;
  return groupName(scope, name);
}

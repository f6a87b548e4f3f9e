/** Registering the device that an unknown sender says it is, and letting in what it has sent. */

import { toast } from "../announce.js";
import { h } from "../dom.js";
import { number } from "../format.js";
import { call, load } from "../load.js";
import { kindName } from "../parts.js";
import { state } from "../store.js";
import { t } from "../words/quarantine.js";
import { act, doing, follow } from "./quarantine_act.js";
import { regionOf, senderOf } from "./quarantine_data.js";

/** @typedef {import("./quarantine_data.js").Group} Group */

/** @param {Group} group @param {string | null} guess  kind that its payload looks like @param {() => void} changed */
export function register(group, guess, changed) {
  const id = senderOf(group),
    region = regionOf(group);
  const kind = h(
    "select.field",
    { required: true },
    !guess && h("option", { value: "" }, t("choose")),
    [...state.kinds.keys()].map((name) => h("option", { value: name, selected: name === guess }, kindName(name))),
  );
  const name = h("input", { type: "text", maxlength: 200 });
  const district = h(
    "select.field",
    {},
    h("option", { value: "" }, "–"),
    [...state.districts]
      .filter(([code]) => code.startsWith(region))
      .sort((a, b) => a[1].localeCompare(b[1]))
      .map(([code, words]) => h("option", { value: code }, words)),
  );
  const lat = h("input", { type: "text", inputmode: "decimal", placeholder: "2,9845" }),
    lon = h("input", { type: "text", inputmode: "decimal", placeholder: "99,6308" });
  const also = h("input", { type: "checkbox", checked: true });
  const field = (/** @type {string} */ word, /** @type {Node} */ control) =>
    h("label", {}, h("span.t3", {}, t(word)), control);
  const boxed = (/** @type {Node} */ input) => h("span.field", {}, input);
  doing({
    title: t("register_title", { id }),
    fields: [
      h("p.t3", {}, t("register_text", { region })),
      h("div.pair", {}, field("kind", kind), field("name", boxed(name))),
      field("district", district),
      h("div.pair", {}, field("lat", boxed(lat)), field("lon", boxed(lon))),
      h("label.row", {}, also, t("register_replay", { n: number(group.entries) })),
    ],
    button: t("register"),
    async go() {
      const row = [id, kind.value, name.value.trim(), region, district.value, plain(lat.value), plain(lon.value)];
      const file = `id,kind,name,region,district,lat,lon\n${row.map(quoted).join(",")}\n`;
      await call("devices/import", { body: new Blob([file], { type: "text/csv" }) });
      toast(t("registered", { id }));
      await load(["devices"]);
      if (also.checked) follow(await act("replay", [group], { note: t("note_registered") }), changed);
      changed();
      return true;
    },
  });
}

/** A number as the file wants it: 2,98 becomes 2.98. @param {string} value */
const plain = (value) => value.trim().replace(",", ".");

/** @param {string} value */
const quoted = (value) => `"${value.replaceAll('"', '""')}"`;

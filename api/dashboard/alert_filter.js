/** The filters over the alert list: words, kind, least severity. Kept in the address. */

import { h } from "./dom.js";
import { said } from "./format.js";
import { icon } from "./marks.js";
import { kindName } from "./parts.js";
import { asked, remember } from "./router.js";
import { districtName, state } from "./store.js";
import { t } from "./words/alerts.js";

/** @param {() => void} changed */
export function alertFilter(changed) {
  const search = h("input", {
    type: "search",
    placeholder: t("search_alerts"),
    "aria-label": t("search_alerts"),
    value: asked("cari"),
    oninput: keep,
  });
  const kind = h("select.field", { "aria-label": t("kind"), onchange: keep });
  const least = h(
    "select.field",
    { "aria-label": t("severity"), onchange: keep },
    [0, 1, 2, 3].map((severity) =>
      h("option", { value: severity, selected: String(severity) === asked("keparahan") }, leastName(severity)),
    ),
  );

  function keep() {
    remember({
      cari: search.value.trim() || null,
      jenis: kind.value || null,
      keparahan: Number(least.value) ? least.value : null,
    });
    changed();
  }

  return {
    elements: [
      h("label.field.search", {}, icon("search"), search, h("kbd", { "aria-hidden": "true" }, "/")),
      kind,
      least,
    ],
    /** @param {import("./store.js").Alert} alert */
    passes(alert) {
      const words = search.value.trim().toLowerCase();
      const where = [said(alert.title), alert.device_id, districtName(alert.district), kindName(alert.kind)]
        .join(" ")
        .replaceAll("\u00a0", " ")
        .toLowerCase();
      return (
        (!kind.value || alert.kind === kind.value) &&
        alert.severity >= Number(least.value) &&
        (!words || where.includes(words))
      );
    },
    /** The kinds as they are known now; what was chosen stays chosen. */
    fill() {
      const chosen = kind.value || asked("jenis");
      kind.replaceChildren(h("option", { value: "", selected: !chosen }, t("kind_all")));
      for (const name of state.kinds.keys())
        kind.append(h("option", { value: name, selected: name === chosen }, kindName(name)));
    },
    clear() {
      search.value = "";
      kind.value = "";
      least.value = "0";
      keep();
    },
  };
}

/** @param {number} severity */
function leastName(severity) {
  if (severity === 0) return t("severity_all");
  return severity === 3 ? t("sev3") : t("severity_least", { name: t(`sev${severity}`) });
}

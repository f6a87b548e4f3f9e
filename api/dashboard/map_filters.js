/** What the map shows: kind, district, only problems. Kept in the address, and a filter that hides says how much. */

import { attribute, h, redraw, text } from "./dom.js";
import { number } from "./format.js";
import { asked, remember } from "./router.js";
import { kindName } from "./parts.js";
import { state } from "./store.js";
import { t } from "./words/map.js";

/**
 * @param {(district?: boolean) => void} changed
 * @param {() => void} toggleList
 */
export function mapFilters(changed, toggleList) {
  /** @type {import("./map_points.js").Filter} */
  const value = { kind: asked("jenis"), district: asked("kecamatan"), problems: asked("masalah") === "1" };
  const kinds = h("div.segments", { role: "group", "aria-label": t("kind") });
  const district = h("select.field", {
    "aria-label": t("district"),
    onchange: () => set({ district: district.value }, true),
  });
  const only = h("input", {
    type: "checkbox",
    checked: value.problems,
    onchange: () => set({ problems: only.checked }),
  });
  const count = h("span");
  const list = h("button.field.twin", { type: "button", "aria-expanded": "false", onclick: toggleList }, count);
  const hidden = h("span.hidden-count", { role: "status" });
  const element = h("div.filters", {}, kinds, district, h("label.field", {}, only, t("only_problems")), list, hidden);

  /** @param {Partial<typeof value>} change @param {boolean} [moves] */
  function set(change, moves = false) {
    Object.assign(value, change);
    remember({ jenis: value.kind, kecamatan: value.district, masalah: value.problems ? "1" : null });
    changed(moves);
  }

  return {
    element,
    value,
    list,
    /** @param {import("./map_points.js").Points} points */
    update(points) {
      /** @type {Map<string, number>} */
      const counts = new Map();
      for (const { kind } of points.devices) counts.set(kind, (counts.get(kind) ?? 0) + 1);
      redraw(kinds, `${[...counts]} ${value.kind} ${document.documentElement.lang} ${state.kinds.size}`, () =>
        [["", null], ...counts].map(([kind, n]) =>
          h(
            "button",
            { type: "button", "aria-pressed": String(kind === value.kind), onclick: () => set({ kind: String(kind) }) },
            kind ? [kindName(String(kind)), " ", number(Number(n))] : t("all"),
          ),
        ),
      );
      redraw(district, `${state.districts.size} ${value.district} ${document.documentElement.lang}`, () =>
        [["", t("district_all")], ...[...state.districts].sort((a, b) => a[1].localeCompare(b[1]))].map(
          ([code, name]) => h("option", { value: code, selected: code === value.district }, name),
        ),
      );
      const problems = points.marks.filter((mark) => mark.severity !== null).length;
      text(
        count,
        t("n_problems", { n: state.loaded.has("alerts") && state.loaded.has("devices") ? number(problems) : "–" }),
      );
      const shown = points.shown.reduce((sum, each) => sum + each, 0);
      text(
        hidden,
        [
          shown < points.devices.length && t("map_filtered", { n: number(shown), all: number(points.devices.length) }),
          points.unplaced > 0 && t("no_place", { n: number(points.unplaced) }),
        ]
          .filter(Boolean)
          .join(" · "),
      );
      attribute(hidden, "hidden", !hidden.textContent);
    },
  };
}

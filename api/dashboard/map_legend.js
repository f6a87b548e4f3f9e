/** The map's legend: words for what is on it now, and nothing else. */

import { h, redraw, s } from "./dom.js";
import { SHAPES, levelMark, severityMark } from "./marks.js";
import { OLD, ON, RARE, RARE_OLD } from "./map_points.js";
import { t } from "./words/map.js";

/** @param {() => import("./map_points.js").Points} points */
export function mapLegend(points) {
  const element = h("ul.legend");
  return {
    element,
    update() {
      const { marks, dot, shown } = points();
      const digits = [...new Set(marks.map((mark) => mark.digit).filter((digit) => digit !== null))].sort().reverse();
      const severities = [
        ...new Set(marks.filter((mark) => mark.digit === null && mark.severity !== null).map((mark) => mark.severity)),
      ]
        .sort()
        .reverse();
      const seen = new Set(dot.filter((_, i) => shown[i]));
      const gauge = marks.some((mark) => mark.severity === null && !mark.dashed);
      const acked = marks.some((mark) => mark.severity !== null && mark.acked);
      const old = seen.has(OLD) || seen.has(RARE_OLD);
      redraw(
        element,
        `${digits} ${severities} ${[...seen].sort()} ${gauge} ${acked} ${document.documentElement.lang}`,
        () => [
          digits.length > 0 &&
            h(
              "li",
              {},
              digits.map((digit) => levelMark(Number(digit), { size: 13 })),
              t("legend_level"),
            ),
          severities.length > 0 &&
            h(
              "li",
              {},
              severities.map((severity) => severityMark(Number(severity), { size: 13 })),
              t("legend_alert"),
            ),
          acked && h("li", {}, severityMark(1, { fill: "outlined", size: 13 }), t("legend_acked")),
          gauge &&
            h(
              "li",
              {},
              s(
                "svg.mark",
                { width: 11, height: 11, viewBox: "0 0 16 16", "aria-hidden": "true" },
                s("path.shape", { d: SHAPES.normal }),
              ),
              t("legend_gauge"),
            ),
          (seen.has(ON) || seen.has(RARE)) && h("li", {}, sample(seen.has(ON) ? "on" : "ring"), t("legend_ok")),
          old && h("li", {}, sample("old"), t("legend_stale")),
        ],
      );
    },
  };
}

/** @param {"on" | "ring" | "old"} name */
const sample = (name) =>
  h(`span.sample.${name}`, { "aria-hidden": "true" }, h("i"), name === "ring" ? null : [h("i"), h("i"), h("i")]);

/** What is expected of a gauge, beside its chart and on it. */

import { h } from "./dom.js";
import { said, time } from "./format.js";
import { wayOf } from "./forecast_way.js";
import { levelMark } from "./marks.js";
import { message, panel } from "./parts.js";
import { drawResource, resource } from "./resource.js";
import { state } from "./store.js";
import { t } from "./words/device.js";

/** @typedef {import("./forecast_way.js").Forecast} Forecast */

const RENEW_MS = 60_000;

/** @param {string} id @param {() => void} changed */
export function forecastPanel(id, changed) {
  const made = panel("forecast", t("forecast"));
  const found = resource(`forecasts?device=${encodeURIComponent(id)}&refused=true`, news, { every_ms: RENEW_MS, shape: ({ items }) => /** @type {Forecast[]} */ (items) });

  function news() {
    update();
    changed();
  }

  function update() {
    const made_at = found.value?.[0]?.made_at;
    made.meta.textContent = made_at ? t("made_at", { time: time(made_at) }) : "";
    drawResource(made.body, found, {
      what: t("forecast"),
      lines: 2,
      key: (items) => `${JSON.stringify(items)} ${state.stream === "lost"}`,
      empty: ([item]) => (state.stream === "lost" ? message(t("not_computed")) : item?.levels.length ? null : message(item?.refused ? said(item.refused.text) : t("none_expected"))),
      content: ([item]) => table(item),
    });
  }

  return {
    element: made.element,
    update,
    /** Nothing is expected on a screen that has stopped. */
    way: () => (found.value?.[0] && state.stream !== "lost" ? wayOf(found.value[0]) : null),
    close: found.close,
  };
}

/** @param {Forecast} forecast */
function table({ levels }) {
  const rows = levels.map((level) =>
    h(
      "tr",
      {},
      h("td", {}, h("span.row", {}, levelMark(level.siaga, { fill: false, size: 14 }), t("siaga", { n: level.siaga }))),
      h("td.r.num.b", {}, time(level.at)),
      h("td.r.num.t2", {}, `${time(level.earliest)}–${time(level.latest)}`),
    ),
  );
  const heads = ["level", "about_time", "interval80"].map((word, i) => h(i ? "th.r" : "th", { scope: "col" }, t(word)));
  return [h("table.compact", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)), h("p.paper", {}, said(levels[0].text), ".")];
}

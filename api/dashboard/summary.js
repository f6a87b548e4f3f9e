/** A chart in one sentence, for those who do not see it. */

import { number, said } from "./format.js";
import { quantityText } from "./parts.js";
import { t } from "./words/chart.js";

/**
 * @param {import("./series.js").Series} series
 * @param {import("./store.js").Metric} metric
 * @param {string} range
 */
export function summaryOf(series, metric, range) {
  const values = [...series.values, ...series.low, ...series.high].filter((value) => value !== null).map(Number);
  if (!values.length) return `${said(metric.label)}, ${range}: ${t("no_points")}`;
  const low = values.reduce((a, b) => Math.min(a, b)),
    high = values.reduce((a, b) => Math.max(a, b));
  const last = series.values.findLast((value) => value !== null);
  return t("chart_says", {
    metric: said(metric.label),
    range,
    low: quantityText(low, metric),
    high: quantityText(high, metric),
    last: quantityText(last, metric),
    gaps: number(series.gaps.length),
  });
}

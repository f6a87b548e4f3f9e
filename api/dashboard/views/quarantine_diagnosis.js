/** What is wrong with the packets of a group, in one sentence. */

import { age, number, said, zoneName } from "../format.js";
import { kindName, metricOf, quantityText } from "../parts.js";
import { state } from "../store.js";
import { t } from "../words/quarantine.js";
import { kindOf, readingsOf, regionOf, senderOf } from "./quarantine_data.js";
import { skewOf, wrongField } from "./quarantine_why.js";

/** @typedef {import("./quarantine_data.js").Group} Group */
/** @typedef {import("./quarantine_sections.js").Found} Found */

/**
 * @param {Group} of
 * @param {Found | null} found
 * @param {Map<number, any> | undefined} stored  readings of the device at these times
 * @returns {any}
 */
export function diagnosis(of, found, stored) {
  const n = number(of.count),
    id = senderOf(of),
    first = found?.whole[0];
  if (of.reason === "unknown_device") {
    if (state.devices.has(id)) return t("why_now_known", { id });
    const kind = first && kindOf(readingsOf(first.payload_text));
    return [
      t("why_unknown", { n, id, region: regionOf(of) }),
      " ",
      kind && t("why_reads_as", { kind: kindName(kind) }),
    ];
  }
  if (of.reason === "identity_mismatch")
    return t("why_identity", { n, id, there: regionOf(of), here: state.devices.get(id)?.region ?? t("unknown") });
  const skew = found && skewOf(found.entries);
  if (skew && (of.reason === "future_timestamp" || of.reason === "too_old")) {
    const far = age(Math.abs(Math.round(skew.middle / 60_000) * 60_000));
    const how = skew.middle > 0 ? "why_ahead" : "why_behind";
    return [
      t(how, { n, far }),
      " ",
      t(skew.isZone ? "why_zone" : skew.alike ? "why_clock" : "why_clock_differs", { zone: zoneName() }),
    ];
  }
  if (of.reason === "malformed") {
    const wrong = first && wrongField(first);
    if (wrong) {
      const metric = metricOf(state.devices.get(id)?.kind ?? "", wrong.field);
      const words = { n, field: metric ? said(metric.label) : wrong.field, value: String(wrong.value) };
      return [t("why_field", words), " ", /^-?\d+,\d+$/.test(words.value) && t("why_comma")];
    }
    if (/JSON/.test(of.detail)) return t("why_json", { n, detail: of.detail });
    return t("why_malformed", { n, detail: of.detail });
  }
  if (of.reason === "conflict") return [t("why_conflict", { n }), " ", difference(of, found, stored)];
  return t("why_other", { n, detail: of.detail });
}

/** How the second reading differs from the one that is stored. @param {Group} of @param {Found | null} found @param {Map<number, any>} [stored] */
function difference(of, found, stored) {
  const [reading] = readingsOf(found?.whole[0]?.payload_text ?? null);
  const there = reading && stored?.get(Date.parse(reading.ts));
  const kind = state.devices.get(senderOf(of))?.kind;
  if (!there || !kind) return null;
  const parts = Object.entries(reading).flatMap(([name, value]) => {
    const metric = metricOf(kind, name);
    return metric && there[name] !== undefined && there[name] !== value
      ? [
          t("differs", {
            what: said(metric.label),
            second: quantityText(value, metric),
            first: quantityText(there[name], metric),
          }),
        ]
      : [];
  });
  return parts.join(" ");
}

/** Words of the siaga ladder. */

import { COMMON } from "./common.js";
import { speak } from "./speak.js";

/** @type {import("./speak.js").Words} */
const WORDS = {
  water_level: ["Muka air", "Water level"],
  rate_head: ["Laju m/jam", "Rate m/h"],
  next_level: ["Perkiraan tingkat berikut", "Next level, forecast"],
  to_go: ["{m} lagi", "{m} to go"],
  above_top: ["{m} di atas", "{m} above"],
  not_computed: ["tidak dihitung", "not computed"],
  no_bounds: ["ambang belum diisi", "no thresholds set"],
  gauge_says: ["{level}, {siaga}{trend}{next}", "{level}, {siaga}{trend}{next}"],
  gauge_stale: ["nilai terakhir {level}, basi, tidak dihitung", "last value {level}, stale, not computed"],
  rising: [", naik {rate} per jam", ", rising {rate} an hour"],
  falling: [", turun {rate} per jam", ", falling {rate} an hour"],
  steady: [", tetap", ", steady"],
  next_says: [", {siaga} {m} lagi", ", {siaga} {m} to go"],
  metre: ["{n} meter", "{n} metres"],
};

export const t = speak({ ...COMMON, ...WORDS });

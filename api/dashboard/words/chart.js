/** Words of every chart. */

import { COMMON } from "./common.js";
import { speak } from "./speak.js";

/** @type {import("./speak.js").Words} */
const WORDS = {
  gap_for: ["tanpa data {age}", "no data {age}"],
  none_before: ["tanpa bacaan sebelum {time}", "no readings before {time}"],
  chart_says: [
    "{metric}, {range}: terendah {low}, tertinggi {high}, terakhir {last}; {gaps} celah.",
    "{metric}, {range}: lowest {low}, highest {high}, latest {last}; {gaps} gaps.",
  ],
};

export const t = speak({ ...COMMON, ...WORDS });

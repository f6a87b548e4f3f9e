/** Words of the map. */

import { COMMON } from "./common.js";
import { speak } from "./speak.js";

/** @type {import("./speak.js").Words} */
const WORDS = {
  map: ["Peta", "Map"],
  all: ["Semua", "All"],
  only_problems: ["Hanya yang bermasalah", "Only problems"],
  zoom_in: ["Perbesar", "Zoom in"],
  zoom_out: ["Perkecil", "Zoom out"],
  n_problems: ["{n} yang bermasalah", "{n} with problems"],
  problems_title: ["Alat yang bermasalah", "Devices with problems"],
  no_problems: ["Tidak ada yang bermasalah pada saringan ini.", "No problems under this filter."],
  map_filtered: ["{n} dari {all} alat tampil", "{n} of {all} devices shown"],
  no_place: ["{n} alat tanpa koordinat", "{n} devices without coordinates"],
  boundaries_by: ["batas kecamatan: Kemendagri 2025", "district boundaries: Kemendagri 2025"],
  legend_level: ["pos siaga", "gauge at a level"],
  legend_alert: ["peringatan", "alert"],
  legend_acked: ["sudah diakui", "acknowledged"],
  legend_gauge: ["pos normal", "gauge, normal"],
  legend_ok: ["alat normal", "device, normal"],
  legend_stale: ["data basi", "stale data"],
  stale_for: ["data basi {age}", "stale for {age}"],
  first_n: ["{n} pertama; sempitkan saringan untuk sisanya", "first {n}; narrow the filter for the rest"],
};

export const t = speak({ ...COMMON, ...WORDS });

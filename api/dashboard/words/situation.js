/** Words of the situation: what needs action, the panels beside the map, recent events. */

import { COMMON } from "./common.js";
import { speak } from "./speak.js";

/** @type {import("./speak.js").Words} */
const WORDS = {
  no_gauges: ["Belum ada pos sungai.", "No gauge stations yet."],
  needs_action: ["Perlu tindakan", "Needs action"],
  n_unacked: ["{n} belum diakui", "{n} unacknowledged"],
  n_open: ["{n} terbuka", "{n} open"],
  nothing_to_ack: ["Tidak ada yang perlu diakui.", "Nothing to acknowledge."],
  last_event: ["Terakhir: {what}.", "Latest: {what}."],
  checks_run: [
    "Pemeriksaan berjalan: {n} alat, bacaan terbaru {ago}.",
    "Checks are running: {n} devices, newest reading {ago}.",
  ],
  n_more: ["{n} lagi di Peringatan", "{n} more in Alerts"],
  lamps: ["Lampu jalan", "Streetlights"],
  of_n: ["dari {n}", "of {n}"],
  lit: ["menyala", "lit"],
  panel_dark: ["Padam sepanel", "Whole panel dark"],
  panel_named: ["{panel} {place}, sejak {time}", "{panel} {place}, since {time}"],
  dark_alone: ["Padam sendiri-sendiri", "Dark on their own"],
  lamp_other: ["Peringatan lain", "Other alerts"],
  not_reporting: ["Tidak melapor", "Not reporting"],
  details: ["Rincian", "Details"],
  traffic: ["Lalu lintas", "Traffic"],
  n_sites: ["{n} detektor", "{n} {n|detector|detectors}"],
  flowing: ["Semua lancar", "All flowing"],
  congested: ["Macet", "Congested"],
  n_places: ["{n} tempat", "{n} {n|place|places}"],
  slowest: ["Kecepatan terendah: {name}", "Lowest speed: {name}"],
  mean_flow: ["Arus rata-rata", "Mean flow"],
  reporting: ["Melapor", "Reporting"],
  highest: ["Tertinggi: {name}", "Highest: {name}"],
  with_alerts: ["Dengan peringatan", "With alerts"],
  none_lit_known: ["Belum ada lampu yang melapor.", "No lamp has reported yet."],
  health: ["Kesehatan data", "Data health"],
  never_reported: ["Belum pernah melapor", "Never reported"],
  doubtful: ["Nilai meragukan", "Suspect values"],
  late_arrivals: ["Datang terlambat", "Arrived late"],
  incoming: ["Masuk", "Incoming"],
  readings_per_s: ["bacaan/dtk", "readings/s"],
  recent: ["Kejadian terakhir", "Recent events"],
  ev_raised: ["{title}", "{title}"],
  ev_acked: ["{who} mengakui: {title}", "{who} acknowledged: {title}"],
  ev_cleared: ["pulih: {title}", "cleared: {title}"],
  no_events: ["Belum ada kejadian.", "No events yet."],
  tab_ladder: ["Tangga", "Ladder"],
  tab_map: ["Peta", "Map"],
  tab_summary: ["Ringkasan", "Summary"],
};

export const t = speak({ ...COMMON, ...WORDS });

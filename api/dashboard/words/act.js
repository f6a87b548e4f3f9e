/** Words of acting on alerts: what was done, what was refused, the dialogs. */

import { COMMON } from "./common.js";
import { speak } from "./speak.js";

/** @type {import("./speak.js").Words} */
const WORDS = {
  done_ack: ["Diakui {time} oleh {who}", "Acknowledged {time} by {who}"],
  done_unack: ["Pengakuan ditarik", "Acknowledgement taken back"],
  done_shelve: ["Ditunda sampai {until}", "Shelved until {until}"],
  done_unshelve: ["Penundaan diakhiri", "No longer shelved"],
  done_comment: ["Catatan tersimpan", "Comment saved"],
  done_assign: ["Ditugaskan ke {assignee}", "Assigned to {assignee}"],
  done_unassign: ["Penugasan dilepas", "Assignment taken back"],
  done_n_ack: ["{n} peringatan diakui", "{n} alerts acknowledged"],
  done_n_unack: ["Pengakuan {n} peringatan ditarik", "{n} acknowledgements taken back"],
  done_n_shelve: ["{n} peringatan ditunda sampai {until}", "{n} alerts shelved until {until}"],
  done_n_unshelve: ["Penundaan {n} peringatan diakhiri", "{n} alerts no longer shelved"],
  done_n_comment: ["Catatan tersimpan pada {n} peringatan", "Comment saved on {n} alerts"],
  done_n_assign: ["{n} peringatan ditugaskan ke {assignee}", "{n} alerts assigned to {assignee}"],
  done_n_unassign: ["Penugasan {n} peringatan dilepas", "{n} assignments taken back"],
  undo_why: ["Dibatalkan", "Undone"],
  already_acked: ["Sudah diakui {who} {ago}.", "Already acknowledged by {who} {ago}."],
  alert_changed: [
    "Peringatan ini berubah sebelum tindakan Anda: {title}. Periksa lalu ulangi.",
    "This alert changed before you acted: {title}. Look, then act again.",
  ],
  alert_gone: ["Peringatan ini tidak ada lagi.", "This alert is no longer there."],
  act_refused: ["Tidak dilakukan: {role} hanya melihat.", "Not done: a {role} may only look."],
  not_sent: [
    "Belum terkirim: server tidak menjawab ({status}). Coba lagi.",
    "Not sent: the server does not answer ({status}). Try again.",
  ],
  n_refused: ["{n} peringatan ditolak.", "{n} {n|alert was|alerts were} refused."],
  shelve_title: ["Tunda: {what}", "Shelve: {what}"],
  assign_title: ["Tugaskan: {what}", "Assign: {what}"],
  comment_title: ["Catat: {what}", "Comment: {what}"],
  unack_title: ["Batalkan pengakuan: {what}", "Take acknowledgement back: {what}"],
  n_alerts: ["{n} peringatan", "{n} {n|alert|alerts}"],
  how_long: ["Berapa lama", "How long"],
  for_hours: ["{n} jam", "{n} {n|hour|hours}"],
  until_handover: ["Sampai serah terima", "Until the handover"],
  other_time: ["Waktu lain", "Another time"],
  until_time: ["sampai {time}", "until {time}"],
  shelve_most: ["Paling lama {n} jam untuk {role}.", "At most {n} hours for {role}."],
  scope_rule: ["Juga yang berikutnya dari aturan dan alat ini", "Also the next ones of this rule and device"],
  reason: ["Alasan", "Reason"],
  reason_repair: ["Sedang diperbaiki", "Under repair"],
  reason_parts: ["Menunggu suku cadang", "Waiting for parts"],
  reason_power: ["Gangguan PLN", "Power company outage"],
  reason_known: ["Sudah diketahui", "Known"],
  comes_back: [
    "Kembali berbunyi pukul {time}, atau segera bila keparahannya naik. Tercatat atas nama {who}.",
    "Comes back at {time}, or at once when it becomes worse. Recorded in the name of {who}.",
  ],
  shelve_until: ["Tunda sampai {time}", "Shelve until {time}"],
  shelve_critical: [
    "Peringatan kritis: tunda hanya bila sudah ada yang menangani di tempat.",
    "A critical alert: shelve it only when somebody is on the spot.",
  ],
  to_whom: ["Kepada", "To"],
  assign: ["Tugaskan", "Assign"],
  assign_nobody: ["Lepas penugasan", "Take the assignment back"],
  myself: ["Saya ({who})", "Me ({who})"],
  on_duty: ["piket {team}", "on duty, {team}"],
  comment: ["Catatan", "Comment"],
  save: ["Simpan", "Save"],
  unack: ["Batalkan pengakuan", "Take it back"],
};

export const t = speak({ ...COMMON, ...WORDS });

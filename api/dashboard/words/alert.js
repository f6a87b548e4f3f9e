/** Words of one alert, as every screen says them: its state, what holds it back, what it stands for. */

import { COMMON } from "./common.js";
import { speak } from "./speak.js";

/** @type {import("./speak.js").Words} */
const WORDS = {
  installation: ["Sistem Siaga", "Siaga itself"],
  devices_unit: ["alat", "devices"],
  shelved_until: ["Ditunda sampai {time}", "Shelved until {time}"],
  suppressed: ["Ditekan", "Suppressed"],
  by_parent: ["oleh {what}", "by {what}"],
  by_maintenance: ["Perawatan", "Maintenance"],
  by_out_of_service: ["Di luar layanan", "Out of service"],
  historical: ["Bersejarah", "Historical"],
  superseded: ["Diganti oleh data terlambat", "Superseded by late data"],
  never_paged: ["dari data terlambat, tidak dikirim", "from late data, sent to nobody"],
  not_acked: ["belum diakui", "not acknowledged"],
  scope_panel: ["Panel", "Panel"],
  scope_feeder: ["Penyulang", "Feeder"],
  scope_river: ["Sungai", "River"],
  scope_site: ["Ruas", "Site"],
  scope_gateway: ["Gateway", "Gateway"],
};

export const t = speak({ ...COMMON, ...WORDS });

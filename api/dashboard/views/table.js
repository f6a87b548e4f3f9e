/**
 * Every view: its page in the rail, its address, its key after G, its icon, its name, its script, its style sheets.
 * A line here is all that the rail, the keys, the address and the tests of all views need. Scripts export `view`, and
 * are fetched when their address is first opened. Order: that of attention; `rule` draws a line before it.
 */

/**
 * @typedef {object} Entry
 * @property {string} page  of the rail, which is lit while the view is open
 * @property {string} path  its address; what follows a last /: is handed to the view
 * @property {() => Promise<{ view: (rest: string) => import("../router.js").View }>} load
 * @property {readonly string[]} styles  of css/, fetched with the script
 * @property {[string, string]} [name]  in the rail: Indonesian, English; without it the view is reached from another
 * @property {string} [key]  after G
 * @property {import("../marks.js").IconName} [icon]
 * @property {boolean} [rule]
 * @property {boolean} [bare]  without rail and top bar: it is alone on its screen
 */

/* prettier-ignore */
/** @type {readonly Entry[]} */
export const VIEWS = [
  { page: "situation", path: "/", key: "s", icon: "situation", name: ["Situasi", "Situation"], load: () => import("./situation.js"), styles: ["ladder", "map", "situation"] },
  { page: "alerts", path: "/peringatan", key: "p", icon: "alerts", name: ["Peringatan", "Alerts"], load: () => import("./alerts.js"), styles: ["chart", "alerts"] },
  { page: "rivers", path: "/sungai", key: "u", icon: "rivers", name: ["Sungai", "Rivers"], load: () => import("./rivers.js"), styles: ["chart", "rivers"] },
  { page: "lamps", path: "/lampu", key: "l", icon: "lamps", name: ["Lampu jalan", "Streetlights"], load: () => import("./lamps.js"), styles: ["lamps"] },
  { page: "traffic", path: "/lalu-lintas", key: "t", icon: "traffic", name: ["Lalu lintas", "Traffic"], load: () => import("./traffic.js"), styles: ["chart", "traffic"] },
  { page: "devices", path: "/perangkat", key: "d", icon: "devices", name: ["Perangkat", "Devices"], load: () => import("./devices.js"), styles: ["devices"] },
  { page: "devices", path: "/perangkat/:id", load: () => import("./device.js"), styles: ["chart", "device"] },
  { page: "handover", path: "/serah-terima", key: "h", icon: "handover", rule: true, name: ["Serah terima", "Handover"], load: () => import("./handover.js"), styles: ["handover"] },
  { page: "quarantine", path: "/karantina", key: "k", icon: "quarantine", name: ["Karantina", "Quarantine"], load: () => import("./quarantine.js"), styles: ["quarantine"] },
  { page: "rules", path: "/aturan", key: "r", icon: "rules", name: ["Aturan", "Rules"], load: () => import("./rules.js"), styles: ["rules"] },
  { page: "rules", path: "/aturan/:id", load: () => import("./rules.js"), styles: ["rules"] },
  { page: "admin", path: "/admin", key: "a", icon: "person", name: ["Admin", "Admin"], load: () => import("./admin.js"), styles: ["admin"] },
  { page: "wall", path: "/dinding", bare: true, load: () => import("./wall.js"), styles: ["ladder", "map", "wall"] },
];

/** The pages of the rail. */
export const PAGES = VIEWS.filter((entry) => entry.name);

/**
 * The view of an address, and what follows its path.
 * @param {string} pathname
 * @returns {{ entry: Entry, rest: string } | null}
 */
export function viewAt(pathname) {
  const parts = pathname.split("/").filter(Boolean);
  for (const entry of VIEWS) {
    const wanted = entry.path.split("/").filter(Boolean);
    if (wanted.length !== parts.length) continue;
    if (!wanted.every((part, i) => part.startsWith(":") || part === parts[i])) continue;
    const rest = wanted.at(-1)?.startsWith(":") ? /** @type {string} */ (parts.at(-1)) : "";
    return { entry, rest: decoded(rest) };
  }
  return null;
}

/** An address somebody has typed may end in half a character. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

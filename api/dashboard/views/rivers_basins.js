/** Gauges that lie on one water: linked by who is upstream of whom, the highest first. Pure. */

/** @typedef {import("../store.js").Device} Device */
/** place: of the gauge on its water; null where it stands alone.
 *  @typedef {{ device: Device, place: "upper" | "middle" | "lower" | null }} Gauge */
/** @typedef {{ name: string, gauges: Gauge[] }} Basin */

/** @param {readonly Device[]} devices @returns {Basin[]} */
export function basinsOf(devices) {
  const known = new Map(devices.map((device) => [device.id, device]));
  const above = (/** @type {Device} */ device) => known.get(device.attributes.upstream);
  const root = (/** @type {Device} */ device) => {
    const seen = new Set([device.id]);
    for (let up = above(device); up && !seen.has(up.id); up = above(up)) {
      seen.add(up.id);
      device = up;
    }
    // Whoever stands in a ring is not upstream of anything: the ring is one water, named by its least id.
    return above(device) ? ([...seen].sort()[0] ?? device.id) : device.id;
  };
  /** Waters that meet further down are one. @type {Map<string, Device[]>} */
  const waters = new Map();
  for (const device of devices) waters.set(root(device), [...(waters.get(root(device)) ?? []), device]);
  return [...waters.values()].map((all) => basin(all)).sort((a, b) => a.name.localeCompare(b.name));
}

/** @param {Device[]} devices @returns {Basin} */
function basin(devices) {
  const ids = new Set(devices.map((device) => device.id));
  const depth = (/** @type {Device} */ device) => {
    let deep = 0;
    const by_id = new Map(devices.map((each) => [each.id, each]));
    for (let up = by_id.get(device.attributes.upstream); up && deep <= devices.length; deep++)
      up = by_id.get(up.attributes.upstream);
    return deep;
  };
  const sorted = devices
    .map((device) => ({ device, deep: depth(device) }))
    .sort((a, b) => a.deep - b.deep || a.device.id.localeCompare(b.device.id));
  const fed = new Set(devices.map((device) => device.attributes.upstream).filter((id) => ids.has(id)));
  const place = (/** @type {Device} */ device) => {
    const has_above = ids.has(device.attributes.upstream),
      has_below = fed.has(device.id);
    if (!has_above && !has_below) return null;
    return has_above ? (has_below ? "middle" : "lower") : "upper";
  };
  const rivers = [...new Set(sorted.map(({ device }) => String(device.attributes.river ?? device.name ?? device.id)))];
  return { name: rivers.join(", "), gauges: sorted.map(({ device }) => ({ device, place: place(device) })) };
}

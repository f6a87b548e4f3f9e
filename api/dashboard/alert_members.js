/** Who stands under incidents that are unfolded: asked for once somebody wants to see it, and again when it grows. */

import { call } from "./load.js";

/** @typedef {import("./store.js").Alert} Alert */

/** @param {number} most  of each @param {() => void} changed */
export function alertMembers(most, changed) {
  /** @type {Map<number, { as: string, items: Alert[] | null }>} */
  const known = new Map();
  const asOf = (/** @type {Alert} */ { version, members }) => `${version} ${members}`;

  /** @param {Alert} incident */
  async function ask(incident) {
    known.set(incident.id, { as: asOf(incident), items: known.get(incident.id)?.items ?? null });
    try {
      const { items } = await call(`alerts?state=suppressed&parent=${incident.id}&limit=${most}`);
      known.set(incident.id, { as: asOf(incident), items });
      changed();
    } catch {
      known.delete(incident.id); // asked again with the next change of the list
    }
  }

  return {
    /** @param {Alert} incident @returns {Alert[] | null}  null: not known yet */
    of(incident) {
      const has = known.get(incident.id);
      if (has?.as !== asOf(incident)) ask(incident);
      return has?.items ?? null;
    },
  };
}

/** The last six hours of the values in the list, a line of a few points each: asked for together, metric by metric. */

import { now } from "./clock.js";
import { call } from "./load.js";

const HOURS = 6;
const POINTS = 24;
const AGAIN_MS = 300_000;
const AT_ONCE = 40;

/** @typedef {{ device: string, metric: string }} Wanted */

/** @param {() => void} changed */
export function alertSparks(changed) {
  /** Values by device and metric, and when they came. @type {Map<string, { values: (number | null)[], at: number }>} */
  const known = new Map();
  let asking = false,
    failedAt = -AGAIN_MS;

  /** @param {Wanted[]} wanted */
  async function ask(wanted) {
    asking = true;
    const from = encodeURIComponent(new Date(now() - HOURS * 3_600_000).toISOString());
    try {
      for (const name of new Set(wanted.map(({ metric }) => metric))) {
        const ids = [...new Set(wanted.flatMap(({ device, metric }) => (metric === name ? [device] : [])))].slice(
          0,
          AT_ONCE,
        );
        const { items } = await call(
          `series?device=${ids.join(",")}&metric=${name}&from=${from}&points=${POINTS}&good=true`,
        );
        for (const id of ids) known.set(`${id} ${name}`, { values: [], at: performance.now() });
        for (const { device_id, metric, v } of items)
          known.set(`${device_id} ${metric}`, { values: v, at: performance.now() });
      }
    } catch {
      failedAt = performance.now(); // a list without its lines is a list all the same
    }
    asking = false;
    changed();
  }

  return {
    /** @param {Wanted} each @returns {(number | null)[] | null}  null: not known yet */
    of: ({ device, metric }) => known.get(`${device} ${metric}`)?.values ?? null,
    /** These are on the screen. @param {Wanted[]} shown */
    want(shown) {
      if (asking || performance.now() - failedAt < AGAIN_MS / 10) return;
      const old = shown.filter(({ device, metric }) => {
        const has = known.get(`${device} ${metric}`);
        return !has || performance.now() - has.at > AGAIN_MS;
      });
      if (old.length) ask(old);
    },
  };
}

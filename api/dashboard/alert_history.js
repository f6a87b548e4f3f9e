/** Alerts that are over, newest first, a page at a time. */

import { ApiError, call } from "./load.js";

/** @typedef {import("./store.js").Alert} Alert */

const PAGE = 100;

/** @param {() => void} changed */
export function alertHistory(changed) {
  /** @type {string | null} */
  let cursor = null;
  /** @type {{ status: number } | null} */
  let failed = null;
  let asking = false;
  let loaded = false;

  const history = {
    /** @type {Alert[]} */
    alerts: [],
    hasMore: () => cursor !== null && history.alerts.length > 0,
    /** What to show in its place, while there is nothing yet. */
    instead() {
      if (history.alerts.length) return null;
      return failed ? { failed } : loaded ? null : { loading: true };
    },
    restart() {
      history.alerts = [];
      cursor = null;
      loaded = false;
      history.more();
    },
    async more() {
      if (asking) return;
      asking = true;
      try {
        const older = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
        const page = await call(`alerts?state=closed&historical=any&limit=${PAGE}${older}`);
        history.alerts.push(...page.items);
        cursor = page.next_cursor;
        loaded = true;
        failed = null;
      } catch (error) {
        failed = { status: error instanceof ApiError ? error.status : 0 };
      } finally {
        asking = false;
        changed();
      }
    },
  };
  return history;
}

/** Kejadian terakhir: the newest things that happened to alerts, and the last of them in one sentence. */

import { h, redraw } from "./dom.js";
import { moment, said } from "./format.js";
import { call } from "./load.js";
import { message, panel } from "./parts.js";
import { changed, state } from "./store.js";
import { t } from "./words/situation.js";

const ALERTS = 12,
  SHOWN = 6;
const AGAIN_MS = 4_000;

/** @typedef {{ at: string, what: "raised" | "acked" | "cleared", alert: import("./store.js").Alert }} Happened */

export function recentEvents() {
  const { element, end, body } = panel("recent", t("recent"));
  end.append(h("a.link", { href: "/peringatan?tab=riwayat" }, t("history")));
  body.className = "body";
  /** @type {Happened[]} */
  let events = [];
  let asking = false,
    timer = 0,
    closed = false,
    loaded = false;

  async function ask() {
    if (asking || closed || !state.me) return;
    asking = true;
    try {
      const { items } = await call(`alerts?state=all&limit=${ALERTS}`);
      events = items
        .flatMap(happened)
        .sort((/** @type {Happened} */ a, /** @type {Happened} */ b) => Date.parse(b.at) - Date.parse(a.at))
        .slice(0, SHOWN);
      loaded = true;
      if (!closed) changed("tick");
    } catch {
      // Not worth a word: the next alert asks again.
    } finally {
      asking = false;
    }
  }
  ask();

  return {
    element,
    /** @param {Set<string>} topics */
    update(topics) {
      if (topics.has("alerts") && loaded && !timer)
        timer = window.setTimeout(() => {
          timer = 0;
          ask();
        }, AGAIN_MS);
      redraw(body, `${loaded} ${document.documentElement.lang} ${events.map((event) => event.at + event.what)}`, () =>
        loaded && !events.length
          ? message(t("no_events"))
          : h(
              "ol.log",
              {},
              events.map((event) =>
                h(
                  "li",
                  {},
                  h("time", { datetime: event.at }, moment(event.at)),
                  h("a", { href: `/peringatan?tab=riwayat&id=${event.alert.id}` }, wordsOf(event)),
                ),
              ),
            ),
      );
    },
    /** The newest event as a sentence, for an empty list. */
    last: () => (events[0] ? t("last_event", { what: `${moment(events[0].at)} ${wordsOf(events[0])}` }) : null),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** @param {import("./store.js").Alert} alert @returns {Happened[]} */
function happened(alert) {
  /** @type {[Happened["what"], string | null][]} */
  const times = [
    ["raised", alert.raised_at],
    ["acked", alert.acked_at],
    ["cleared", alert.cleared_at],
  ];
  return times.flatMap(([what, at]) => (at ? [{ at, what, alert }] : []));
}

/** @param {Happened} event */
const wordsOf = ({ what, alert }) => t(`ev_${what}`, { title: said(alert.title), who: alert.acked_by ?? "" });

/** Facts that concern the whole screen, until they are over or read: disconnected, catching up, what was missed. */

import { announce } from "./announce.js";
import { h, redraw } from "./dom.js";
import { number, time, timeWithSeconds } from "./format.js";
import { connect, forgetOutage, lastOutage } from "./live.js";
import { icon } from "./marks.js";
import { state } from "./store.js";
import { t } from "./words/frame.js";
import { now } from "./clock.js";

export const bannersBox = h("div.banners");
let before = state.stream;

/** @param {Set<import("./store.js").Topic>} topics */
export function updateBanners(topics) {
  if (!topics.has("stream")) return;
  const outage = lastOutage();
  redraw(bannersBox, `${document.documentElement.lang} ${state.stream} ${state.lostSince} ${outage?.at}`, () => {
    if (state.stream === "lost") return lost();
    if (state.stream === "catching up")
      return banner("status", "live", [t("reconnected", { time: timeWithSeconds(now()) })]);
    return outage && state.stream === "live" ? caughtUp(outage) : null;
  });
  if (state.stream === "lost" && before !== "lost") announce(() => t("announce_lost"), true);
  if (state.stream === "live" && outage && before !== "live") announce(() => t("announce_back"));
  before = state.stream;
}

function lost() {
  const at = state.lostSince && { time: time(state.lostSince) };
  const title = at ? t("lost_title", at) : t("lost_before");
  const explained = at ? t("lost_text", at) : t("lost_before_text");
  const button = h("button.btn", { type: "button", onclick: connect }, t("connect_now"));
  return banner("alert", "lost", [h("b", {}, title), ` ${explained} ${t("trying")}`], button);
}

/** @param {{ since: number, missed: number, at: number }} outage */
function caughtUp({ missed }) {
  const told = missed ? t("complete_new", { n: number(missed) }) : t("complete_none");
  const button = h("button.btn.small", { type: "button", onclick: forgetOutage }, t("close"));
  return banner("status", "live", [h("b", {}, t("complete")), ` ${told}`], button);
}

/**
 * @param {"alert" | "status"} role
 * @param {"live" | "lost"} sign
 * @param {(Node | string)[]} words
 * @param {Node | null} [button]
 */
function banner(role, sign, words, button = null) {
  const classes = role === "alert" ? "div.banner.strong" : "div.banner";
  return h(classes, { role }, icon(sign), h("span.grow", {}, words), button);
}

/** The sound of this station in the top bar: its state in words, and the button that changes it. */

import { attribute, h, redraw } from "./dom.js";
import { icon } from "./marks.js";
import { onSound, quietSound, sound, startSound, stopSound } from "./sound.js";
import { t } from "./words/frame.js";

/** @returns {HTMLElement} */
export function soundButton() {
  const button = h("button.btn.quiet.sound", { type: "button", onclick: press });

  function press() {
    const { is } = sound();
    if (is === "off" || is === "asleep") startSound();
    else if (is === "ready") stopSound();
    else quietSound();
  }

  function show() {
    const { is, severity, left_ms } = sound();
    const left = clock(left_ms);
    const words = is === "sounding" ? t("sound_sounding", { name: t(`sev${severity}`) }) : t(`sound_${is}`, { left });
    attribute(button, "data-sound", is);
    attribute(button, "title", t(`sound_${is}_why`));
    attribute(button, "aria-label", `${is === "quiet" ? t("sound_quiet_label") : words}. ${t(`sound_${is}_why`)}`);
    const on = is === "sounding" || is === "ready";
    redraw(button, words + document.documentElement.lang, () => [
      icon(on ? "sound" : "muted"),
      h("span.num", {}, words),
      is === "off" && h("span.start", {}, t("sound_start")),
      (is === "sounding" || is === "quiet") && h("kbd", { "aria-hidden": "true" }, "M"),
    ]);
  }

  onSound(() => button.isConnected && show());
  show();
  return button;
}

/** 4:32 @param {number} ms */
const clock = (ms) => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;

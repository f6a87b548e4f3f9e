/**
 * Dinding: read from five metres, no controls, nobody at it. Turns from page to page, and stays on the situation while
 * something of severity 2 or more is unacknowledged. tema=, bahasa= and halaman= in its address set it up.
 */

import { now } from "../clock.js";
import { attribute, h, redraw, text } from "../dom.js";
import { date, number, time } from "../format.js";
import { icon } from "../marks.js";
import { setLanguage, setTheme } from "../prefs.js";
import { resource } from "../resource.js";
import { asked } from "../router.js";
import { state } from "../store.js";
import { sentenceOf } from "../wall_gauges.js";
import { t } from "../words/wall.js";

/** @typedef {import("../forecast_way.js").Forecast} Forecast */
/** @typedef {{ element: HTMLElement, update: (topics: Set<import("../store.js").Topic>) => void, close: () => void }} Page */
/** @typedef {{ forecasts: import("../resource.js").Resource<Forecast[]>, lamps: import("../resource.js").Resource<any> }} Known */

/** Fetched when the wall first turns to them. @type {Record<"situasi" | "lampu" | "sungai", () => Promise<(known: Known, draw: () => void) => Page>>} */
const MAKERS = {
  situasi: async () => (await import("./wall_situation.js")).situationPage,
  lampu: async () => (await import("./wall_lamps.js")).lampsPage,
  sungai: async () => (await import("./wall_rivers.js")).riversPage,
};
/** @typedef {keyof typeof MAKERS} Name */
const NAMES = /** @type {Name[]} */ (Object.keys(MAKERS));
const TURN_S = 30,
  MINUTE_MS = 60_000,
  WARN_MS = 7 * 86_400_000;
// As it is drawn; any other screen shows the same, larger or smaller.
const WIDTH = 1920,
  HEIGHT = 1080,
  PHONE = 720;
const HOLDING = 2;

/** @returns {import("../router.js").View} */
export function view() {
  setUp();
  const wanted = asked("halaman").split(",").filter((name) => name in MAKERS);
  const names = wanted.length ? /** @type {Name[]} */ (wanted) : NAMES;
  const known = {
    forecasts: resource("forecasts", draw, { every_ms: MINUTE_MS, topics: ["counts"], watch: () => JSON.stringify(state.counts), shape: ({ items }) => /** @type {Forecast[]} */ (items) }),
    lamps: resource("streetlights/summary", draw, { every_ms: MINUTE_MS, topics: ["counts"], watch: () => JSON.stringify(state.counts) }),
  };
  // Who is limited to regions is not shown the roster.
  const duty = resource(state.me?.regions ? "" : "duty/now", draw, { every_ms: 5 * MINUTE_MS });

  const says = h("p.says.t2"),
    day = h("span.t2"),
    clock = h("span.clock.num"),
    lost = h("div.lost", { role: "alert", hidden: true }),
    ends = h("p.ends", { role: "status", hidden: true }),
    room = h("div.room", { "aria-busy": "true" }),
    turning = h("span"),
    people = h("p");
  const foot = h("footer", {}, h("p", {}, icon("view_only"), turning), people);
  const head = h("header", {}, h("h1", {}, state.me?.regency ?? "Siaga"), says, h("span.space"), day, clock);
  const element = h("div.view.wall", {}, lost, head, ends, room, foot);
  /** @type {Page | null} */
  let page = null;
  let at = 0,
    left_s = TURN_S,
    shown = "",
    closed = false;

  async function show() {
    const name = names[at];
    if (shown === name) return;
    const before = shown;
    shown = name;
    const make = await MAKERS[name]().catch(() => null);
    if (closed || shown !== name) return;
    // Not to be had now: what there was stays, and the next second asks again.
    if (!make) {
      shown = before;
      return;
    }
    attribute(room, "aria-busy", null);
    page?.close();
    page = make(known, draw);
    room.replaceChildren(page.element);
    attribute(element, "data-page", shown);
    page.update(ALL);
  }

  /** Something that waits for a person, or nothing new to show: the situation stays. */
  const holds = () =>
    state.stream === "lost" || [...state.alerts.values()].some((alert) => !alert.acked && alert.severity >= HOLDING);

  function second() {
    text(clock, time(now()));
    text(day, date(now()));
    if (holds()) {
      at = Math.max(0, names.indexOf("situasi"));
      left_s = TURN_S;
    } else if (names.length > 1 && --left_s <= 0) {
      at = (at + 1) % names.length;
      left_s = TURN_S;
    }
    show();
    const next = t(`page_${names[(at + 1) % names.length]}`);
    const lag = state.stream === "live" && state.beat?.lag_s != null ? t("live_lag", { s: number(state.beat.lag_s, 1) }) : "";
    const turn = names.length < 2 || state.stream === "lost" ? "" : holds() ? t("stays") : t("turns", { page: next, s: number(left_s) });
    text(turning, [t("view_only"), lag, turn].filter(Boolean).join(" · "));
    drawEnds();
  }

  /** The key of the wall ends, and nobody would notice before it is dark. */
  function drawEnds() {
    const until = state.me?.expires_at ? Date.parse(state.me.expires_at) : Infinity;
    ends.hidden = until - now() > WARN_MS;
    const isKey = state.me?.by === "key" && state.me.role === "viewer";
    if (!ends.hidden) text(ends, t(isKey ? "expires" : "session_ends", { day: date(until), time: time(until) }));
  }

  function draw() {
    const gone = state.stream === "lost";
    lost.hidden = !gone;
    redraw(lost, `${gone} ${state.lostSince} ${document.documentElement.lang}`, () => {
      if (!gone) return null;
      const since = state.lostSince === null ? null : { time: time(state.lostSince) };
      return [
        h("b", {}, since ? t("lost_since", since) : t("lost_before")),
        since && h("span", {}, t("lost_text", since)),
        h("span", {}, t("lost_trying")),
      ];
    });
    const ready = state.loaded.has("latest") && state.loaded.has("devices") && state.loaded.has("kinds");
    text(says, gone || !ready ? "" : sentenceOf(known.forecasts.value ?? [], known.lamps.value?.dark.length ?? 0));
    const who = [...new Set((duty.value?.teams ?? []).flatMap((/** @type {{ on_duty: string[] }} */ team) => team.on_duty))];
    text(people, who.length ? t("on_duty", { who: who.join(", ") }) : "");
    page?.update(OWN);
  }

  function fit() {
    const scale = innerWidth < PHONE ? 1 : Math.min(innerWidth / WIDTH, innerHeight / HEIGHT);
    element.style.setProperty("zoom", String(scale));
  }

  fit();
  addEventListener("resize", fit);
  const timer = setInterval(second, 1000);
  second();
  return {
    element,
    title: t("wall"),
    update(topics) {
      page?.update(topics);
      draw();
    },
    close() {
      closed = true;
      clearInterval(timer);
      removeEventListener("resize", fit);
      page?.close();
      for (const each of [known.forecasts, known.lamps, duty]) each.close();
    },
  };
}

const ALL = /** @type {Set<import("../store.js").Topic>} */ (
  new Set(["kinds", "devices", "latest", "alerts", "counts", "stream", "beat", "failures", "tick"])
);
/** Nothing of the stream: what the wall itself has asked for has come. @type {Set<import("../store.js").Topic>} */
const OWN = new Set();

/** There is no keyboard: the address says how it looks. */
function setUp() {
  const theme = { gelap: /** @type {const} */ ("dark"), terang: /** @type {const} */ ("light") }[asked("tema")];
  if (theme) setTheme(theme);
  const language = asked("bahasa");
  if (language === "id" || language === "en") setLanguage(language);
}

/** In place of a sign-in page, which nobody could use on a wall. */
export function wallWithoutKey() {
  const element = h("main.view.wall.no-key", {}, h("h1", {}, t("no_key")), h("p.t2", {}, t("no_key_text")));
  return { element, title: t("wall") };
}

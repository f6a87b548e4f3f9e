/** What surrounds every view: rail, top bar, banners, the room for the view. The top bar never scrolls away. */

import { announcers } from "./announce.js";
import { bannersBox, updateBanners } from "./banners.js";
import { now } from "./clock.js";
import { attribute, h, redraw, text } from "./dom.js";
import { date, number, time, timeWithSeconds, zoneName } from "./format.js";
import { icon, severityMark } from "./marks.js";
import { inBoth, language, setLanguage, setTheme, theme } from "./prefs.js";
import { state } from "./store.js";
import { soundButton } from "./sound_button.js";
import { PAGES } from "./views/table.js";
import { t } from "./words/frame.js";

const SEVERITIES = [3, 2, 1, 0];
const THEMES = /** @type {const} */ (["auto", "light", "dark"]);

/** @typedef {ReturnType<typeof makeFrame>} Frame */

/** @param {() => void} signOut */
export function makeFrame(signOut) {
  const main = h("main", { id: "main", tabindex: -1 });
  const links = new Map(PAGES.map((entry) => [entry.page, railLink(entry)]));
  const rail = h(
    "nav.rail",
    { "aria-label": t("main_nav") },
    h("div.brand", {}, "Siaga"),
    PAGES.map((entry) => [entry.rule && h("hr"), links.get(entry.page)?.element]),
    h("button.more", { type: "button", onclick: showMore }, icon("person"), h("span", {}, t("more"))),
  );
  const top = topBar(signOut);
  const element = h(
    "div.app",
    {},
    h(
      "a.skip",
      {
        href: "#main",
        onclick: (/** @type {Event} */ e) => {
          e.preventDefault();
          main.focus();
        },
      },
      t("skip"),
    ),
    rail,
    top.element,
    bannersBox,
    main,
    ...announcers,
  );

  async function showMore() {
    const { moreDialog } = await import("./settings.js");
    const more = moreDialog(signOut);
    more.addEventListener("close", () => more.remove());
    element.append(more);
    more.showModal();
  }

  return {
    element,
    main,
    /** @param {string} page @param {string} title */
    entered(page, title) {
      for (const [name, link] of links) attribute(link.element, "aria-current", name === page && "page");
      text(top.title, title);
      document.title = `${title} · Siaga`;
    },
    /** @param {Set<import("./store.js").Topic>} topics */
    update(topics) {
      if (topics.has("counts") || topics.has("stream")) {
        const worst = worstUnacked();
        links.get("alerts")?.update(worst, total());
        top.counts();
      }
      if (topics.has("stream") || topics.has("beat")) top.stream();
      updateBanners(topics);
    },
    tick: top.tick,
  };
}

const total = () => SEVERITIES.reduce((sum, severity) => sum + (state.counts?.unacked[severity] ?? 0), 0);
const worstUnacked = () => SEVERITIES.find((severity) => (state.counts?.unacked[severity] ?? 0) > 0) ?? null;

/** @param {import("./views/table.js").Entry} entry */
function railLink({ path, name: names, icon: drawn = "next" }) {
  const name = inBoth(names ?? ["", ""]);
  const sign = h("span.sign", {}, icon(drawn)),
    count = h("b");
  const element = h("a", { href: path, title: name }, sign, h("span.name", {}, name, " ", count));
  return {
    element,
    /** @param {number | null} worst @param {number} n */
    update(worst, n) {
      // The icon becomes the worst mark that nobody looks after.
      redraw(sign, String(worst), () => (worst === null ? icon(drawn) : severityMark(worst, { size: 20 })));
      text(count, n ? number(n) : "");
    },
  };
}

/** @param {() => void} signOut */
function topBar(signOut) {
  const title = h("h1.page-title");
  const tally = h("a.group.tally", { href: "/peringatan" });
  const open = h("b"),
    shelved = h("b"),
    suppressed = h("b"),
    clock = h("span"),
    day = h("span.date");
  const stream = h("div.group.t2.stream", { role: "status" });
  const themeButton = h("button.btn.quiet.theme", { type: "button", onclick: nextTheme });
  const languageButton = h(
    "button.btn.quiet.language",
    {
      type: "button",
      lang: language() === "en" ? "id" : "en",
      onclick: () => setLanguage(language() === "en" ? "id" : "en"),
    },
    t("to_other_language"),
  );
  const person = h(
    "div.group.person",
    {},
    h(
      "button.btn.quiet",
      { type: "button", title: t("sign_out"), onclick: signOut },
      icon("person"),
      h("span.person-name", {}, state.me?.name ?? ""),
      h("span", {}, t("sign_out")),
    ),
  );

  function nextTheme() {
    setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
    showTheme();
  }
  function showTheme() {
    const name = t(`theme_${theme()}`);
    attribute(themeButton, "aria-label", t("theme_now", { name }));
    attribute(themeButton, "title", t("theme_now", { name }));
    redraw(themeButton, theme(), () => icon(/** @type {"theme_auto"} */ (`theme_${theme()}`)));
  }
  showTheme();

  return {
    title,
    element: h(
      "header.top",
      {},
      title,
      h("div.group.b.regency", {}, state.me?.regency ?? ""),
      tally,
      h("a.group.open", { href: "/peringatan" }, h("span.label", {}, t("open")), open),
      h("a.group.held-back", { href: "/peringatan?tab=ditunda" }, h("span.label", {}, t("shelved")), shelved),
      h("a.group.held-back", { href: "/peringatan?tab=ditekan" }, h("span.label", {}, t("suppressed")), suppressed),
      h("div.space"),
      stream,
      soundButton(),
      languageButton,
      themeButton,
      person,
      h("div.group.clock.num", {}, clock, h("span.unit", {}, zoneName(), day)),
    ),
    counts() {
      const counts = state.counts;
      const shown = SEVERITIES.filter((severity) => (counts?.unacked[severity] ?? 0) > 0);
      const key = `${shown.map((severity) => `${severity}:${counts?.unacked[severity]}`)} ${counts === null}`;
      redraw(tally, key, () => [
        h("span.label", {}, t("unacked")),
        shown.map((severity) =>
          h("span.count", { "aria-hidden": "true" }, severityMark(severity), number(counts?.unacked[severity])),
        ),
        shown.length === 0 && h("span.count", {}, counts ? "0" : "–"),
      ]);
      const parts = shown.map((s) => `${counts?.unacked[s]} ${t(`sev${s}`).toLowerCase()}`).join(", ");
      attribute(tally, "aria-label", parts ? t("unacked_count", { n: total(), parts }) : t("unacked_none"));
      text(open, number(counts?.open));
      text(shelved, number(counts?.shelved));
      text(suppressed, number(counts?.suppressed));
    },
    stream() {
      const lost = state.stream === "lost";
      const lag = state.beat?.lag_s ?? null;
      const word = lost
        ? state.lostSince
          ? t("lost_since", { time: time(state.lostSince) })
          : t("lost")
        : t(
            { live: "live", connecting: "connecting", "catching up": "catching_up" }[
              /** @type {"live"} */ (state.stream)
            ],
          );
      attribute(stream, "class", lost ? "group b stream" : "group t2 stream");
      // Only the word is told aloud; the lag changes with every beat.
      redraw(stream, `${lost} ${word}`, () => [
        icon(lost ? "lost" : "live"),
        h("span", {}, word),
        h("span.lag", { title: t("lag_title"), "aria-hidden": "true" }),
      ]);
      const shown = stream.querySelector(".lag");
      if (shown)
        text(
          shown,
          state.stream === "live" && lag !== null ? `· ${t("lag", { s: number(lag, lag < 10 ? 1 : 0) })}` : "",
        );
    },
    tick() {
      text(clock, timeWithSeconds(now()));
      text(day, ` · ${date(now())}`);
    },
  };
}

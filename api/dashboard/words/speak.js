/** How a text is said: in the language of the screen, with its values in place. */

import { language } from "../prefs.js";

/** Indonesian, English. @typedef {Record<string, [string, string]>} Words */

/**
 * The `t` of an area: the text for a key. An unknown key shows itself; tests/docs/test_words.py finds it before.
 * @param {Words} words
 * @returns {(key: string, values?: Record<string, string | number | null | undefined>) => string}
 */
export function speak(words) {
  return (key, values) => {
    const text = words[key]?.[language() === "en" ? 1 : 0] ?? key;
    return values ? filled(text, values) : text;
  };
}

/** @param {string} text @param {Record<string, string | number | null | undefined>} values */
function filled(text, values) {
  // {n|device|devices}: English minds whether it is one; Indonesian does not.
  const counted = text.replace(/\{(\w+)\|(.*?)\|(.*?)\}/g, (_, name, one, more) =>
    String(values[name]) === "1" ? one : more,
  );
  return counted.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

// Before the first paint: a theme or language chosen by hand must not flash. A classic script, as modules come later.
{
  const read = (/** @type {string} */ name) => { try { return localStorage.getItem(`siaga.${name}`); } catch { return null; } };
  const theme = read("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (read("language") === "en") document.documentElement.lang = "en";
}

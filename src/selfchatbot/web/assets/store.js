/** What stays in this browser over a reload: the conversation, the settings, and what is not sent yet. */

const PREFIX = "selfchatbot.";

/** @param {"localStorage" | "sessionStorage"} where the latter lasts until the tab is closed */
export function load(key, otherwise, where = "localStorage") {
  try {
    return JSON.parse(window[where].getItem(PREFIX + key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Where the browser keeps nothing (private windows, full storage) the page works without. */
export function save(key, value, where = "localStorage") {
  try {
    window[where].setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Then it lasts until the page is closed.
  }
}

const OF_A_MODEL = ["turns", "former", "draft", "parameters", "contact"];

/**
 * Whether what was kept is another model's: it waits for that model now, and what waited for this one is back.
 * @param {string} name this model's
 */
export function changeModel(name) {
  const before = load("model", name);
  save("model", name);
  if (before === name || load("model", before) !== name) return false;
  const waiting = load("waiting", {});
  waiting[before] = Object.fromEntries(OF_A_MODEL.map((key) => [key, load(key, null)]));
  for (const key of OF_A_MODEL) save(key, waiting[name]?.[key] ?? null);
  delete waiting[name];
  save("waiting", waiting);
  return true;
}

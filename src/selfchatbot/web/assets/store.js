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

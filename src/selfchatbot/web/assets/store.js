/** What stays in this browser over a reload: the conversation, the settings, and what is not sent yet. */

const PREFIX = "selfchatbot.";

export function load(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Where the browser keeps nothing (private windows, full storage) the page works without. */
export function save(key, value) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Then it lasts until the page is closed.
  }
}

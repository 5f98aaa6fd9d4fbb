/** What this browser keeps over a reload: the conversation, the settings, and the unsent message. */

const PREFIX = "selfchatbot.";

/**
 * What was saved, or `otherwise` if that is damaged or of another kind.
 * @param {"localStorage" | "sessionStorage"} where sessionStorage lasts until the tab is closed
 */
export function load(key, otherwise, where = "localStorage") {
  try {
    const value = JSON.parse(window[where].getItem(PREFIX + key)) ?? otherwise;
    return otherwise === null || kind(value) === kind(otherwise) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

function kind(value) {
  return Array.isArray(value) ? "array" : typeof value;
}

/**
 * @typedef {{role: "user" | "assistant", content: string, cut?: boolean, others?: string[], worse?: string[],
 *   rated?: boolean}} Turn
 * cut: it was stopped; others: other replies that were made; worse: replies before this one that were rated bad;
 * rated: it was saved as better than others
 */

/** The turns of a saved conversation, without what is none. @returns {Turn[]} */
export function loadTurns(key) {
  return load(key, [])
    .filter((turn) => ["user", "assistant"].includes(turn?.role) && typeof turn.content === "string")
    .map(({ role, content, cut, others, worse, rated }) => ({
      role,
      content,
      ...(cut === true && { cut }),
      ...(rated === true && { rated }),
      ...(isTexts(others) && { others }),
      ...(isTexts(worse) && { worse }),
    }));
}

function isTexts(value) {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

/** If the browser can't keep anything (private window, full storage), the page works without. */
export function save(key, value, where = "localStorage") {
  try {
    window[where].setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // It is lost when the page is closed.
  }
}

const MODEL_KEYS = ["turns", "former", "draft", "parameters", "contact"];

/**
 * Swap what is kept if it belongs to another model: it is set aside for that one, and this model's is restored.
 * @param {string} name of this model
 * @returns {boolean} whether it was swapped
 */
export function changeModel(name) {
  const before = load("model", name);
  save("model", name);
  if (before === name || load("model", before) !== name) return false;
  const waiting = load("waiting", {});
  waiting[before] = Object.fromEntries(MODEL_KEYS.map((key) => [key, load(key, null)]));
  for (const key of MODEL_KEYS) save(key, waiting[name]?.[key] ?? null);
  delete waiting[name];
  save("waiting", waiting);
  return true;
}

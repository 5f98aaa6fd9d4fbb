/** The conversation: send, stop, retry, edit; it survives a reload. */

import { ServerError, about, hasToken, reply, useToken } from "./api.js";
import { atPace } from "./pace.js";
import { accepted, corrected, ratingTools } from "./ratings.js";
import { keepsPace, parameters, setUp } from "./settings.js";
import { changeModel, load, loadTurns, save } from "./store.js";
import { growing, markEdited, note, show, working } from "./view.js";

/** The newest turns, which are sent; a model's window holds fewer. */
const MAX_TURNS = 1000;

const part = (id) => document.getElementById(id);
const message = part("message");
const contact = part("contact");

/** @type {import("./store.js").Turn[]} */
let turns = loadTurns("turns");
/** What the server says about itself. */
let model = null;
/** The turn that is being edited; -1 if none. */
let editing = -1;
/** Stops the current reply. @type {AbortController | null} */
let running = null;

async function begin() {
  try {
    model = await about();
    const { name } = model;
    if (changeModel(name)) return location.reload();
    document.title = name;
    part("name").textContent = part("welcome-name").textContent = name;
    part("avatar").textContent = part("welcome-avatar").textContent = [...name][0].toUpperCase();
    part("welcome-text").textContent = `A model that writes like ${name}. Say something to begin.`;
    setUp(model);
    offerContacts(model.contacts);
    part("game").hidden = !model.game;
    part("setup").hidden = !model.setup;
    setStatus("ready");
    part("token").value = "";
    render();
    message.focus();
  } catch (error) {
    if (error.status === 401) return askToken();
    setStatus("not connected");
    note(error.message);
  }
}

function askToken() {
  const wrong = hasToken();
  part("token-wrong").hidden = !wrong;
  part("token").ariaInvalid = String(wrong);
  if (!part("ask-token").open) part("ask-token").showModal();
  part("token").select();
}

function offerContacts(contacts) {
  part("contact-field").hidden = contacts.length === 0;
  contact.replaceChildren(new Option("Anybody", ""), ...contacts.map(({ name, system }) => new Option(`As ${name}`, system)));
  contact.value = load("contact", "");
  if (contact.selectedIndex < 0) contact.value = "";
}

function setStatus(text) {
  part("status").textContent = text;
}

function render() {
  part("welcome").hidden = turns.length > 0;
  part("bring-back").hidden = loadTurns("former").length === 0;
  show(turns, { name: model?.name ?? "", tools });
  markEdited(editing);
  showButtons();
}

/** What can be done with a turn. @returns {import("./view.js").Tool[]} */
function tools(index) {
  const mine = turns[index].role === "user";
  const offered = mine ? [{ kind: "edit", label: "Edit", act: () => edit(index) }] : [];
  if (index < turns.length - 1) return offered;
  offered.push({ kind: "retry", label: mine ? "Get a reply" : "Retry", act: retry, named: true });
  return mine ? offered : [...offered, ...ratingTools(conversation)];
}

/** What ratings need of it. */
const conversation = {
  get last() {
    return turns.at(-1);
  },
  get canRate() {
    return model?.ratings ?? false;
  },
  /** What the last turn replies to, as the model reads it. */
  get prompt() {
    return prompt(turns.slice(0, -1));
  },
  /** Put another turn in place of the last one. @returns {boolean} whether that still was the last one */
  replace(former, turn) {
    if (turns.at(-1) !== former) return false;
    turns[turns.length - 1] = turn;
    keep();
    render();
    return true;
  },
  /** Have another reply made in place of the last one, keeping which ones were worse. */
  replyAgain: (worse) => answer(turns.pop(), worse),
  correct: () => edit(turns.length - 1),
  keep,
  work,
};

function prompt(before) {
  const system = contact.value ? [{ role: "system", content: contact.value }] : [];
  return [...system, ...before.slice(-MAX_TURNS).map(({ role, content }) => ({ role, content }))];
}

function showButtons() {
  part("send").hidden = running !== null;
  part("send").disabled = message.value.trim() === "";
  part("stop").hidden = running === null;
}

function keep() {
  save("turns", turns);
}

/** Send what is in the field: a new message, a changed one, or what the last reply should have been. */
function submit(text) {
  const changed = turns[editing];
  if (changed?.role === "assistant") {
    stopEditing();
    message.focus();
    return corrected(conversation, text);
  }
  if (changed) turns = turns.slice(0, editing);
  else accepted(conversation);
  stopEditing();
  turns.push({ role: "user", content: text });
  keep();
  answer();
}

/**
 * Do something that the server needs a moment for, and that can be stopped; one thing at a time.
 * @param {string} status what is shown meanwhile
 * @param {(signal: AbortSignal) => Promise<void>} task
 * @returns {Promise<string>} what went wrong, if anything did
 */
async function work(status, task) {
  if (running) return "";
  running = new AbortController();
  setStatus(status);
  showButtons();
  working();
  let problem = "";
  try {
    await task(running.signal);
  } catch (error) {
    if (error.name !== "AbortError") problem = error.message;
    if (error instanceof ServerError && error.status === 401) askToken();
  }
  running = null;
  setStatus("ready");
  return problem;
}

/**
 * Get the model's reply to the last turn.
 * @param {import("./store.js").Turn} [former] the reply that was there before; it comes back if there is no new one
 * @param {string[]} [worse] replies that were rated bad
 */
async function answer(former, worse = former?.worse) {
  if (running) return;
  const asked = turns;
  const turn = { role: "assistant", content: "", cut: true, ...(worse?.length && { worse }) };
  render();
  const update = growing(model.name);
  const problem = await work("typing…", async (signal) => {
    const parts = reply(prompt(turns), parameters(), signal);
    for await (const text of keepsPace() ? atPace(parts, model.pace, signal) : parts) {
      turn.content += text;
      update(turn.content);
      // If the page is closed now, the part so far is still there later.
      if (asked === turns) save("turns", [...turns, turn]);
    }
    delete turn.cut;
  });
  turn.content = turn.content.trimEnd();
  if (asked === turns && (turn.content || former)) turns.push(turn.content ? turn : former);
  keep();
  render();
  if (problem) note(problem);
  else if (turn.content) part("announcer").textContent = `${model.name}: ${turn.content}`;
}

function stop() {
  running?.abort();
}

function retry() {
  if (running) return;
  const former = turns.at(-1)?.role === "assistant" ? turns.pop() : undefined;
  stopEditing();
  message.focus();
  if (turns.length) answer(former);
}

function edit(index) {
  if (running) return;
  editing = index;
  message.value = turns[index].content;
  part("editing").hidden = false;
  part("editing-what").textContent =
    turns[index].role === "user"
      ? "Editing: everything after it will be removed"
      : "What should the reply have been? It is saved for the next training";
  markEdited(index);
  message.focus();
  fit();
}

/** Switch to another conversation; the current one can be brought back once. */
function change(others) {
  save("former", turns);
  turns = others;
  stopEditing();
  keep();
  render();
  message.focus();
}

function stopEditing() {
  editing = -1;
  part("editing").hidden = true;
  message.value = "";
  save("draft", "");
  markEdited(-1);
  fit();
}

/** Grow the field with its text, in browsers that don't do it themselves. */
function fit() {
  if (!CSS.supports("field-sizing", "content")) {
    message.style.height = "auto";
    message.style.height = `${message.scrollHeight}px`;
  }
  showButtons();
}

part("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = message.value.trim();
  if (text && !running && model) submit(text);
});
message.addEventListener("input", () => {
  if (editing < 0) save("draft", message.value);
  fit();
});
message.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    part("composer").requestSubmit();
  } else if (event.key === "ArrowUp" && message.value === "") {
    const last = turns.findLastIndex(({ role }) => role === "user");
    if (last >= 0) {
      event.preventDefault();
      edit(last);
    }
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (running) stop();
  else if (editing >= 0) stopEditing();
});
part("stop").addEventListener("click", () => {
  stop();
  message.focus();
});
part("cancel-edit").addEventListener("click", () => {
  stopEditing();
  message.focus();
});
part("new-chat").addEventListener("click", () => {
  stop();
  change([]);
});
part("bring-back").addEventListener("click", () => change(loadTurns("former")));
contact.addEventListener("change", () => save("contact", contact.value));
part("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(part("token").value);
  part("ask-token").close();
  begin();
});

message.value = load("draft", "");
fit();
begin();

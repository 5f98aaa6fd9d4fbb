/** The conversation: send, stop, retry, edit; it survives a reload. */

import { ServerError, about, reply, useToken } from "./api.js";
import { parameters, setUp } from "./settings.js";
import { changeModel, load, loadTurns, save } from "./store.js";
import { growing, markEdited, note, show } from "./view.js";

/** The newest turns, which are sent; a model's window holds fewer. */
const MAX_TURNS = 1000;

const part = (id) => document.getElementById(id);
const message = part("message");
const contact = part("contact");

/** @type {{role: "user" | "assistant", content: string, cut?: boolean}[]} */
let turns = loadTurns("turns");
let name = "";
/** The turn that is being edited; -1 if none. */
let editing = -1;
/** Stops the current reply. @type {AbortController | null} */
let running = null;

async function begin() {
  try {
    const model = await about();
    ({ name } = model);
    if (changeModel(name)) return location.reload();
    document.title = name;
    part("name").textContent = part("welcome-name").textContent = name;
    part("avatar").textContent = part("welcome-avatar").textContent = [...name][0].toUpperCase();
    part("welcome-text").textContent = `A model that writes like ${name}. Say something to begin.`;
    setUp(model.parameters);
    offerContacts(model.contacts);
    part("game").hidden = !model.game;
    part("setup").hidden = !model.setup;
    setStatus("ready");
    render();
    message.focus();
  } catch (error) {
    if (error.status === 401) return part("ask-token").showModal();
    setStatus("not connected");
    note(error.message);
  }
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
  show(turns, { name, retry, edit });
  markEdited(editing);
  showButtons();
}

function showButtons() {
  part("send").hidden = running !== null;
  part("send").disabled = message.value.trim() === "";
  part("stop").hidden = running === null;
}

function keep() {
  save("turns", turns);
}

function say(text) {
  if (editing >= 0) turns = turns.slice(0, editing);
  stopEditing();
  turns.push({ role: "user", content: text });
  keep();
  answer();
}

/**
 * Get the model's reply to the last turn.
 * @param {object} [former] the reply that was there before; it comes back if there is no new one
 */
async function answer(former) {
  if (running) return;
  running = new AbortController();
  const { signal } = running;
  const asked = turns;
  const system = contact.value ? [{ role: "system", content: contact.value }] : [];
  const messages = [...system, ...turns.slice(-MAX_TURNS).map(({ role, content }) => ({ role, content }))];
  render();
  setStatus("typing…");
  const update = growing(name);
  const turn = { role: "assistant", content: "", cut: true };
  let problem = "";
  try {
    for await (const text of reply(messages, parameters(), signal)) {
      turn.content += text;
      update(turn.content);
      // If the page is closed now, the part so far is still there later.
      if (asked === turns) save("turns", [...turns, turn]);
    }
    delete turn.cut;
  } catch (error) {
    if (error.name !== "AbortError") problem = error.message;
    if (error instanceof ServerError && error.status === 401) part("ask-token").showModal();
  }
  running = null;
  setStatus("ready");
  if (asked === turns && (turn.content || former)) turns.push(turn.content ? turn : former);
  keep();
  render();
  if (problem) note(problem);
  else if (turn.content) part("announcer").textContent = `${name}: ${turn.content}`;
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
  if (text && !running && name) say(text);
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
  part("token").value = "";
  part("ask-token").close();
  begin();
});

message.value = load("draft", "");
fit();
begin();

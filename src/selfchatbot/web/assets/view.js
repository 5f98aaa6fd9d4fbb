/** Shows turns as bubbles. Text is only set as text, so nothing in a message can be markup. */

const log = document.getElementById("log");
const scroll = document.getElementById("scroll");

/**
 * Show a conversation in place of the current one, with these actions.
 * @param {{role: string, content: string, cut?: boolean}[]} turns
 * @param {{name: string, other?: string, retry?: () => void, edit?: (index: number) => void}} actions
 */
export function show(turns, { name, other, retry, edit }) {
  log.classList.remove("busy");
  log.replaceChildren(...turns.map((turn) => turnElement(turn, name, other)));
  [...log.children].forEach((element, index) => {
    const last = index === turns.length - 1;
    const mine = turns[index].role === "user";
    if (mine && edit) addTool(element, "edit", "Edit", () => edit(index));
    if (last && retry) addTool(element, "retry", mine ? "Get a reply" : "Retry", retry);
    element.classList.toggle("last", index >= turns.length - 2);
  });
  toEnd();
}

/** A turn in progress: call the result with its text so far. Without text, it shows that somebody is typing. */
export function growing(name) {
  const element = turnElement({ role: "assistant", content: "" }, name);
  element.setAttribute("aria-busy", "true");
  log.append(element);
  log.classList.add("busy");
  const dots = make("div", "bubble typing");
  dots.append(make("i"), make("i"), make("i"));
  element.append(dots);
  toEnd();
  return (text) => {
    const follow = nearEnd();
    const lines = bubbles(text);
    const shown = [...element.querySelectorAll(".bubble:not(.typing)")];
    lines.forEach((line, index) => {
      const bubble = shown[index] ?? element.insertBefore(make("div", "bubble"), dots);
      if (bubble.textContent !== line) bubble.textContent = line;
    });
    // Between two messages of a reply, somebody is typing.
    dots.hidden = lines.length > 0 && !text.endsWith("\n");
    if (follow) toEnd();
  };
}

/** Mark the turn that is being edited; -1 for none. */
export function markEdited(index) {
  [...log.children].forEach((element, place) => element.classList.toggle("edited", place === index));
}

/** Show an error under the conversation. */
export function note(message) {
  const element = make("li", "note", message);
  element.setAttribute("role", "alert");
  log.append(element);
  toEnd();
}

/** @returns {string[]} the messages of a turn */
function bubbles(text) {
  return text.split("\n").filter((line) => line.trim());
}

function turnElement({ role, content, cut }, name, other = "You") {
  const element = make("li", `turn ${role}`);
  element.append(make("span", "hidden", `${role === "user" ? other : name}: `));
  const texts = role === "user" ? [content] : bubbles(content);
  element.append(...texts.map((text) => make("div", "bubble", text)));
  if (cut) element.append(make("span", "cut", "stopped"));
  return element;
}

function addTool(element, kind, label, act) {
  const button = make("button", `tool ${kind}`);
  button.type = "button";
  button.append(document.getElementById(`${kind}-icon`).content.cloneNode(true));
  if (kind === "edit") button.title = label;
  button.append(make("span", kind === "edit" ? "hidden" : "", label));
  button.addEventListener("click", act);
  element.append(button);
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function nearEnd() {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
}

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
}

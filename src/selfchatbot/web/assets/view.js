/** Shows turns as bubbles. Text is only set as text, so nothing in a message can be markup. */

import { make, visible } from "./dom.js";

const log = document.getElementById("log");
const scroll = document.getElementById("scroll");
/** What each element on the screen shows, as `content` says it. @type {WeakMap<Element, string>} */
const shown = new WeakMap();

/**
 * @typedef {{kind: string, label: string, act: () => void, named?: boolean, pressed?: boolean}} Tool
 * kind: names the icon; named: whether the label is visible
 */

/**
 * Show a conversation. Turns that are on the screen already stay as they are.
 * @param {{role: string, content: string, cut?: boolean}[]} turns
 * @param {{name: string, other?: string, tools?: (index: number) => Tool[]}} options
 */
export function show(turns, { name, other = "You", tools = () => [] }) {
  log.classList.remove("busy");
  for (const element of log.querySelectorAll(".tools, .cut, .note, .typing, .alternatives")) element.remove();
  const before = [...log.children];
  const changed = turns.findIndex((turn, index) => shown.get(before[index]) !== content(turn, name, other));
  const kept = changed < 0 ? turns.length : changed;
  for (const element of before.slice(kept)) element.remove();
  log.append(...turns.slice(kept).map((turn) => turnElement(turn, name, other)));
  [...log.children].forEach((element, index) => {
    element.removeAttribute("aria-busy");
    element.classList.toggle("last", index >= turns.length - 2);
    if (turns[index].cut) element.append(make("span", "cut", "stopped"));
    const offered = tools(index);
    if (offered.length) element.append(toolbar(offered));
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
    const before = [...element.querySelectorAll(".bubble:not(.typing)")];
    lines.forEach((line, index) => {
      const bubble = before[index] ?? element.insertBefore(make("div", "bubble"), dots);
      if (bubble.textContent !== visible(line)) bubble.textContent = visible(line);
    });
    // Between two messages of a reply, somebody is typing.
    dots.hidden = lines.length > 0 && !text.endsWith("\n");
    shown.set(element, content({ role: "assistant", content: text }, name));
    if (follow) toEnd();
  };
}

/** The model is at work on something else than a reply. */
export function working() {
  log.classList.add("busy");
}

/** Mark the turn that is being edited; -1 for none. */
export function markEdited(index) {
  [...log.children].forEach((element, place) => element.classList.toggle("edited", place === index));
}

/**
 * Offer other replies below the last turn.
 * @param {string[]} others
 * @param {(index: number) => void} choose
 */
export function showOthers(others, choose) {
  const list = make("ul", "alternatives");
  list.setAttribute("aria-label", "Other replies");
  others.forEach((text, index) => {
    const button = make("button", "answer", bubbles(text).join("\n"));
    button.type = "button";
    button.addEventListener("click", () => choose(index));
    const item = make("li");
    item.append(button);
    list.append(item);
  });
  log.lastElementChild.append(list);
  list.querySelector("button")?.focus({ preventScroll: true });
  toEnd();
}

/** Show a remark under the conversation; an error unless it is `quiet`. */
export function note(message, quiet = false) {
  const element = make("li", quiet ? "note quiet" : "note", message);
  element.setAttribute("role", quiet ? "status" : "alert");
  log.append(element);
  toEnd();
}

/** @returns {string[]} the messages of a turn */
function bubbles(text) {
  return text.split("\n").filter((line) => line.trim());
}

function content(turn, name, other = "You") {
  return JSON.stringify([turn.role === "user" ? other : name, ...messages(turn)]);
}

function messages({ role, content: text }) {
  return role === "user" ? [text] : bubbles(text);
}

function turnElement(turn, name, other = "You") {
  const element = make("li", `turn ${turn.role}`);
  element.append(make("span", "hidden", `${turn.role === "user" ? other : name}: `));
  element.append(...messages(turn).map((text) => make("div", "bubble", text)));
  shown.set(element, content(turn, name, other));
  return element;
}

function toolbar(tools) {
  const bar = make("div", "tools");
  for (const { kind, label, act, named, pressed } of tools) {
    const button = make("button", `tool ${kind}`);
    button.type = "button";
    button.append(document.getElementById(`${kind}-icon`).content.cloneNode(true), make("span", named ? "" : "hidden", label));
    if (!named) button.title = label;
    if (pressed !== undefined) button.setAttribute("aria-pressed", String(pressed));
    button.addEventListener("click", act);
    bar.append(button);
  }
  return bar;
}

function nearEnd() {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
}

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
}

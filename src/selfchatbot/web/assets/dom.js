/** Elements of the page. Text is only set as text, so nothing in a name or a message can be markup. */

export const part = (id) => document.getElementById(id);

/** An element with a class and either a text or children. */
export function make(tag, className = "", content = []) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (typeof content === "string") element.textContent = content;
  else element.append(...content);
  return element;
}

/** A radio button in a group, or a checkbox, with the text beside it. */
export function choice(group, value, content, type = "radio") {
  const input = make("input");
  Object.assign(input, { type, name: group, value });
  return make("label", "", [input, make("span", "", content)]);
}

export const count = (number) => number.toLocaleString("en");

/** ``3 files``, ``1 file`` */
export const several = (number, what) => `${count(number)} ${what}${number === 1 ? "" : "s"}`;

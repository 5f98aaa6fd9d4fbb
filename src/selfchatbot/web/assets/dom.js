/** Elements of the page. Text is only set as text, so nothing in a name or a message can be markup. */

const JOINED = "\\u0590-\\u1fff\\u2300-\\ud7ff\\ufb1d-\\ufefc\\u{1f000}-\\u{1ffff}";
const RIGHT_TO_LEFT = "\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufefc";
const NEEDED =
  `(?<=[${JOINED}])[\\u200c\\u200d](?=[${JOINED}])|(?<=[${RIGHT_TO_LEFT}])[\\u061c\\u200e\\u200f]` +
  "|\\u{1f3f4}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]{3,6}\\u{e007f}";
const HIDDEN =
  "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f" +
  "\\u3164\\ud800-\\udfff\\ufeff\\uffa0\\ufff0-\\ufffb\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e00ff}\\u{e01f0}-\\u{e0fff}";
const INVISIBLE = new RegExp(`(${NEEDED})|[${HIDDEN}]`, "gu");

/** What display.py does with names and messages of others: what nobody would see is shown as `\\u202e`. */
export function visible(text) {
  const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replace(INVISIBLE, (found, needed) => needed ?? found.split("").map(escaped).join(""));
}

export const part = (id) => document.getElementById(id);

/** An element with a class and either a text or children. */
export function make(tag, className = "", content = []) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (typeof content === "string") element.textContent = visible(content);
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

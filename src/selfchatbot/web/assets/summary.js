/** What was found in the chats: who I am there, how much it is, and one conversation with the words that are trained. */

import { choice, count, make, part, several, visible } from "./dom.js";

/** Rows of a table. The rest can be typed. */
const MAX_ROWS = 12;
/** What a name is replaced by, see `redact` in docs/parameters.md. */
const PLACEHOLDER = /^\[.*\]$/;
const WARNING = "warning: ";

/** Ask who I am in a format. */
export function askWho({ format, app, senders }) {
  const all = Object.entries(senders);
  part("who").hidden = false;
  part("who").dataset.format = format;
  part("who-title").textContent = `Who are you in ${app ?? format}?`;
  part("senders").replaceChildren(
    ...all.slice(0, MAX_ROWS).map(([name, number]) => choice("me", name, `${name} (${several(number, "message")})`)),
  );
  part("all-senders").replaceChildren(...all.map(([name]) => new Option(visible(name), name)));
  part("other-me").value = "";
  part("other-me").parentElement.hidden = all.length <= MAX_ROWS;
}

/** The name that was chosen or typed; empty if there is none. */
export function chosenMe() {
  return part("other-me").value.trim() || part("who").querySelector("input:checked")?.value || "";
}

/**
 * Show summary.json.
 * @param {string[] | null} said the lines that were printed with it, which have more warnings
 * @param {(found: {format: string, app: string, senders: object}) => void} change asks who I am after all
 */
export function showSummary({ formats = [], splits, warnings = [], example = [], left_out = [] }, said, change) {
  if (said) warnings = said.filter((line) => line.startsWith(WARNING)).map((line) => line.slice(WARNING.length));
  const { train, validation, test } = splits;
  const amount =
    `${several(train.replies, "reply").replace("replys", "replies")} of yours with ${count(train.words)} words to learn from; ` +
    `the newest are kept apart to measure with: ${count(validation.replies)} to validate, ${count(test.replies)} to test.`;
  part("summary").replaceChildren(
    ...formats.map((found) => format(found, change)),
    make("p", "", amount),
    ...warnings.map((text) => make("p", "warning", text)),
    make("h3", "", "Part of a conversation"),
    make("p", "", "The model learns to say what is marked as yours; the rest is only read."),
    make("ol", "log example", example.map(turn)),
  );
  askWhomToLeaveOut(formats, left_out);
}

/** Those who are left out already come first; nothing else names them. */
function askWhomToLeaveOut(formats, leftOut) {
  const messages = new Map();
  for (const { senders, me } of formats) {
    for (const [name, number] of Object.entries(senders)) {
      if (!me.includes(name) && !PLACEHOLDER.test(name)) messages.set(name, (messages.get(name) ?? 0) + number);
    }
  }
  const others = [...messages].sort(([, one], [, other]) => other - one).filter(([name]) => !leftOut.includes(name));
  const out = leftOut.map((name) => choice("out", name, name, "checkbox"));
  for (const { firstChild } of out) firstChild.checked = true;
  const rows = others.slice(0, MAX_ROWS).map(([name, number]) => choice("out", name, `${name} (${several(number, "message")})`, "checkbox"));
  part("others").replaceChildren(...out, ...rows);
  part("all-others").replaceChildren(...others.map(([name]) => new Option(visible(name), name)));
  part("another").value = "";
  part("another").parentElement.hidden = others.length <= MAX_ROWS;
}

/** The names of everybody who is to be left out. */
export function chosenOut() {
  const checked = [...part("others").querySelectorAll("input:checked")].map(({ value }) => value);
  return [...checked, part("another").value.trim()].filter(Boolean);
}

function format({ name, app = name, files, chats, me, me_found, senders }, change) {
  const days = files.flatMap(({ first, last }) => [first, last]).filter(Boolean).map((time) => time.slice(0, 10).replaceAll("-", "\u2011")).sort();
  const when = days.length ? `, ${days[0]} to ${days.at(-1)}` : "";
  const paths = new Set(files.map(({ path }) => path));
  const all = Object.entries(senders);
  const shown = all.filter(([sender], index) => index < MAX_ROWS || me.includes(sender));
  const rows = shown.map(([sender, number]) => {
    const row = make("tr", me.includes(sender) ? "me" : "", [make("th", "", sender), make("td", "", count(number))]);
    row.append(make("td", "", me.includes(sender) ? "you" : ""));
    return row;
  });
  if (all.length > shown.length) rows.push(make("tr", "", [make("th", "", `and ${count(all.length - shown.length)} more`)]));
  const wrong = make("button", "wide", "That is not me");
  wrong.type = "button";
  wrong.addEventListener("click", () => change({ format: name, app, senders }));
  return make("div", "format-found", [
    make("h3", "", app),
    make("p", "", `${several(paths.size, "file")}, ${several(chats, "chat")}${when}`),
    make("table", "", [make("caption", "hidden", `Who writes in ${app}, by messages with text`), make("tbody", "", rows)]),
    make("p", "", `You are ${me.join(" and ")}: ${me_found}. `),
    wrong,
  ]);
}

function turn({ role, content }) {
  const mine = role === "assistant";
  const lines = mine ? content.split("\n").filter((line) => line.trim()) : [content];
  const element = make("li", `turn ${mine ? "mine" : role}`, [make("span", "speaker", mine ? "you" : role === "system" ? "" : "them")]);
  element.append(...lines.map((line) => make(mine ? "mark" : "div", "bubble", line)));
  return element;
}

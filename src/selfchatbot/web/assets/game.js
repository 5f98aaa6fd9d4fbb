/** "Me or model?": two replies to the same conversation; only the server knows which one is real. */

import { about, guess, nextRound } from "./api.js";
import { load } from "./store.js";
import { note, show } from "./view.js";

const part = (id) => document.getElementById(id);
const sides = ["a", "b"];
/** The id of the round that waits for a guess; empty if there is none. */
let open = "";

async function begin() {
  document.documentElement.dataset.theme = load("theme", "auto");
  try {
    const { name } = await about();
    part("status").textContent = `Which reply is ${name}'s own?`;
    await next(name);
    part("next").addEventListener("click", () => next(name));
  } catch (error) {
    fail(error);
  }
}

async function next(name) {
  part("next").hidden = true;
  part("answers").hidden = true;
  part("score").hidden = true;
  part("verdict").textContent = "The model is writing its reply…";
  try {
    const round = await nextRound();
    show(round.context, { name, other: "The other side" });
    for (const side of sides) {
      part(side).querySelector(".text").textContent = round[side];
      part(side).className = "answer";
      part(side).disabled = false;
    }
    part("answers").hidden = false;
    part("verdict").textContent = "One reply is real, the other is the model's.";
    open = round.id;
    part("b").scrollIntoView({ block: "nearest" });
    // Not one of the replies, which would look chosen.
    part("answers").focus({ preventScroll: true });
  } catch (error) {
    fail(error);
  }
}

async function choose(side) {
  if (!open) return;
  const id = open;
  open = "";
  try {
    const { real, verdict, score } = await guess(id, side);
    for (const one of sides) {
      part(one).disabled = true;
      part(one).classList.toggle("real", one === real);
    }
    part("verdict").textContent = verdict;
    part("score").textContent = score;
    part("score").hidden = false;
    part("next").hidden = false;
    part("next").focus();
    // The footer has grown and may cover them.
    part("b").scrollIntoView({ block: "nearest" });
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  part("verdict").textContent = "";
  note(error.status === 401 ? "This server needs its token: go back to the conversation and enter it." : error.message);
}

for (const side of sides) part(side).addEventListener("click", () => choose(side));
document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (sides.includes(key) && !event.ctrlKey && !event.metaKey && !event.altKey) choose(key);
});

begin();

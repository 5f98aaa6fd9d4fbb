/**
 * Ratings of the last reply, saved as preferences for the next training, by the rules of a session in the terminal:
 * a good reply is better than the bad ones before it and than others; a bad one is worse than the one that is accepted
 * in its place; a corrected one is worse than the correction.
 */

import { replies, savePreference } from "./api.js";
import { parameters } from "./settings.js";
import { note, showOthers } from "./view.js";

/** Other replies that are made to choose from. */
const OTHERS = 3;

/**
 * What can be done with the last reply, besides having another one made.
 * @returns {import("./view.js").Tool[]}
 */
export function ratingTools(conversation) {
  const others = { kind: "others", label: "Others", act: () => offerOthers(conversation), named: true };
  if (!conversation.canRate) return [others];
  return [
    others,
    { kind: "good", label: "A good reply", act: () => good(conversation), pressed: conversation.last.rated ?? false },
    { kind: "bad", label: "A bad reply", act: () => bad(conversation), pressed: false },
    { kind: "edit", label: "Correct it", act: conversation.correct },
  ];
}

/** The conversation goes on from the last reply: it is better than those that were rated bad before it. */
export function accepted(conversation) {
  const { last, prompt } = conversation;
  if (last?.role !== "assistant" || !last.worse?.length || last.worse.includes(last.content)) return;
  // The next reply need not wait for it.
  savePreference(prompt, last.content, last.worse).catch((error) => note(error.message));
  delete last.worse;
}

/** The last reply should have been `text`. */
export async function corrected(conversation, text) {
  const { last } = conversation;
  if (text === last.content) return;
  const worse = [...(last.worse ?? []), last.content];
  await keepPreference(conversation, { role: "assistant", content: text }, () => worse);
}

async function good(conversation) {
  const { last } = conversation;
  if (last.rated) return;
  await keepPreference(conversation, last, async (signal) => {
    if (!last.worse?.length && !last.others?.length) await makeOthers(conversation, signal);
    return [...(last.worse ?? []), ...(last.others ?? [])];
  });
}

/**
 * Save `turn` as better than others, and show it in place of the last one.
 * @param {(signal: AbortSignal) => string[] | Promise<string[]>} worse
 */
async function keepPreference(conversation, turn, worse) {
  const { last } = conversation;
  let saved = 0;
  const problem = await conversation.work("saving…", async (signal) => {
    saved = await savePreference(conversation.prompt, turn.content, await worse(signal));
    delete turn.worse;
    turn.rated = saved > 0;
  });
  if (!conversation.replace(last, turn)) return;
  if (problem) note(problem);
  else if (saved) note("Saved for the next training", true);
  else note("Not saved: there is no other reply to compare it with", true);
}

/** Show another reply. That it is better is saved when it is accepted. */
function bad(conversation) {
  const { last } = conversation;
  const worse = [...(last.worse ?? []), last.content];
  const [next, ...others] = (last.others ?? []).filter((text) => !worse.includes(text));
  if (next === undefined) conversation.replyAgain(worse);
  else conversation.replace(last, { role: "assistant", content: next, others, worse });
}

async function offerOthers(conversation) {
  const { last } = conversation;
  let problem = "";
  if (!last.others?.length) {
    problem = await conversation.work("looking for others…", (signal) => makeOthers(conversation, signal));
  }
  if (!conversation.replace(last, last)) return;
  if (problem) note(problem);
  else if (!last.others?.length) note("It has nothing else to say", true);
  else showOthers(last.others, (index) => choose(conversation, index));
}

/** Take another reply; the last one is among the others from now on. */
function choose(conversation, index) {
  const { last } = conversation;
  const others = last.others.with(index, last.content);
  const { worse } = last;
  conversation.replace(last, { role: "assistant", content: last.others[index], others, ...(worse && { worse }) });
}

async function makeOthers(conversation, signal) {
  const { last } = conversation;
  const made = await replies(conversation.prompt, OTHERS, parameters(), signal);
  last.others = [...new Set(made)].filter((text) => text.trim() && text !== last.content);
  conversation.keep();
}

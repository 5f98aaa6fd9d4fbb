/** Requests to the server of this page: who the model is, its replies as they are generated, ratings, the game. */

import { load, save } from "./store.js";

let token = load("token", "", "sessionStorage");

export class ServerError extends Error {
  /** @param {number} status 0 if the server can't be reached */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Send this token from now on, until the tab is closed. */
export function useToken(value) {
  token = value;
  save("token", value, "sessionStorage");
}

/** Whether a token is being sent. */
export function hasToken() {
  return token !== "";
}

/**
 * @returns {Promise<{name: string, parameters: object, contacts: {name: string, system: string}[], game: boolean,
 *   ratings: boolean, pace: import("./pace.js").Pace | null}>}
 */
export async function about() {
  return (await ask("about")).json();
}

/**
 * The parts of a reply as they are generated; aborting the signal stops the model.
 * @param {{role: string, content: string}[]} messages
 * @param {object} parameters named as in the API
 * @param {AbortSignal} signal
 */
export async function* reply(messages, parameters, signal) {
  const body = JSON.stringify({ messages, stream: true, ...parameters });
  const response = await ask("v1/chat/completions", { method: "POST", body, signal });
  for await (const event of events(response.body)) {
    if (event === "[DONE]") return;
    const chunk = JSON.parse(event);
    if (chunk.error) throw new ServerError(500, chunk.error.message);
    const text = chunk.choices[0]?.delta.content;
    if (text) yield text;
  }
  throw new ServerError(0, "The connection was lost.");
}

/**
 * Several replies at once, which may be equal.
 * @returns {Promise<string[]>}
 */
export async function replies(messages, count, parameters, signal) {
  const body = JSON.stringify({ messages, n: count, ...parameters });
  const response = await ask("v1/chat/completions", { method: "POST", body, signal });
  return (await response.json()).choices.map((choice) => choice.message.content);
}

/**
 * Save that one reply is better than others, for the next training.
 * @param {string[]} rejected
 * @returns {Promise<number>} how many comparisons were saved
 */
export async function savePreference(messages, chosen, rejected) {
  const body = JSON.stringify({ messages, chosen, rejected });
  return (await (await ask("preferences", { method: "POST", body })).json()).saved;
}

/** @returns {Promise<{id: string, context: {role: string, content: string}[], a: string, b: string}>} */
export async function nextRound() {
  return (await ask("game/round", { method: "POST", body: "{}" })).json();
}

/** @returns {Promise<{real: "a" | "b", verdict: string, score: string}>} */
export async function guess(id, side) {
  return (await ask("game/guess", { method: "POST", body: JSON.stringify({ id, side }) })).json();
}

/** Ask for something below setup/, see setup_routes.py; with values, do something. */
export async function setup(path, values) {
  const options = values && { method: "POST", body: JSON.stringify(values) };
  return (await ask(`setup/${path}`, options)).json();
}

/**
 * Send a file into the setup.
 * @param {string} path relative, with slashes
 * @param {(bytes: number) => void} onProgress which fetch doesn't have
 */
export function sendFile(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `setup/files?path=${encodeURIComponent(path)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
    request.addEventListener("load", () => {
      if (request.status === 200) return resolve();
      let message = `The server says ${request.status}.`;
      try {
        ({ message } = JSON.parse(request.responseText).error);
      } catch {
        // No JSON: the status alone has to do.
      }
      reject(new ServerError(request.status, message));
    });
    request.addEventListener("error", () => reject(new ServerError(0, `${path} could not be sent: is the server still running?`)));
    request.send(file);
  });
}

async function ask(path, options = {}) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "The server can't be reached: is it still running?");
  }
  if (response.ok) return response;
  let message = `The server says ${response.status}.`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // No JSON: the status alone has to do.
  }
  throw new ServerError(response.status, message);
}

/** The data of server-sent events; a chunk of the body may hold several of them, or half of one. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const whole = text.split("\n\n");
      text = whole.pop();
      for (const event of whole) if (event.startsWith("data: ")) yield event.slice(6);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

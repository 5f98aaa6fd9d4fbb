/** Replies as fast as the person types them, one whole message after another. */

/**
 * @typedef {{pause: number, seconds_per_character: number, most: number}} Pace
 * in seconds: before typing begins, for each character, and at most for a message
 */

/**
 * The messages of a reply, each followed by a line break and not before it could have been typed.
 * @param {AsyncIterable<string>} parts of the reply, as they are generated
 * @param {Pace} pace
 * @param {AbortSignal} signal
 */
export async function* atPace(parts, pace, signal) {
  let last = performance.now();
  for await (const message of messages(parts)) {
    const seconds = Math.min(pace.pause + pace.seconds_per_character * message.length, pace.most);
    await sleep(last + 1000 * seconds - performance.now(), signal);
    yield `${message}\n`;
    last = performance.now();
  }
}

async function* messages(parts) {
  let line = "";
  for await (const part of parts) {
    const lines = (line + part).split("\n");
    line = lines.pop();
    yield* lines.filter((one) => one.trim());
  }
  if (line.trim()) yield line;
}

function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
  });
}

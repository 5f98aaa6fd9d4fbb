/** A training as it goes on: the loss curve, the numbers, and what the model says so far. */

import { count, make, part, visible } from "./dom.js";

const WIDTH = 640;
const HEIGHT = 260;
const LEFT = 68;
const BOTTOM = 34;
const TOP = 20;

/** ``about 3 minutes left`` */
export function timeLeft(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "less than a minute left";
  if (minutes < 90) return `about ${minutes} minute${minutes === 1 ? "" : "s"} left`;
  return `about ${(minutes / 60).toFixed(1)} hours left`;
}

/** Step, losses, speed and memory of a progress event. */
export function showNumbers(progress) {
  const { step, steps, loss, validation_loss, base_loss, tokens_per_second, memory } = progress;
  const numbers = [
    `step ${count(step)} of ${count(steps)}`,
    loss == null ? "" : `loss ${loss.toFixed(2)}`,
    validation_loss == null ? "" : `validation ${validation_loss.toFixed(2)}${base_loss == null ? "" : ` (base model ${base_loss.toFixed(2)})`}`,
    `${count(Math.round(tokens_per_second))} tokens/s`,
    memory ? `${(memory / 2 ** 30).toFixed(1)} GiB` : "",
  ];
  part("training-numbers").textContent = numbers.filter(Boolean).join(" · ");
}

/** The model's answers beside what was really said. */
export function showSamples(samples) {
  const shown = (samples?.samples ?? []).map(({ question, mine, answer }) =>
    make("dl", "sample", [
      make("dt", "", "they"), make("dd", "", question),
      make("dt", "", "you"), make("dd", "mine", mine),
      make("dt", "", "model"), make("dd", "", answer),
    ]),
  );
  part("samples").replaceChildren(...(shown.length ? [make("h3", "", `What it says after step ${samples.step}`), ...shown] : []));
}

/**
 * Draw the losses.
 * @param {{step: number, loss?: number, validation_loss?: number}[]} records the lines of metrics.jsonl
 * @param {number} steps of the whole training; 0 if unknown
 */
export function drawCurve(records, steps) {
  const losses = records.filter(({ loss }) => Number.isFinite(loss));
  const validations = records.filter(({ validation_loss }) => Number.isFinite(validation_loss));
  // The mean of the first few steps is still one of single windows.
  const few = Math.min(20, Math.floor(losses.length / 10));
  const training = smoothed(losses.map(({ loss }) => loss)).map((value, index) => [losses[index].step, value]).slice(few);
  const validation = validations.map(({ step, validation_loss }) => [step, validation_loss]);
  const values = [...training, ...validation].map(([, value]) => value);
  part("curve").toggleAttribute("hidden", values.length < 2);
  part("key").hidden = values.length < 2;
  if (values.length < 2) return;
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (high - low < 0.1) [low, high] = [low - 0.05, high + 0.05];
  const last = Math.max(steps, ...records.map(({ step }) => step), 1);
  const x = (step) => LEFT + ((WIDTH - LEFT - 12) * step) / last;
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);
  const points = (pairs) => pairs.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const drawn = [];
  for (const share of [0, 0.5, 1]) {
    const value = low + share * (high - low);
    drawn.push(shape("line", { class: "grid", x1: LEFT, x2: WIDTH - 12, y1: y(value), y2: y(value) }));
    drawn.push(text(value.toFixed(2), LEFT - 8, y(value) + 4, "end"));
    drawn.push(text(count(Math.round(share * last)), x(share * last), HEIGHT - 8, share === 1 ? "end" : "middle"));
  }
  const base = validation[0];
  if (base) drawn.push(shape("line", { class: "base", x1: LEFT, x2: WIDTH - 12, y1: y(base[1]), y2: y(base[1]) }));
  drawn.push(shape("polyline", { class: "train", points: points(training) }));
  drawn.push(shape("polyline", { class: "validation", points: points(validation) }));
  drawn.push(...validation.map(([step, value]) => shape("circle", { class: "validation", cx: x(step), cy: y(value), r: 3.5 })));
  part("curve").replaceChildren(...drawn);
  const now = validation.length > 1 ? `now ${validation.at(-1)[1].toFixed(2)} at step ${validation.at(-1)[0]}` : "";
  part("curve").setAttribute("aria-label", `Validation loss: base model ${base?.[1].toFixed(2)}, ${now}`);
}

/** A running mean, as in loss.png. */
function smoothed(losses) {
  const keep = 0.5 ** (20 / Math.max(20, losses.length));
  let [mean, weight] = [0, 0];
  return losses.map((loss) => {
    [mean, weight] = [keep * mean + (1 - keep) * loss, keep * weight + (1 - keep)];
    return mean / weight;
  });
}

function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function text(content, x, y, anchor) {
  const element = shape("text", { x, y, "text-anchor": anchor });
  element.textContent = visible(content);
  return element;
}

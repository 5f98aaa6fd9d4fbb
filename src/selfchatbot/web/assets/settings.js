/** Appearance, pace, and generation parameters, which are the model's own until they are changed here. */

import { load, save } from "./store.js";

const dialog = document.getElementById("settings");
const fields = [...dialog.querySelectorAll("[data-key]")];
const pace = document.getElementById("pace");
const API_NAMES = { max_new_tokens: "max_tokens" };
let defaults = {};
let changed = Object.fromEntries(
  Object.entries(load("parameters", {})).filter(
    ([key, value]) => Number.isFinite(value) && fields.some((field) => field.dataset.key === key),
  ),
);

/** The parameters that differ from the model's own, by their names in the API. */
export function parameters() {
  return Object.fromEntries(Object.entries(changed).map(([key, value]) => [API_NAMES[key] ?? key, value]));
}

/** Whether replies take as long as the person needs to type them. */
export function keepsPace() {
  return pace.checked && !pace.disabled;
}

/** @param {{name: string, parameters: object, pace: object | null}} model as the server describes it */
export function setUp(model) {
  defaults = model.parameters;
  fields.forEach(showValue);
  pace.disabled = model.pace === null;
  document.getElementById("pace-help").textContent = `Replies take as long as ${model.name} needs to type them.`;
}

function showValue(field) {
  const value = changed[field.dataset.key] ?? defaults[field.dataset.key] ?? "";
  field.value = value;
  showNumber(field);
}

function showNumber(field) {
  const output = dialog.querySelector(`output[for="${field.id}"]`);
  if (output) output.textContent = Number(field.value).toFixed(2);
}

for (const field of fields) {
  field.addEventListener("input", () => {
    showNumber(field);
    if (!field.validity.valid) return;
    const { key } = field.dataset;
    if (field.value === "" || Number(field.value) === defaults[key]) delete changed[key];
    else changed[key] = Number(field.value);
    save("parameters", changed);
  });
  // Reset a value that is not allowed.
  field.addEventListener("change", () => field.validity.valid || showValue(field));
}

document.getElementById("reset").addEventListener("click", () => {
  changed = {};
  save("parameters", changed);
  fields.forEach(showValue);
});

pace.checked = load("pace", false);
pace.addEventListener("change", () => save("pace", pace.checked));

document.getElementById("open-settings").addEventListener("click", () => dialog.showModal());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

function useTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const choice of document.getElementsByName("theme")) choice.checked = choice.value === theme;
}
document.getElementById("themes").addEventListener("change", (event) => {
  useTheme(event.target.value);
  save("theme", event.target.value);
});
useTheme(load("theme", "auto"));

/** From files to a model that talks: which step is next, and what the machine does now. Everything is kept on the server. */

import { askToForget, chosenRun, openReport, renderAfter, showRuns } from "./after.js";
import { setup, useToken } from "./api.js";
import { choice, make, part, visible } from "./dom.js";
import { setUpFiles, showFiles } from "./files.js";
import { load } from "./store.js";
import { askWho, chosenMe, chosenOut, showSummary } from "./summary.js";
import { drawCurve, showNumbers, showSamples, timeLeft } from "./training.js";

const POLL_MILLISECONDS = 1000;

let datasets = [];
/** What the server does now or did last, see tasks.py. */
let task = null;
/** The model that is loaded: its dataset and run. */
let talking = null;
/** What is on the page: a dataset's id, or "new". */
let shown = "";
/** Whether files are being added to the dataset that is shown. */
let adding = false;
/** How the machine trains the listed models, by name. */
let methods = {};
let timer = 0;
/** Whether the server could not be reached the last time. */
let lost = false;

async function begin() {
  document.documentElement.dataset.theme = load("theme", "auto");
  clearTimeout(timer);
  lost = false;
  try {
    const state = await setup("state");
    ({ task, talking } = state);
    await refresh();
    if (!location.hash && task?.running) shown = task.dataset;
    await select();
    await showFiles();
    timer = setTimeout(poll, POLL_MILLISECONDS);
  } catch (error) {
    fail(error);
    if (error.status !== 401) timer = setTimeout(begin, 5 * POLL_MILLISECONDS);
  }
}

/** Ask for the datasets again. */
async function refresh() {
  const found = await setup("datasets");
  ({ datasets } = found);
  if (!part("name").value) part("name").value = found.name;
  part("back").hidden = talking === null;
}

/** Show the dataset of the address, or a new one. */
async function select() {
  const asked = decodeURIComponent(location.hash.slice(1)) || shown;
  shown = datasets.some(({ id }) => id === asked) ? asked : asked !== "new" && datasets.length ? datasets.at(-1).id : "new";
  adding = false;
  part("problem").hidden = true;
  part("datasets").hidden = datasets.length === 0;
  part("datasets").replaceChildren(...datasets.map(({ id, name }) => chip(id, name)), chip("new", "New"));
  part("who").hidden = true;
  part("summary").replaceChildren();
  const dataset = current();
  if (!dataset) await offerModels();
  else if (dataset.read) {
    const said = task?.kind === "preprocess" && task.dataset === shown ? task.lines : null;
    showSummary(await setup(`summary?dataset=${encodeURIComponent(shown)}`), said, askWho);
  }
  await showTraining();
  if (dataset?.trained) await showRuns(shown);
  render();
}

const current = () => datasets.find(({ id }) => id === shown);

function chip(id, name) {
  const link = make("a", "chip", name);
  link.href = `#${encodeURIComponent(id)}`;
  if (id === shown) link.setAttribute("aria-current", "page");
  return link;
}

async function offerModels() {
  if (Object.keys(methods).length) return;
  setup("models")
    .then(({ hardware, models }) => {
      methods = Object.fromEntries(models.map(({ model, method }) => [model, method]));
      part("hardware").textContent = `This machine has ${hardware}.`;
      const rows = models.map(({ model, what }, index) => {
        const row = choice("model", model, `${model}${index ? "" : " (recommended)"}`);
        row.lastChild.append(make("small", "", what));
        row.firstChild.checked = index === 0;
        return row;
      });
      part("other-model").before(...rows);
    })
    .catch(fail);
}

/** Ask what happens now, again and again. */
async function poll() {
  try {
    const before = task;
    ({ task, talking } = await setup("state"));
    if (lost) return begin();
    if (before?.running && !task?.running) {
      await refresh();
      if (task?.dataset === shown) await select();
    } else if (task?.running && task.dataset === shown) await showTraining();
    render();
  } catch (error) {
    fail(error);
  }
  timer = setTimeout(poll, POLL_MILLISECONDS);
}

async function showTraining() {
  const dataset = current();
  if (!dataset?.read) return;
  const now = task?.kind === "train" && task.dataset === shown ? task : null;
  const { records } = await setup(`metrics?dataset=${encodeURIComponent(shown)}`);
  drawCurve(records, now?.progress?.steps ?? 0);
  showSamples(now?.samples);
  part("training-numbers").textContent = "";
  if (now?.progress) showNumbers(now.progress);
}

/** Show and hide what belongs to the current state. */
function render() {
  const dataset = current();
  const own = task?.dataset === shown ? task : null;
  const does = (kind) => Boolean(own?.running && own.kind === kind);
  part("status").textContent = task?.running ? `${names(task.dataset)}: ${doing()}` : talking ? `${names(talking.dataset)} is ready to talk` : "ready";
  part("files").hidden = Boolean(dataset) && !adding;
  part("new").hidden = Boolean(dataset);
  part("add-files").hidden = !dataset || part("found").childElementCount === 0;
  part("chats").hidden = !dataset || !dataset.raw && !dataset.read;
  part("training").hidden = !dataset?.read || does("preprocess");
  part("after").hidden = !dataset?.trained || does("preprocess") || does("train");
  if (!dataset) return;
  const reading = does("preprocess");
  if (!reading && own?.kind === "preprocess" && own.who && part("who").hidden && !dataset.read) askWho(own.who);
  if (reading) part("who").hidden = true;
  say("reading", reading ? `${own.doing}…` : own?.kind === "preprocess" ? (own.who ? "" : own.message) : dataset.read ? "" : "These chats have not been read yet.");
  part("summary").hidden = reading;
  part("leave-out").hidden = reading || !dataset.raw || !dataset.read;
  part("read").hidden = reading || !dataset.raw;
  part("read").textContent = dataset.read ? "Read the chats again" : "Read the chats";
  part("more").hidden = reading || adding || !dataset.raw;
  part("stop-reading").hidden = !reading;
  renderTraining(dataset, own, does("train"));
  say("after-status", renderAfter(own));
}

function renderTraining(dataset, own, trains) {
  const { progress } = own ?? {};
  part("trained").hidden = !trains || !progress;
  if (progress?.steps) part("trained").value = progress.step / progress.steps;
  let status = dataset.unfinished ? "A training was stopped here: it can go on where it was." : "";
  if (dataset.trained && !dataset.unfinished) status = `The run ${dataset.run} is complete. Training again keeps it.`;
  if (dataset.training) status = "Another program is training this one.";
  if (trains) status = own.stopping ? "saving, then it stops…" : progress ? timeLeft(progress.seconds_left) : `${own.doing}…`;
  else if (own?.kind === "train") status = own.message || status;
  say("training-status", status);
  part("run-field").hidden = trains || dataset.unfinished;
  part("train").hidden = trains || dataset.training;
  part("train").textContent = dataset.unfinished ? "Resume" : dataset.trained ? "Train again" : "Train";
  part("restart").hidden = trains || dataset.training || !dataset.unfinished;
  part("stop").hidden = !trains || own.stopping;
}

/** A status, which is read aloud only when it changes. */
function say(id, text) {
  text = visible(text);
  if (part(id).textContent !== text) part(id).textContent = text;
  part(id).classList.toggle("warning", Boolean(task?.failed && text === visible(task.message)));
}

const names = (id) => visible(datasets.find((one) => one.id === id)?.name ?? id);

function doing() {
  const { kind, doing, stopping } = task;
  const words = { preprocess: "reading the chats", train: "training", evaluate: "evaluating", export: "exporting" };
  return stopping ? "stopping" : words[kind] ?? doing;
}

function fail(error) {
  if (error.status === 401) return part("ask-token").showModal();
  if (error.status === 404 && !datasets.length) error = new Error("This server is for talking only. Start it on your own machine, without --host.");
  lost = error.status === 0;
  if (lost) part("status").textContent = "not connected";
  if (!part("problem").hidden && part("problem").textContent === error.message) return;
  part("problem").textContent = error.message;
  part("problem").hidden = false;
  part("problem").scrollIntoView({ block: "nearest" });
}

/** Do something on the server, one thing at a time, then show what has changed. */
async function act(path, values, then = () => {}) {
  if (part("steps").ariaBusy === "true") return;
  part("steps").ariaBusy = "true";
  part("problem").hidden = true;
  try {
    const answer = await setup(path, values);
    ({ task, talking } = await setup("state"));
    await refresh();
    await then(answer);
    render();
  } catch (error) {
    fail(error);
  }
  part("steps").ariaBusy = "false";
}

const model = () => {
  const chosen = part("models").querySelector("input[type=radio]:checked")?.value || part("model-name").value.trim();
  return { model: chosen, method: methods[chosen] ?? "lora" };
};

async function forgotten(deleted) {
  await refresh();
  await select();
  part("status").textContent = `deleted: ${deleted}`;
}

function show(id) {
  shown = id;
  location.hash = encodeURIComponent(id);
}

setUpFiles((exports) => {
  part("create").disabled = exports === 0;
  part("add-files").hidden = !adding || exports === 0;
}, fail);
part("model-name").addEventListener("input", () => (part("other-model").firstElementChild.checked = true));
part("new").addEventListener("submit", async (event) => {
  event.preventDefault();
  await act("create", { name: part("name").value, ...model() }, async ({ dataset }) => {
    await showFiles();
    show(dataset);
    await select();
    part("chats-title").focus();
  });
});
part("check").addEventListener("click", async () => {
  part("checked").textContent = "Looking…";
  await act("check", model(), ({ problem }) => (part("checked").textContent = problem ?? "It can be had, and it fits."));
  if (!part("problem").hidden) part("checked").textContent = "";
});
part("who").addEventListener("submit", async (event) => {
  event.preventDefault();
  const me = chosenMe();
  if (me) await act("preprocess", { dataset: shown, format: part("who").dataset.format, me });
});
part("leave-out").addEventListener("submit", async (event) => {
  event.preventDefault();
  await act("preprocess", { dataset: shown, left_out: chosenOut() });
});
part("read").addEventListener("click", () => act("preprocess", { dataset: shown }));
part("more").addEventListener("click", () => {
  adding = true;
  render();
  part("files-title").focus();
});
part("add-files").addEventListener("click", () => act("add", { dataset: shown }, async () => {
  adding = false;
  await showFiles();
}));
part("train").addEventListener("click", () => {
  const name = part("run-name").value.trim();
  act("train", { dataset: shown, ...(name && !current().unfinished ? { name } : {}) });
});
part("restart").addEventListener("click", () => act("train", { dataset: shown, restart: true }));
for (const id of ["stop", "stop-reading", "stop-after"]) part(id).addEventListener("click", () => act("stop", {}));
part("talk").addEventListener("click", async () => {
  part("status").textContent = "loading the model";
  await act("talk", { dataset: shown, run: chosenRun() }, () => (location.href = "./"));
});
for (const id of ["evaluate", "export"]) {
  part(id).addEventListener("click", () => act(id, { dataset: shown, run: chosenRun() }));
}
part("likeness").addEventListener("click", () => openReport(shown).catch(fail));
part("forget").addEventListener("click", () => askToForget(shown, names(shown), forgotten, fail).catch(fail));
part("forget-close").addEventListener("click", () => part("forget-dialog").close());
part("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(part("token").value);
  part("token").value = "";
  part("ask-token").close();
  begin();
});
window.addEventListener("hashchange", () => select().catch(fail));

begin();

/** What can be done with a trained model: talk, evaluate, look at the report, export, compare runs, forget. */

import { setup } from "./api.js";
import { make, part } from "./dom.js";
import { timeLeft } from "./training.js";

const of = (dataset) => `?dataset=${encodeURIComponent(dataset)}`;

/** Which of several runs is meant; null for the newest. */
export function chosenRun() {
  return part("runs").querySelector("input:checked")?.value || null;
}

/** Show the trainings of a dataset, to choose one and to compare them. */
export async function showRuns(dataset) {
  const { runs } = await setup(`runs${of(dataset)}`);
  const keys = Object.keys(runs[0]?.parameters ?? {});
  const heads = ["run", "loss before", "loss at best", "told apart", ...keys];
  part("runs").hidden = runs.length === 0;
  part("likeness").disabled = !runs.some(({ likeness }) => likeness);
  part("runs-head").replaceChildren(...heads.map((head) => Object.assign(make("th", "", head), { scope: "col" })));
  const before = chosenRun();
  part("runs-body").replaceChildren(
    ...runs.map(({ run, name, base, best, auc, parameters }, index) => {
      const input = Object.assign(make("input"), { type: "radio", name: "run", value: run ?? "" });
      input.checked = before === null ? index === 0 : before === run;
      const values = [base?.toFixed(2), best?.toFixed(2), auc, ...keys.map((key) => parameters[key])];
      const cells = values.map((value, column) => {
        const cell = make("td", "", value ?? "");
        cell.dataset.head = heads[column + 1]; // a narrow screen has no heads
        return cell;
      });
      const label = make("label", "", [input, make("span", "", name)]);
      return make("tr", "", [Object.assign(make("th", "", [label]), { scope: "row" }), ...cells]);
    }),
  );
}

/** Open the report of the chosen run in a tab of its own. */
export async function openReport(dataset) {
  const { address } = await setup("likeness", { dataset, run: chosenRun() });
  window.open(address, "_blank", "noopener");
}

/** Show how far an evaluation or an export is. */
export function renderAfter(task) {
  const runs = task?.running && ["evaluate", "export"].includes(task.kind);
  const { progress } = task ?? {};
  part("after-progress").hidden = !runs || !progress?.steps;
  if (progress?.steps) part("after-progress").value = progress.step / progress.steps;
  part("stop-after").hidden = !runs || task.stopping;
  for (const id of ["talk", "evaluate", "export", "forget"]) part(id).hidden = Boolean(runs);
  if (!runs) return ["evaluate", "export"].includes(task?.kind) ? task.message || task.lines.join("\n") : "";
  if (task.stopping) return "stopping…";
  const left = progress?.seconds_left ? `, ${timeLeft(progress.seconds_left)}` : "";
  return `${progress?.text ?? task.doing}…${left}`;
}

/**
 * Ask before anything is deleted.
 * @param {(deleted: string) => void} then
 * @param {(error: Error) => void} failed
 */
export async function askToForget(dataset, name, then, failed) {
  const { what } = await setup(`remaining${of(dataset)}`);
  part("forget-what").textContent = what
    ? `This deletes for ever: ${what}. All of it was made from other conversations than those that are there now.`
    : "Everything was made from the conversations that are there now, so there is nothing to delete. To forget somebody, leave them out above (under the part of a conversation), then come back.";
  part("forget-sure").hidden = what === "";
  part("forget-name").value = "";
  part("forget-label").textContent = `To be sure, type the dataset's name: ${name}`;
  part("forget-dialog").showModal();
  part("forget-form").onsubmit = async (event) => {
    event.preventDefault();
    if (part("forget-name").value.trim() !== name) return part("forget-name").select();
    part("forget-dialog").close();
    try {
      then((await setup("forget", { dataset, what })).deleted);
    } catch (error) {
      failed(error);
    }
  };
}

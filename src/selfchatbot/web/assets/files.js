/** Files and folders that are dropped or chosen: they are sent one after another, then the server says what they are. */

import { sendFile, setup } from "./api.js";
import { make, part, several } from "./dom.js";

/** Of a file that no format reads, its beginning is enough to say what it is. */
const HEAD = 65536;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** The server takes no deeper ones. */
const MAX_DEPTH = 16;

/** What the formats read: of a folder, nothing else is sent. */
let suffixes = [];
let names = [];
/** How much the server keeps. */
let maxBytes = 0;
let busy = false;
let onChange = () => {};
let onProblem = () => {};

/**
 * @param {(exports: number) => void} changed is called with the number of exports that wait
 * @param {(error: Error) => void} failed
 */
export function setUpFiles(changed, failed) {
  [onChange, onProblem] = [changed, failed];
  for (const id of ["pick-files", "pick-folder"]) {
    part(id).addEventListener("change", () => {
      const chosen = [...part(id).files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
      part(id).value = "";
      send(chosen);
    });
  }
  const drop = part("drop");
  const hasFiles = ({ dataTransfer }) => dataTransfer.types.includes("Files");
  // On the whole page: a browser opens a file that is dropped beside the place for it, and the page is gone.
  for (const kind of ["dragenter", "dragover"]) {
    addEventListener(kind, (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  addEventListener("dragleave", ({ relatedTarget }) => relatedTarget ?? drop.classList.remove("over"));
  addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (part("files").hidden) return;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    try {
      send((await Promise.all(entries.map((entry) => within(entry, "")))).flat());
    } catch (error) {
      onProblem(new Error(`What was dropped can't be read: ${error.message}`));
    }
  });
  part("clear-files").addEventListener("click", async () => {
    try {
      await setup("clear", {});
      await showFiles();
    } catch (error) {
      onProblem(error);
    }
  });
}

/** Show which files wait on the server, and what they are. */
export async function showFiles() {
  const found = await setup("files");
  ({ suffixes, names, max_bytes: maxBytes } = found);
  part("found").replaceChildren(...found.files.map(row));
  part("clear-files").hidden = found.files.length === 0;
  onChange(found.files.flatMap(({ formats }) => Object.values(formats)).reduce((sum, number) => sum + number, 0));
}

function row({ name, folder, formats, problem }) {
  const found = Object.entries(formats).map(([format, number]) => (folder ? `${format}, ${several(number, "file")}` : format));
  const said = problem?.startsWith(name) ? problem.slice(name.length).trim() : problem;
  const about = make("span", problem ? "warning" : "format", problem ? said : found.join("; "));
  return make("li", "", [make("span", "file", name), about]);
}

/** The files of a dropped file or folder. */
async function within(entry, above) {
  const path = `${above}${entry.name}`;
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const reader = entry.createReader();
  const files = [];
  for (;;) {
    // At most a hundred or so at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return files;
    for (const one of some) files.push(...(await within(one, `${path}/`)));
  }
}

const isRead = (name) => names.includes(name) || suffixes.some((suffix) => name.toLowerCase().endsWith(suffix));

/** @param {{path: string, file: File}[]} given */
async function send(given) {
  const wanted = given.filter(({ path, file }) => {
    const parts = path.split("/");
    return parts.length <= MAX_DEPTH && !parts.some((name) => name.startsWith(".") || name === "__MACOSX") && (parts.length === 1 || isRead(file.name));
  });
  if (busy || given.length === 0) return;
  if (wanted.length === 0) return onProblem(new Error("There is no file in that folder that could be an export."));
  const total = wanted.reduce((sum, { file }) => sum + (isRead(file.name) ? file.size : Math.min(file.size, HEAD)), 0) || 1;
  if (total > maxBytes) return onProblem(new Error(`That is more than ${maxBytes / GIB} GiB together: leave out films.`));
  busy = true;
  let before = 0;
  part("sending").hidden = false;
  try {
    for (const [index, { path, file }] of wanted.entries()) {
      const show = (sent) => {
        part("sent").value = Math.min(1, (before + sent) / total);
        const size = `${Math.round((before + sent) / MIB)} of ${Math.round(total / MIB)} MiB`;
        part("sent-text").textContent = `${index + 1} of ${several(wanted.length, "file")}, ${size}`;
      };
      show(0);
      const body = isRead(file.name) ? file : file.slice(0, HEAD);
      await sendFile(path, body, show);
      before += body.size;
    }
  } catch (error) {
    onProblem(error);
  }
  busy = false;
  part("sending").hidden = true;
  await showFiles().catch(onProblem);
}

/* The page: models and examples of the server, images of the reader. */

import * as api from "./api.js";
import { make } from "./drawing.js";
import { sameMask, samePlace } from "./grids.js";
import { Panel } from "./panel.js";
import * as words from "./words.js";

const element = (name) => document.getElementById(name);

function tell(text) {
  element("message").textContent = text;
  element("message").hidden = !text;
}

/** Show an image, a File or Blob, to every model. */
async function take(page, file, example = null) {
  tell("");
  const name = file.name ? `${file.name}: ` : "";
  if (file.size > page.mostBytes) {
    tell(`${name}the file is over the limit of ${page.mostBytes >> 20} MiB`);
    return;
  }
  for (const button of element("examples").children) {
    button.ariaPressed = String(button.dataset.name === example);
  }
  const taken = await Promise.allSettled(page.panels.map((panel) => panel.take(file)));
  const failed = taken.find((one) => one.status === "rejected");
  if (failed) tell(name + failed.reason.message);
}

async function takeExample(page, name) {
  try {
    await take(page, await api.exampleFile(name), name);
  } catch (error) {
    tell(error.message);
  }
}

function showExamples(page, examples) {
  const buttons = examples.map(({ name, title, credit }) => {
    const image = make("img", { src: api.exampleAddress(name), alt: "" });
    image.addEventListener("load", () => image.classList.toggle("few", image.naturalWidth < 64));
    const button = make("button", { type: "button", title: `${title} (${credit})` }, image);
    button.ariaLabel = title;
    button.dataset.name = name;
    button.addEventListener("click", () => takeExample(page, name));
    return button;
  });
  element("examples").replaceChildren(...buttons);
}

/** A dropped, pasted or chosen file; text and links are none. */
function listen(page) {
  const first = (transfer) => [...(transfer?.files ?? [])][0];
  element("file").addEventListener("change", ({ target }) => {
    if (target.files[0]) take(page, target.files[0]);
    target.value = "";
  });
  document.addEventListener("paste", ({ clipboardData }) => {
    if (first(clipboardData)) take(page, first(clipboardData));
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (first(event.dataTransfer)) take(page, first(event.dataTransfer));
    else tell("that was no file: drop an image file");
  });
}

/** What is picked and painted in one panel is so in the others, at the same place. */
function follow(page) {
  const others = (panel) => page.panels.filter((other) => other !== panel);
  return {
    fault: (error) => tell(error.message),
    pick(panel) {
      const { prefix, grid } = panel.subject;
      const onPatch = panel.token >= prefix.length;
      for (const other of others(panel)) {
        const patch = samePlace(panel.patch, grid, other.subject.grid);
        if (onPatch) other.pick(other.subject.prefix.length + patch, false);
        else if (panel.token < other.subject.prefix.length) other.pick(panel.token, false);
      }
    },
    mask(panel) {
      for (const other of others(panel)) {
        other.setMask(sameMask(panel.mask, panel.subject.grid, other.subject.grid), false);
      }
    },
  };
}

function showHeading(subjects) {
  const names = subjects.map(({ name }) => name).join(" and ");
  element("title").textContent = names;
  document.title = `${names} · vitreous explore`;
  if (subjects.length === 1) element("about").textContent = words.about(subjects[0]);
  const grids = new Set(subjects.map(({ grid }) => words.times(grid)));
  if (grids.size > 1) {
    element("grids").textContent =
      `Two grids, ${[...grids].join(" and ")}: each model has its own, and what is picked or painted ` +
      "in one is so in the other at the same place.";
    element("grids").hidden = false;
  }
}

async function begin() {
  try {
    const { subjects, examples, most_bytes: mostBytes } = await api.facts();
    const page = { mostBytes, panels: [] };
    showHeading(subjects);
    page.panels = subjects.map((subject, number) => new Panel(number, subject, follow(page)));
    element("panels").classList.toggle("two", subjects.length > 1);
    element("panels").replaceChildren(...page.panels.map((panel) => panel.element));
    showExamples(page, examples);
    listen(page);
    if (examples.length) await takeExample(page, examples[0].name);
  } catch (error) {
    tell(error.message);
  }
}

begin();

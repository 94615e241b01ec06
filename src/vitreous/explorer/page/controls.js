/* What lights the picture, which layer and head, and the tools. */

import { make } from "./drawing.js";

const VIEWS = {
  daylight: "daylight",
  given: "what it attends to",
  received: "what attends to it",
  rollout: "rollout",
  relevance: "relevance",
  occlusion: "occlusion",
};

export class Controls {
  /**
   * @param element The panel's.
   * @param on `view(name)`, `choose(layer, head)`, `cut(whether)`, `painting(whether)`, `clear()`.
   */
  constructor(element, number, subject, on) {
    Object.assign(this, { element, subject, on });
    this.buildViews(number);
    this.buildSliders();
    this.buildTools();
  }

  at(selector) {
    return this.element.querySelector(selector);
  }

  buildViews(number) {
    const { layers, classes } = this.subject;
    const offered = ["daylight", ...(layers ? ["given", "received", "rollout"] : [])];
    if (classes.length) offered.push(layers ? "relevance" : "occlusion");
    for (const view of offered) {
      const button = make("input", { type: "radio", name: `view-${number}`, value: view });
      button.addEventListener("change", () => this.on.view(view));
      const label = make("label", {}, button, make("span", { textContent: VIEWS[view] }));
      this.at(".views").append(label);
    }
  }

  buildSliders() {
    const { layers, heads } = this.subject;
    this.layer = this.at(".layer input");
    this.head = this.at(".head input");
    if (!layers) {
      for (const slider of this.element.querySelectorAll(".slider")) slider.remove();
      return;
    }
    [this.layer.max, this.head.max] = [layers, heads];
    for (const slider of [this.layer, this.head]) {
      slider.addEventListener("input", () => {
        this.on.choose(Number(this.layer.value) - 1, Number(this.head.value));
      });
    }
  }

  buildTools() {
    const [cut, paint, clear] = [".cut", ".paint", ".clear"].map((name) => this.at(name));
    cut.addEventListener("click", () => this.on.cut(toggle(cut)));
    paint.addEventListener("click", () => {
      this.on.painting(toggle(paint));
      this.showMask(this.masked);
    });
    clear.addEventListener("click", () => {
      this.on.clear();
      paint.focus();
    });
    paint.hidden = !this.subject.classes.length;
  }

  showView(view) {
    this.at(`.views [value="${view}"]`).checked = true;
  }

  choose(layer, head) {
    this.layer.value = layer + 1;
    this.at(".layer output").textContent = layer + 1;
    this.head.value = head;
    this.at(".head output").textContent = head || "mean";
    this.head.ariaValueText = head ? `head ${head}` : "mean of heads";
  }

  /** How many patches are painted over, or how to paint. */
  showMask(masked = 0) {
    this.masked = masked;
    const { grid } = this.subject;
    const painted = `${masked} of ${grid[0] * grid[1]} patches painted over with the mean colour.`;
    const how = "Draw over the picture; or move by the arrow keys and paint by the space bar.";
    const painting = this.at(".paint").ariaPressed === "true";
    this.at(".clear").hidden = !masked;
    this.at(".hint").textContent = masked ? painted : painting ? how : "";
  }
}

/** Press or release a button; returns whether it is pressed now. */
function toggle(button) {
  const pressed = button.ariaPressed !== "true";
  button.ariaPressed = String(pressed);
  return pressed;
}

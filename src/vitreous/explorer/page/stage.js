/* The image, cut into its patches as in the paper's Figure 1, lit by a map, masked by hand. */

import { colour, isStill, prepare } from "./drawing.js";

const FAINT = 0.24; // of a patch without light: so much of it still shows
const CUT = 0.13; // of a patch's side, between patches
const SHRINK = 0.46; // of the side of a patch without light
const EASE = 0.28; // of the way that is left, each frame
const FEW_PIXELS = 64;

export class Stage {
  /**
   * @param canvas The element.
   * @param subject Facts of the model.
   * @param on `pick(patch)`, `paint(patch, masked)`, `move(rows, columns)`.
   */
  constructor(canvas, subject, on) {
    Object.assign(this, { canvas, on, grid: subject.grid, patch: subject.patch });
    const [h, w] = this.grid;
    this.light = new Float32Array(h * w).fill(1);
    this.goal = this.light.slice();
    this.gap = this.gapGoal = CUT;
    this.chosen = null;
    this.mask = new Set();
    this.painting = false;
    this.image = null;
    canvas.style.aspectRatio = `${w * this.patch[1]} / ${h * this.patch[0]}`;
    canvas.style.maxWidth = `min(100%, ${(78 * w * this.patch[1]) / (h * this.patch[0])}vh)`;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Go to other values, smoothly where motion is welcome; `light` null is daylight. */
  show({ image, light, chosen, mask, cut }) {
    if (image !== undefined) this.image = image;
    if (light !== undefined) this.goal = light ?? new Float32Array(this.light.length).fill(1);
    if (chosen !== undefined) this.chosen = chosen;
    if (mask !== undefined) this.mask = mask;
    if (cut !== undefined) this.gapGoal = cut ? CUT : 0;
    if (isStill()) this.arrive();
    this.frame ??= requestAnimationFrame(() => this.step());
  }

  arrive() {
    this.light = this.goal.slice();
    this.gap = this.gapGoal;
  }

  step() {
    this.frame = null;
    let far = Math.abs(this.gapGoal - this.gap);
    this.gap += EASE * (this.gapGoal - this.gap);
    this.light.forEach((value, place) => {
      const way = this.goal[place] - value;
      this.light[place] += EASE * way;
      far = Math.max(far, Math.abs(way));
    });
    if (far < 0.004) this.arrive();
    else this.frame = requestAnimationFrame(() => this.step());
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!this.image || !width) return;
    const context = prepare(this.canvas, width, height);
    context.imageSmoothingEnabled = this.image.naturalWidth > FEW_PIXELS;
    for (let patch = 0; patch < this.light.length; patch += 1) this.drawPatch(context, patch);
    if (this.chosen !== null) this.drawChosen(context);
  }

  /** Where a patch lies on the canvas. */
  box(patch) {
    const [h, w] = this.grid;
    const pitch = [this.canvas.clientWidth / w, this.canvas.clientHeight / h];
    // What is dark is smaller too: on a black image, light alone would not be seen.
    const shrunk = (this.gap / CUT) * SHRINK * (1 - this.light[patch]);
    const gap = (this.gap + (1 - this.gap) * shrunk) * Math.min(...pitch);
    const [row, column] = [Math.floor(patch / w), patch % w];
    const x = snap(column * pitch[0] + gap / 2);
    const y = snap(row * pitch[1] + gap / 2);
    const width = snap((column + 1) * pitch[0] - gap / 2) - x;
    const height = snap((row + 1) * pitch[1] - gap / 2) - y;
    return { x, y, width, height, row, column };
  }

  drawPatch(context, patch) {
    const { x, y, width, height, row, column } = this.box(patch);
    if (this.mask.has(patch)) {
      drawHole(context, x, y, width, height);
      return;
    }
    const [high, wide] = this.patch;
    context.globalAlpha = FAINT + (1 - FAINT) * this.light[patch];
    context.drawImage(this.image, column * wide, row * high, wide, high, x, y, width, height);
    context.globalAlpha = 1;
  }

  drawChosen(context) {
    const { x, y, width, height } = this.box(this.chosen);
    context.lineWidth = 4.5;
    context.strokeStyle = "#fff";
    context.strokeRect(x, y, width, height);
    context.lineWidth = 2.5;
    context.strokeStyle = colour("--wrong");
    context.strokeRect(x, y, width, height);
  }

  /** The patch under a pointer, or null. */
  at({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const [h, w] = this.grid;
    const row = Math.floor((h * (clientY - top)) / height);
    const column = Math.floor((w * (clientX - left)) / width);
    return row >= 0 && row < h && column >= 0 && column < w ? row * w + column : null;
  }

  setPainting(painting) {
    this.painting = painting;
    this.canvas.classList.toggle("painting", painting);
  }

  listen() {
    const { canvas } = this;
    let masks = null; // what the stroke does; null between strokes
    let last = null;
    const meet = (event) => {
      const patch = this.at(event);
      if (patch === null || patch === last) return;
      last = patch;
      if (!this.painting) this.on.pick(patch);
      else {
        masks ??= !this.mask.has(patch);
        this.on.paint(patch, masks);
      }
    };
    const end = () => {
      masks = last = null;
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      end();
      canvas.setPointerCapture(event.pointerId);
      meet(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (last !== null && (this.painting || event.pointerType === "mouse")) meet(event);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, end);
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  press(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in moves) this.on.move(...moves[event.key]);
    else if ((event.key === " " || event.key === "Enter") && this.chosen !== null) {
      this.on.paint(this.chosen, !this.mask.has(this.chosen));
    } else return;
    event.preventDefault();
  }
}

/** To a whole pixel of the screen: patches that touch neither overlap nor leave a seam. */
function snap(length) {
  const scale = window.devicePixelRatio || 1;
  return Math.round(length * scale) / scale;
}

/** Paper with a hatch, where a patch was taken away. */
function drawHole(context, x, y, width, height) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.fillStyle = colour("--tint");
  context.fillRect(x, y, width, height);
  context.strokeStyle = colour("--muted");
  context.globalAlpha = 0.45;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = 3; at < width + height; at += 6) {
    context.moveTo(x + at, y);
    context.lineTo(x + at - height, y + height);
  }
  context.stroke();
  context.restore();
}

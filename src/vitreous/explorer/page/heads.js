/* Small maps of one token's attention: a column a layer, a row a head, their mean on top. */

import { colour, greatest, heat, prepare } from "./drawing.js";
import { headName } from "./words.js";

const LABEL = 40;
const TOP = 18;
const GAP = 3;
const LEAST = 15;
const MOST = 84;

export class Heads {
  /** @param pick Called with layer (from 0) and head (0 the mean, then from 1). */
  constructor(canvas, subject, pick) {
    Object.assign(this, { canvas, subject, pick, layer: 0, head: 0, maps: null });
    canvas.addEventListener("click", (event) => this.click(event));
    canvas.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
  }

  /** @param of Function of layer and head to the values at the patches. */
  show(of) {
    const { layers, heads, grid } = this.subject;
    this.maps = Array.from({ length: layers }, (_, layer) =>
      Array.from({ length: heads + 1 }, (_, head) => {
        const values = of(layer, head);
        return heat(values, grid, 0, greatest(values));
      }),
    );
    this.draw();
  }

  choose(layer, head) {
    Object.assign(this, { layer, head });
    this.canvas.ariaLabel = `Layer ${layer + 1}, ${headName(head)}; arrow keys choose another`;
    this.draw();
  }

  /** Width and height of one map, and how far apart they are. */
  measure() {
    const { layers, grid, patch } = this.subject;
    const ratio = (grid[0] * patch[0]) / (grid[1] * patch[1]);
    const room = (this.canvas.parentElement.clientWidth - LABEL) / layers - GAP;
    const width = Math.min(Math.max(room, LEAST), MOST);
    return { width, height: Math.max(width * ratio, 4) };
  }

  draw() {
    if (!this.maps) return;
    const { layers, heads } = this.subject;
    const { width, height } = this.measure();
    const size = [LABEL + layers * (width + GAP) + 1, TOP + (heads + 1) * (height + GAP) + 1];
    Object.assign(this.canvas.style, { width: `${size[0]}px`, height: `${size[1]}px` });
    const context = prepare(this.canvas, ...size);
    context.imageSmoothingEnabled = false;
    this.maps.forEach((column, layer) => {
      column.forEach((map, head) => {
        context.drawImage(map, ...this.corner(layer, head), width, height);
      });
    });
    this.label(context, width, height);
    context.lineWidth = 2.5;
    context.strokeStyle = colour("--wrong");
    context.strokeRect(...this.corner(this.layer, this.head), width, height);
  }

  corner(layer, head) {
    const { width, height } = this.measure();
    return [LABEL + layer * (width + GAP) + 1, TOP + head * (height + GAP) + 1];
  }

  label(context, width, height) {
    const { layers, heads } = this.subject;
    context.fillStyle = colour("--muted");
    context.font = `11px ${colour("--sans")}`;
    context.textBaseline = "middle";
    context.textAlign = "center";
    const skip = Math.ceil(18 / (width + GAP));
    for (let layer = skip - 1; layer < layers; layer += skip) {
      context.fillText(layer + 1, this.corner(layer, 0)[0] + width / 2, TOP / 2 - 1);
    }
    context.textAlign = "right";
    const rows = Math.ceil(12 / (height + GAP));
    for (let head = 0; head <= heads; head += rows) {
      context.fillText(head || "mean", LABEL - 8, this.corner(0, head)[1] + height / 2);
    }
  }

  click(event) {
    const { width, height } = this.measure();
    const layer = Math.floor((event.offsetX - LABEL) / (width + GAP));
    const head = Math.floor((event.offsetY - TOP) / (height + GAP));
    this.try(layer, head);
  }

  press(event) {
    const moves = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const [layers, heads] = moves[event.key];
    this.try(this.layer + layers, this.head + heads);
  }

  try(layer, head) {
    const { layers, heads } = this.subject;
    if (layer >= 0 && layer < layers && head >= 0 && head <= heads) this.pick(layer, head);
  }
}

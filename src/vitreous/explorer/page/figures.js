/* The attention distance of every head (the paper's Figure 7, right), and one position's map. */

import { heat } from "./drawing.js";
import { distanceCaption, placeOf, positionCaption } from "./words.js";

const WIDTH = 400;
const HEIGHT = 238;
const [LEFT, BOTTOM, TOP] = [34, 38, 10];

function svg(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** A round step that divides a range into about four. */
function roundStep(range) {
  const power = 10 ** Math.floor(Math.log10(range / 4));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => range / step <= 5);
}

export class Distances {
  /**
   * @param figure The whole figure.
   * @param pick Called with layer (from 0) and head (from 1).
   */
  constructor(figure, subject, pick) {
    const element = figure.querySelector("svg");
    Object.assign(this, { element, subject, caption: figure.querySelector("figcaption"), dots: [] });
    element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    element.setAttribute("aria-label", "Mean attention distance of each head, in pixels, by layer");
    element.addEventListener("click", (event) => this.click(event, pick));
  }

  /** @param distance Of each layer and head, pixels. */
  show(distance) {
    const { layers, uniform_distance: uniform } = this.subject;
    this.distance = distance;
    const highest = 1.06 * Math.max(uniform, ...distance.flat());
    const y = (pixels) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * pixels) / highest;
    this.element.replaceChildren(...axes(layers, highest, y));
    const line = { x1: LEFT, x2: WIDTH, y1: y(uniform), y2: y(uniform), class: "uniform" };
    this.element.append(svg("line", line));
    this.dots = distance.flatMap((row, layer) =>
      row.map((pixels, place) => {
        const aside = row.length > 1 ? (0.52 * place) / (row.length - 1) - 0.26 : 0;
        const cx = LEFT + ((WIDTH - LEFT) * (layer + 0.5 + aside)) / layers;
        const dot = svg("circle", { cx, cy: y(pixels), r: 3.2 });
        dot.append(svg("title", {}, `layer ${layer + 1}, head ${place + 1}: ${pixels.toFixed(1)} px`));
        return { dot, cx, cy: y(pixels), layer, head: place + 1 };
      }),
    );
    this.element.append(...this.dots.map(({ dot }) => dot));
    this.choose(this.layer, this.head);
  }

  /** @param head 0 is the mean of heads. */
  choose(layer, head) {
    Object.assign(this, { layer, head });
    if (!this.distance) return;
    const { uniform_distance: uniform } = this.subject;
    this.caption.textContent = distanceCaption(this.distance, layer, head, uniform);
    for (const at of this.dots) {
      const chosen = at.layer === layer && at.head === head;
      at.dot.classList.toggle("of-layer", at.layer === layer);
      at.dot.classList.toggle("chosen", chosen);
      at.dot.setAttribute("r", chosen ? 5 : 3.2);
    }
  }

  click(event, pick) {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const x = ((event.clientX - left) * WIDTH) / width;
    const y = ((event.clientY - top) * HEIGHT) / height;
    const far = (at) => Math.hypot(at.cx - x, at.cy - y);
    const nearest = this.dots.reduce((best, at) => (far(at) < far(best) ? at : best), this.dots[0]);
    if (nearest) pick(nearest.layer, nearest.head);
  }
}

function axes(layers, highest, y) {
  const parts = [];
  const step = roundStep(highest);
  for (let pixels = 0; pixels <= highest; pixels += step) {
    parts.push(svg("line", { x1: LEFT, x2: WIDTH, y1: y(pixels), y2: y(pixels) }));
    const words = { x: LEFT - 8, y: y(pixels) + 4, "text-anchor": "end" };
    parts.push(svg("text", words, String(Number(pixels.toPrecision(3)))));
  }
  const skip = Math.ceil(layers / 12);
  for (let layer = skip; layer <= layers; layer += skip) {
    const x = LEFT + ((WIDTH - LEFT) * (layer - 0.5)) / layers;
    parts.push(svg("text", { x, y: HEIGHT - BOTTOM + 17, "text-anchor": "middle" }, String(layer)));
  }
  parts.push(svg("text", { x: WIDTH, y: HEIGHT - 1, "text-anchor": "end" }, "layer"));
  return parts;
}

/** Draw the cosine of one patch's position with each, from -1 dark to 1 yellow. */
export function showPositions(figure, cosines, chosen, { grid, patch }) {
  const canvas = figure.querySelector("canvas");
  const ratio = (grid[0] * patch[0]) / (grid[1] * patch[1]);
  canvas.style.aspectRatio = `1 / ${ratio}`;
  canvas.ariaLabel = `Position similarity of ${placeOf(chosen, grid[1])}`;
  [canvas.height, canvas.width] = grid; // enlarged by the style, without blur
  canvas.getContext("2d").drawImage(heat(cosines, grid, -1, 1), 0, 0);
  figure.querySelector("figcaption").textContent = positionCaption(cosines, chosen, grid[1]);
}

/* The row of tokens that the model reads: what stands before the patches, then patch after patch. */

import { greatest, make } from "./drawing.js";
import { placeOf } from "./words.js";

const SIDE = 26;

export class Sequence {
  /** @param pick Called with the token that was chosen. */
  constructor(element, subject, pick) {
    this.element = element;
    this.subject = subject;
    this.prefix = subject.prefix.length;
    const [h, w] = subject.grid;
    const before = subject.prefix.map((name) => prefixToken(name));
    const patches = Array.from({ length: h * w }, (_, patch) => {
      const token = make("span", { title: placeOf(patch, w) }, make("i"));
      token.ariaHidden = "true"; // the picture above is the way for those who do not see it
      return token;
    });
    this.tokens = [...before, ...patches];
    element.replaceChildren(...this.tokens);
    element.addEventListener("click", (event) => {
      const token = this.tokens.indexOf(event.target.closest(".sequence > *"));
      if (token >= 0) pick(token);
    });
  }

  /** Each patch shows its own part of the image. */
  showImage(image) {
    const { grid, patch } = this.subject;
    const [high, wide] = [image.naturalHeight / patch[0], image.naturalWidth / patch[1]];
    const width = SIDE * (patch[1] / Math.max(...patch));
    this.tokens.slice(this.prefix).forEach((token, place) => {
      const tile = token.firstChild.style;
      tile.width = `${width}px`;
      tile.backgroundImage = `url("${image.src}")`;
      tile.backgroundSize = `${wide * width}px ${high * SIDE}px`;
      const [row, column] = [Math.floor(place / grid[1]), place % grid[1]];
      tile.backgroundPosition = `${-column * width}px ${-row * SIDE}px`;
      if (image.naturalWidth <= 64) tile.imageRendering = "pixelated";
    });
  }

  /** A bar over each token, as long as its share of the largest. */
  showShares(values) {
    const most = greatest(values) || 1;
    this.tokens.forEach((token, place) => {
      const share = values.length === this.tokens.length ? values[place] : values[place - this.prefix];
      token.style.setProperty("--light", Math.max((share ?? 0) / most, 0).toFixed(3));
    });
  }

  choose(token) {
    this.chosen?.removeAttribute("aria-current");
    this.chosen = this.tokens[token];
    this.chosen.setAttribute("aria-current", "true");
    const { offsetLeft } = this.chosen;
    const { scrollLeft, clientWidth } = this.element;
    const start = offsetLeft - this.element.offsetLeft;
    if (start < scrollLeft || start > scrollLeft + clientWidth - SIDE) {
      this.element.scrollLeft = start - clientWidth / 2;
    }
  }

  showMask(mask) {
    this.tokens.forEach((token, place) => {
      token.classList.toggle("masked", mask.has(place - this.prefix));
    });
  }
}

function prefixToken(name) {
  const sign = name === "class token" ? "✱" : name[0].toUpperCase();
  const token = make("button", { type: "button", title: name }, make("i", { textContent: sign }));
  token.ariaLabel = name;
  return token;
}

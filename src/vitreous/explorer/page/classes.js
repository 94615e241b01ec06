/* What the model says: the most probable classes, and what a mask makes of them. */

import { make } from "./drawing.js";
import { percent } from "./words.js";

const SHOWN = 5;

export class Classes {
  /** @param pick Called with the class whose relevance is wanted. */
  constructor(element, names, pick) {
    Object.assign(this, { element, names, pick });
  }

  /**
   * @param before Probabilities of the whole image.
   * @param after The same under a mask, or null.
   */
  show(before, after) {
    const now = after ?? before;
    // The five that lead on the whole image stay, so that one sees them fall.
    const ranked = rank(before).slice(0, SHOWN);
    const leader = rank(now)[0];
    if (!ranked.includes(leader)) ranked.splice(ranked.length - 1, 1, leader);
    const focused = [...this.element.children].indexOf(document.activeElement);
    this.rows = new Map(ranked.map((label) => [label, this.row(label, before, after)]));
    this.element.replaceChildren(...this.rows.values());
    this.element.children[focused]?.focus();
    this.choose(this.chosen);
  }

  row(label, before, after) {
    const now = (after ?? before)[label];
    const share = make("span", { className: "share" });
    if (after) share.append(change(now - before[label]));
    share.append(percent(now));
    const bar = make("span", { className: "bar" });
    bar.append(strip(before[label], "before"), strip(now, "now"));
    const name = make("span", { className: "name", textContent: this.names[label] });
    const row = make("button", { type: "button", title: this.names[label] }, name, share, bar);
    row.addEventListener("click", () => this.pick(label));
    return row;
  }

  /** Mark the class that the image is lit for; null for none. */
  choose(label) {
    this.chosen = label;
    this.rows?.forEach((row, place) => row.setAttribute("aria-pressed", String(place === label)));
  }
}

export function rank(probabilities) {
  return [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
}

function strip(share, className) {
  const part = make("i", { className });
  part.style.setProperty("--share", share.toFixed(4));
  return part;
}

function change(difference) {
  const points = (100 * difference).toFixed(1);
  const className = Number(points) > 0 ? "rose" : Number(points) < 0 ? "fell" : "";
  const sign = Number(points) > 0 ? "+" : Number(points) < 0 ? "−" : "±";
  return make("small", { className, textContent: `${sign}${Math.abs(points).toFixed(1)}` });
}

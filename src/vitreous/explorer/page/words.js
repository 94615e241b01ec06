/* Numbers, places and findings in words. */

import { placeOfGreatest } from "./drawing.js";

/** A share as a percentage, with a narrow space that does not break. */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1\u202f%";
  return `${(100 * share).toFixed(1)}\u202f%`;
}

export const times = ([a, b]) => `${a} × ${b}`;

export function placeOf(patch, columns) {
  return `row ${Math.floor(patch / columns) + 1}, column ${(patch % columns) + 1}`;
}

/** What a token is called: one of the prefix, or a patch by its place. */
export function tokenName(token, { prefix, grid }) {
  return token < prefix.length ? `the ${prefix[token]}` : placeOf(token - prefix.length, grid[1]);
}

export const headName = (head) => (head ? `head ${head}` : "mean of heads");

/** The model in one line. */
export function about({ architecture, parameters, layers, heads, grid, patch, size, reads }) {
  const parts = [architecture, `${parameters.toLocaleString("en")} parameters`, `${times(size)} pixels`];
  if (layers) {
    parts.push(`${layers} layers of ${heads} heads`, `${times(grid)} patches of ${times(patch)}`);
    parts.push(`the head reads ${reads}`);
  }
  return parts.join(" · ");
}

/** What a model has not, or nothing. */
export function lacks({ layers, classes }) {
  if (!classes.length) return "This model has no head: it names no class.";
  return layers ? "" : "This model has no attention: occlusion shows what its answer hangs on.";
}

export function stageLabel(token, subject) {
  return `Image of ${times(subject.grid)} patches; chosen is ${tokenName(token, subject)}`;
}

export function headsCaption(token, subject, received) {
  const name = tokenName(token, subject);
  const what = received ? `What attends to ${name}` : `What ${name} attends to`;
  return `${what}: a column a layer, a row a head. Each map is scaled by its own largest value.`;
}

/** Title and sentence: what a token gives most to, or gets most from; itself, and the class token. */
export function readAttention(values, { attention, subject, layer, head, view }) {
  const { token } = attention;
  const { prefix } = subject;
  const others = values.map((value, place) => (place === token || place < prefix.length ? -1 : value));
  const most = placeOfGreatest(others);
  const [gives, to] = view === "received" ? ["gets most from", "from"] : ["gives most to", "to"];
  const parts = [`${to} itself ${percent(values[token])}`];
  if (values.length > prefix.length + 1) {
    parts.unshift(`${gives} ${tokenName(most, subject)} (${percent(values[most])})`);
  }
  if (prefix.length && token > 0) parts.push(`${to} the ${prefix[0]} ${percent(values[0])}`);
  const name = tokenName(token, subject).replace(/^./, (first) => first.toUpperCase());
  return [name, `in layer ${layer + 1}, ${headName(head)}, ${parts.join("; ")}.`];
}

/** What a map of the patches says. */
export function readMap(values, view, { grid }) {
  const place = placeOf(placeOfGreatest(values), grid[1]);
  const meanings = {
    rollout: `where what the head reads came from; brightest is ${place}.`,
    relevance: `what attention gathers for the class; brightest is ${place}.`,
    occlusion: `how far the probability falls when a cell is painted over; most at ${place}.`,
  };
  return meanings[view];
}

export function distanceCaption(distance, layer, head, uniform) {
  const row = distance[layer];
  const pixels = head ? row[head - 1] : row.reduce((a, b) => a + b) / row.length;
  return (
    `Mean attention distance on this image, pixels. Layer ${layer + 1}, ${headName(head)}: ` +
    `${pixels.toFixed(1)}. Dashed: attention to all alike, ${uniform.toFixed(1)}.`
  );
}

export function positionCaption(cosines, patch, columns) {
  const others = cosines.map((cosine, place) => (place === patch ? -2 : cosine));
  const near = placeOfGreatest(others);
  return (
    `Cosine of the position of ${placeOf(patch, columns)} with each, −1 dark to 1 yellow; ` +
    `most alike is ${placeOf(near, columns)} (${cosines[near].toFixed(2)}).`
  );
}

/* What every picture on the page is drawn with. */

/* matplotlib's viridis at 17 equal steps, as in the reports' figures. */
const VIRIDIS = (
  "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 " +
  "84d44b addc30 d8e219 fde725"
)
  .split(" ")
  .map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));

/** Red, green and blue of a share from 0 to 1. */
export function viridis(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const below = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[below].map((low, c) => low + (at - below) * (VIRIDIS[below + 1][c] - low));
}

/** A canvas of as many pixels as there are values, coloured from `low` to `high`. */
export function heat(values, [rows, columns], low, high) {
  const canvas = new OffscreenCanvas(columns, rows);
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  values.forEach((value, place) => {
    image.data.set([...viridis((value - low) / (high - low || 1)), 255], 4 * place);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

export const greatest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

export function placeOfGreatest(values) {
  return values.reduce((best, value, place) => (value > values[best] ? place : best), 0);
}

/** How brightly each patch is lit, from 0 to 1: half the light does not look half as bright. */
export function light(values) {
  const least = values.reduce((low, value) => Math.min(low, value), Infinity);
  const range = greatest(values) - least;
  return Float32Array.from(values, (v) => (range > 0 ? ((v - least) / range) ** (1 / 2.2) : 0));
}

/** Fit a canvas to so many CSS pixels on this screen; draws in CSS pixels from then on. */
export function prepare(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

export const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

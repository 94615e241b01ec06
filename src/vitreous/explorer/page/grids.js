/* Two grids over one image: what lies at the same place. */

const SAMPLES = 4; // a side of a patch, to see how much of it another grid's mask covers

/** The patch of a grid at a place of the image, row and column from 0 to 1. */
const patchAt = (row, column, [h, w]) => Math.floor(row * h) * w + Math.floor(column * w);

/** Places spread over a patch. */
function* placesIn(patch, [h, w], samples) {
  for (let at = 0; at < samples * samples; at += 1) {
    const row = Math.floor(patch / w) + (Math.floor(at / samples) + 0.5) / samples;
    const column = (patch % w) + ((at % samples) + 0.5) / samples;
    yield [row / h, column / w];
  }
}

/** The patch of another grid under the middle of this one. */
export function samePlace(patch, from, to) {
  const [[row, column]] = placesIn(patch, from, 1);
  return patchAt(row, column, to);
}

/** The patches of another grid of which a mask covers at least half. */
export function sameMask(mask, from, to) {
  const patches = [...Array(to[0] * to[1]).keys()];
  return new Set(
    patches.filter((patch) => {
      const hits = [...placesIn(patch, to, SAMPLES)].filter((at) => mask.has(patchAt(...at, from)));
      return hits.length >= SAMPLES ** 2 / 2;
    }),
  );
}

"""How often each precision names the class that float32 names, on all images of a data set.

python benchmarks/agreement.py MODEL PHOTOS
"""

import argparse

import torch
from torch import Tensor

import vitreous
from vitreous.bench.machine import where
from vitreous.data.open import open_dataset
from vitreous.data.transform import fit_for_test
from vitreous.weights.passport import passport_of

BATCH, EXAMPLES = 64, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("photos")
    options = parser.parse_args()
    model = vitreous.load(options.model)
    dataset = open_dataset(options.photos)
    images = [
        part.read(index) for part in dataset.parts.values() for index in range(len(part.labels))
    ]
    rule = passport_of(model).preprocessing
    pixels = torch.stack([fit_for_test(image, rule) for image in images])
    batches = pixels.split(BATCH)
    examples = pixels[:: len(pixels) // EXAMPLES][:EXAMPLES]  # of all classes

    def predicted(precision: str) -> list[str]:
        return [p.label for p in vitreous.predict(model, images, precision=precision)]

    def optimised(precision: str) -> list[str]:
        fast = vitreous.optimize(model, examples, precision=precision)
        logits: list[Tensor] = [fast(batch) for batch in batches]
        names = passport_of(model).class_names
        return [names[place] for place in torch.cat(logits).argmax(1).tolist()]

    print(where())
    print()
    plain = predicted("float32")
    print("| way | the class that float32 names |\n|---|---|")
    for name, labels in (
        ("predict, by default", predicted("auto")),
        ("optimize, bfloat16", optimised("bfloat16")),
        ("optimize, int8", optimised("int8")),
    ):
        same = sum(a == b for a, b in zip(labels, plain, strict=True))
        print(f"| {name} | {same:,} of {len(plain):,}, **{same / len(plain):.2%}** |")


if __name__ == "__main__":
    main()

"""Published checkpoints whose files do not say all that one must know of them.

A trained model may differ from its library's defaults in what no tensor shows: the activation, the
normalisation of its images. What its author published beside it is written down here, and found by
a fingerprint of the tensors, which is the same in any container.
"""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from vitreous.weights.family import Reading
from vitreous.weights.read import Checkpoint

_SMALL = 4096  # numbers of a tensor up to which it goes into the fingerprint


@dataclass(frozen=True, kw_only=True)
class Published:
    """What the author of a checkpoint says of it.

    Attributes:
        source: Where it is published.
        licence: SPDX name.
        architecture: Fields of the config that the tensors do not show.
        preprocessing: Fields of `Preprocessing`, the same.
    """

    source: str
    licence: str
    architecture: dict[str, Any] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)

    def correct(self, reading: Reading) -> Reading:
        """The reading with these facts in place of assumptions."""
        return replace(
            reading,
            config=replace(reading.config, **self.architecture),
            preprocessing=replace(reading.preprocessing, **self.preprocessing),
            assumed=(),
        )


def fingerprint(checkpoint: Checkpoint) -> str:
    """A digest of all names and shapes, and of the numbers of the small tensors."""
    digest = hashlib.sha256()
    for name, shape in sorted(checkpoint.shapes.items()):
        digest.update(f"{name} {list(shape)}\n".encode())
        if torch.Size(shape).numel() <= _SMALL:
            numbers = checkpoint.read(name).float().contiguous().numpy()
            digest.update(numbers.astype("<f4", copy=False).tobytes())
    return digest.hexdigest()


def recognise_published(checkpoint: Checkpoint) -> Published | None:
    """The facts of this very checkpoint, where they are written down."""
    if not any(len(checkpoint.shapes) == count for count, _ in _PUBLISHED):
        return None
    return _PUBLISHED.get((len(checkpoint.shapes), fingerprint(checkpoint)))


# By number of tensors, which rules nearly every other file out at once, and fingerprint.
_PUBLISHED: dict[tuple[int, str], Published] = {
    (74, "67b69c91a452c414de7cea94d5b2521ec76100eabbddedb5fd392120ec2112a1"): Published(
        source="github.com/researchase/vit-mnist-explorations vit_mnist_gpu.pt",
        licence="MIT",
        architecture={"activation": "relu"},
        preprocessing={"mean": (0.1307,), "std": (0.3081,)},
    ),
}

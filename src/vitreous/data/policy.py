"""Policies of image operations: RandAugment, TrivialAugment and 3-Augment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from PIL import Image

from vitreous.data.augmentation import Augmentation, Policy
from vitreous.data.draws import Draws
from vitreous.data.operations import RAND, THREE, WIDE, Operation, Ranges, operations
from vitreous.data.stacked_operations import apply_to_stack

_RANGES: Mapping[Policy, Ranges] = {"randaugment": RAND, "trivialaugment": WIDE}
_OPERATIONS: Mapping[Policy, tuple[Operation, ...]] = {
    "none": (),
    "threeaugment": THREE,
    **{policy: tuple(operations(ranges).values()) for policy, ranges in _RANGES.items()},
}
# Up to so many pixels an operation costs less on many images at once (benchmarks/loading.md).
_SMALL = 64 * 64


@dataclass(frozen=True)
class Chosen:
    """What a policy does to each sample: operations that follow one another.

    Attributes:
        kinds: By number.
        strengths: Of each.
    """

    kinds: Int64[np.ndarray, "B count"]
    strengths: Float64[np.ndarray, "B count"]


def draw_policy(augmentation: Augmentation, draws: Draws) -> Chosen:
    """What the policy that the augmentation names does to each sample.

    Args:
        augmentation: Names the policy, the number of operations and their magnitude.
        draws: The samples' own randomness.
    """
    policy = augmentation.policy
    if policy == "none":
        return Chosen(np.empty((len(draws), 0), np.int64), np.empty((len(draws), 0)))
    count = augmentation.operations if policy == "randaugment" else 1
    kinds = draws.integers(len(_OPERATIONS[policy]), count)
    signs = np.where(draws.random(count) < 0.5, 1, -1)
    match policy:
        case "randaugment":
            strengths = augmentation.magnitude / 10 * signs
        case "trivialaugment":
            strengths = draws.integers(31, count) / 30 * signs
        case "threeaugment":
            strengths = draws.uniform(0.1, 2.0, count)
    return Chosen(kinds, strengths)


def apply_policy(images: UInt8[np.ndarray, "B C H W"], policy: Policy, chosen: Chosen) -> None:
    """Put images through operations of a policy, in place.

    Args:
        images: Pixels at the model's size; 1 or 3 channels.
        policy: Whose operations.
        chosen: Which (`draw_policy`).
    """
    small = images.shape[2] * images.shape[3] <= _SMALL
    if small and (ranges := _RANGES.get(policy)):
        for kinds, strengths in zip(chosen.kinds.T, chosen.strengths.T, strict=True):
            apply_to_stack(images, ranges, kinds, strengths)
    elif policy != "none":
        own = zip(chosen.kinds.tolist(), chosen.strengths.tolist(), strict=True)
        for image, (kinds, strengths) in zip(images, own, strict=True):
            image[:] = _applied(image, [_OPERATIONS[policy][kind] for kind in kinds], strengths)


def _applied(
    image: UInt8[np.ndarray, "C H W"], operations: Sequence[Operation], strengths: Sequence[float]
) -> UInt8[np.ndarray, "C H W"]:
    grey = image.shape[0] == 1
    changed = Image.fromarray(np.ascontiguousarray(image[0] if grey else image.transpose(1, 2, 0)))
    for operation, strength in zip(operations, strengths, strict=True):
        changed = operation(changed, strength)
    out = np.asarray(changed)
    return out[None] if grey else out.transpose(2, 0, 1)

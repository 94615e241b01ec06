"""How far a heat-map can be trusted: does the model's answer hang on what it marks?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from vitreous.model.probability import probabilities

Classify = Callable[[Tensor], Tensor]
"""Images (B, C, H, W) to logits (B, K)."""

_BATCH = 16


@dataclass(frozen=True)
class Curve:
    """A class's probability while patches are taken away, or put in.

    Attributes:
        shares: Of the patches, from 0 to 1.
        probabilities: Of the class, at each share.
    """

    shares: Float[np.ndarray, " n"]
    probabilities: Float[np.ndarray, " n"]

    @property
    def area(self) -> float:
        """Area under the curve, by trapezia, in [0, 1]."""
        return float(np.trapezoid(self.probabilities, self.shares))


@dataclass(frozen=True)
class Trust:
    """What becomes of the answer when patches go, and when they come, brightest first.

    Attributes:
        deletion: Patches are painted over: the lower its area, the better the map.
        insertion: Patches come back into a blurred image: the higher, the better.
    """

    deletion: Curve
    insertion: Curve


def measure_trust(
    classify: Classify,
    image: Float[Tensor, "C H W"],
    heat: Float[Tensor, "h w"],
    label: int,
    steps: int = 16,
    *,
    multi_label: bool = False,
) -> Trust:
    """Deletion and insertion curves of a heat-map.

    Deletion paints patches over with zero (the mean colour of the preprocessing), the brightest
    first. Insertion begins with a blurred image, of which each patch is its mean colour, smoothly
    joined, and puts the patches back in the same order. Of equally bright patches the first in
    reading order goes first.

    Source: Petsiuk et al. 2018, "RISE", arXiv 1806.07421, section 4.2; there pixels are taken one
    by one, here patches, which are all that the model's tokens can tell apart.

    Args:
        classify: The model.
        image: Normalised pixels.
        heat: Importance of each patch, on any scale; its grid divides the image.
        label: The class whose probability is followed.
        steps: At most so many; a step takes several patches where there are more.
        multi_label: Whether the model gives each class a probability by itself.
    """
    order = heat.flatten().argsort(descending=True, stable=True)
    h, w = heat.shape
    return _curves(classify, image, order, (h, w), label, steps, multi_label)


def random_trust(
    classify: Classify,
    image: Float[Tensor, "C H W"],
    grid: tuple[int, int],
    label: int,
    *,
    draws: int = 3,
    seed: int = 0,
    steps: int = 16,
    multi_label: bool = False,
) -> Trust:
    """The same curves for patches in random order: what a map must beat to say anything.

    Args:
        classify: The model.
        image: Normalised pixels.
        grid: (h, w).
        label: The class whose probability is followed.
        draws: Orders to average over.
        seed: Of the orders.
        steps: As `measure_trust`.
        multi_label: As `measure_trust`.
    """
    generator = torch.Generator().manual_seed(seed)
    orders = (torch.randperm(grid[0] * grid[1], generator=generator) for _ in range(draws))
    found = [_curves(classify, image, order, grid, label, steps, multi_label) for order in orders]
    return Trust(
        _mean([trust.deletion for trust in found]), _mean([trust.insertion for trust in found])
    )


def is_informative(trust: Trust, chance: Trust) -> bool:
    """Whether a map beats a random order both ways: the answer hangs on what it marks."""
    lower = trust.deletion.area < chance.deletion.area
    return lower and trust.insertion.area > chance.insertion.area


def rank_correlation(
    first: Mapping[str, Float[Tensor, "h w"]], second: Mapping[str, Float[Tensor, "h w"]]
) -> dict[str, float]:
    """Spearman's rank correlation of each pair of maps of one name; 0 where a map is flat."""
    from scipy.stats import rankdata

    found = {}
    for name, heat in first.items():
        ranks = [rankdata(m.detach().flatten().cpu().numpy()) for m in (heat, second[name])]
        a, b = (rank - rank.mean() for rank in ranks)
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        found[name] = float(a @ b) / lengths if lengths else 0.0
    return found


def _curves(
    classify: Classify,
    image: Float[Tensor, "C H W"],
    order: Tensor,
    grid: tuple[int, int],
    label: int,
    steps: int,
    multi_label: bool,
) -> Trust:
    def follow(paint: Callable[[Tensor], Tensor]) -> np.ndarray:
        return _followed(lambda m: probabilities(classify(paint(m)), multi_label), masks, label)

    count = len(order)
    taken = np.unique(np.linspace(0, count, min(steps, count) + 1).round().astype(int))
    place = torch.empty(count, dtype=torch.long)  # when each patch goes
    place[order.cpu()] = torch.arange(count)
    masks = (place < torch.from_numpy(taken)[:, None]).view(-1, 1, *grid)  # (n, 1, h, w)
    height, width = image.shape[1:]
    side = (height // grid[0], width // grid[1])
    masks = masks.repeat_interleave(side[0], 2).repeat_interleave(side[1], 3).to(image.device)
    shares = taken / count
    coarse = F.avg_pool2d(image[None], side)
    blurred = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    deletion = follow(lambda m: torch.where(m, 0.0, image))
    insertion = follow(lambda m: torch.where(m, image, blurred))
    return Trust(Curve(shares, deletion), Curve(shares, insertion))


@torch.inference_mode()
def _followed(say: Callable[[Tensor], Tensor], masks: Tensor, label: int) -> np.ndarray:
    """A class's probability under each mask."""
    found = [say(chunk)[:, label].cpu() for chunk in masks.split(_BATCH)]
    return torch.cat(found).double().numpy()


def _mean(curves: list[Curve]) -> Curve:
    return Curve(curves[0].shares, np.mean([curve.probabilities for curve in curves], axis=0))

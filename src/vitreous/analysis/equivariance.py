"""Translation equivariance: whether the features of a moved image are the moved features.

A convolution has it built in, at shifts that are multiples of its stride and away from the border.
A Vision Transformer has it for whole patches only, and loses it where positions are added.

Source: the paper's section 3.1, "Inductive bias".
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.errors import UserError
from vitreous.model.classifier import Classifier
from vitreous.model.position_schemes import NoPosition
from vitreous.model.residual import ResidualNetwork
from vitreous.model.vit import VisionTransformer

Features = Callable[[Float[Tensor, "B C H W"]], Float[Tensor, "B D h w"]]
"""A map of features for each image, in evaluation mode."""


def moved(maps: Float[Tensor, "B D h w"], cells: float) -> Float[Tensor, "B D h w"]:
    """Move maps to the right, cyclically; between two whole cells, interpolate linearly.

    Args:
        maps: Features, or images.
        cells: How far, in cells of the map.
    """
    whole = floor(cells)
    near = maps.roll(whole, 3)
    return near if whole == cells else torch.lerp(near, maps.roll(whole + 1, 3), cells - whole)


@torch.inference_mode()
def shift_differences(
    features: Features,
    images: Float[Tensor, "B C H W"],
    shifts: Sequence[int],
    *,
    border: float = 0.0,
) -> Float[Tensor, "n B"]:
    """Compare the features of moved images with the moved features, for each shift.

    d(t) = |F(T x) - T' F(x)| / |F(T x) - mean of F(T x)|, in the Euclidean norm over channels and
    cells: T moves the image to the right by t pixels, T' the map by t / stride cells, both
    cyclically, and the mean is each channel's over the cells. 0 means equivariant; features that
    have nothing to do with one another come to about 1.4.

    Args:
        features: F.
        images: x.
        shifts: t, pixels.
        border: Share of the map that is left out on each side, where padding is seen; on the left
            it begins where the first column of the image has been moved to.

    Returns:
        float64.

    Raises:
        UserError: The map has no whole number of pixels a cell, or nothing is left inside.
    """
    own = features(images).double()
    h, w = own.shape[2:]
    if images.shape[3] % w:
        raise UserError(
            f"a map of {w} cells does not divide images {images.shape[3]} pixels wide: give "
            "another image size"
        )
    stride = images.shape[3] // w
    top, side = (ceil(border * length) for length in (h, w))
    found = []
    for shift in shifts:
        left = side + ceil(shift / stride) if side else 0
        if 2 * top >= h or left + side >= w:
            raise UserError(
                f"a map of {h}x{w} cells has nothing between its borders of {border} when it is "
                f"moved by {shift} pixels: give larger images, or smaller shifts"
            )
        inside = (..., slice(top, h - top), slice(left, w - side))
        seen = features(images.roll(shift, 3)).double()[inside]
        apart = (seen - moved(own, shift / stride)[inside]).flatten(1).norm(dim=1)
        varies = (seen - seen.mean((2, 3), keepdim=True)).flatten(1).norm(dim=1)
        found.append(apart / varies.clamp_min(torch.finfo(varies.dtype).tiny))
    return torch.stack(found)


def feature_maps(model: Classifier) -> Mapping[str, Features]:
    """Return the maps of a model whose equivariance is of interest, by what they are called.

    Raises:
        UserError: The model is neither a Vision Transformer nor a ResNet.
    """
    if isinstance(model, VisionTransformer):
        first = "patches" if model.config.stem is None else "stem and patches"
        maps = {first: _patches(model), "last layer": _last(model)}
        if model.config.position.startswith(("learned", "sine_cosine")):
            maps["last layer, without positions"] = _last(without_positions(model))
        return maps
    if isinstance(model, ResidualNetwork):
        return {
            "first convolution": model.root,
            "first stage": lambda images: model.features(images, [0])[0],
            "last stage": lambda images: model.features(images, [-1])[0],
        }
    raise UserError(
        f"{model.config.name} is neither a Vision Transformer nor a ResNet: its maps are not known "
        "here"
    )


def without_positions(model: VisionTransformer) -> VisionTransformer:
    """Return the same model, weights shared, that adds no position to any token."""
    bare = copy.copy(model)
    later = nn.ModuleList(NoPosition() for _ in model.later_positions)
    bare._modules = {**model._modules, "position": NoPosition(), "later_positions": later}
    return bare


def _patches(model: VisionTransformer) -> Features:
    return lambda images: model.patches(images).mT.unflatten(2, model.grid_of(images))


def _last(model: VisionTransformer) -> Features:
    return lambda images: model.features(images, [-1])[0]

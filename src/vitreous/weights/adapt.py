"""One model made into another: a new head, image size, patch side, number of channels."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.config import Dialect, ViTConfig
from vitreous.model.resample import resample_table
from vitreous.model.vit import VisionTransformer
from vitreous.weights.evidence import variant_name
from vitreous.weights.head import kept_rows, match_rows
from vitreous.weights.passport import passport_of
from vitreous.weights.pixel_kernel import change_channels, follow_channels, resize_kernel


@torch.no_grad()
def adapt(
    model: VisionTransformer,
    *,
    num_classes: int | None = None,
    class_names: tuple[str, ...] = (),
    keep_head: bool = False,
    image_size: int | tuple[int, int] | None = None,
    resample: Dialect | None = None,
    patch: int | None = None,
    channels: int | None = None,
    share: bool = False,
) -> VisionTransformer:
    """The same weights for another task.

    >>> adapt(model, num_classes=10, image_size=(384, 256))
    >>> adapt(model, class_names=("tulip", "iris"), keep_head=True)

    Args:
        model: Stays as it is, its mode and device too.
        num_classes: Size of a new head, all zeros (paper, section 3.2): both layers of an old
            head go, the tanh layer too. The head stays where not given.
        class_names: Of the new head, in order; without `num_classes` and `keep_head`, new names
            for the head that is there.
        keep_head: Make a head of `class_names` out of the old one: rows of names that the passport
            knows are copied, the others are zero, and a tanh layer stays. How many were kept is
            logged.
        image_size: (H, W) or one side, pixels; the position grid is resampled. Stays where not
            given.
        resample: The rule of resampling (see `resample_grid`), now and in the new model; the one
            of the model's own family where not given.
        patch: P, pixels: the patch kernel is resized by the pseudo-inverse (see `resize_kernel`).
            The image size stays unless given, so that the grid is resampled.
        channels: C: see `change_channels`. Mean and deviation in the passport follow, averaged
            or repeated. The standardised kernels of a ResNet stem follow by the same rule, which
            is a start to train from and not the same function.
        share: Let tensors that need no change be shared with `model`, where it is thrown away;
            else training one would change the other.

    Raises:
        UserError: The image size is no multiple of the patch side, names and number disagree, or
            no class of `keep_head` is known.
    """
    passport, old = passport_of(model), model.config
    state = dict(model.state_dict())
    config = _config(old, image_size, resample, patch, channels)
    tensors = dict(state)
    names = class_names or passport.class_names
    if keep_head:
        config = _keep_head(tensors, config, passport.class_names, class_names, num_classes)
    elif num_classes is not None:
        names = class_names or tuple(map(str, range(num_classes)))
        config = _new_head(tensors, config, names, num_classes)
    _fit_pixel_kernel(tensors, old, config)
    tensors["position.table"] = resample_table(
        tensors["position.table"], old.grid, config.grid, old.prefix_rows, config.resample
    )
    if not share:
        tensors = {n: t.clone() if n in state and t is state[n] else t for n, t in tensors.items()}
    adapted = empty_model(config)
    adapted.load_state_dict(tensors, assign=True)
    adapted.passport = replace(
        passport,
        architecture=config,
        preprocessing=_preprocessing(
            passport.preprocessing, config, resized=image_size is not None
        ),
        class_names=names,
        canary=(),
        metrics={},
    )
    return adapted.train(model.training)


def _config(
    old: ViTConfig,
    image_size: int | tuple[int, int] | None,
    resample: Dialect | None,
    patch: int | None,
    channels: int | None,
) -> ViTConfig:
    """The architecture to come, but for its head; named anew where the patch side says so."""
    asked = {"image_size": image_size, "resample": resample, "patch": patch, "channels": channels}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    config = replace(old, **changes)
    return replace(config, name=_name(config)) if old.name == _name(old) else config


def _name(config: ViTConfig) -> str:
    return variant_name(
        config.width, config.depth, config.mlp_width, config.heads, config.patch, config.stem
    )


def _new_head(
    tensors: dict[str, Tensor], config: ViTConfig, names: tuple[str, ...], size: int
) -> ViTConfig:
    """Put a head of zeros in the place of the old one."""
    if len(names) != size:
        raise UserError(f"{len(names)} class names for a head of {size} classes")
    for name in [name for name in tensors if name.startswith(("head.", "pre_logits."))]:
        del tensors[name]
    if size:
        like = tensors["position.table"]
        tensors["head.weight"] = like.new_zeros(size, config.width)
        tensors["head.bias"] = like.new_zeros(size)
    return replace(config, num_classes=size, pre_logits=None)


def _keep_head(
    tensors: dict[str, Tensor],
    config: ViTConfig,
    old: tuple[str, ...],
    new: tuple[str, ...],
    size: int | None,
) -> ViTConfig:
    """Put a head of other classes in the place of the old one, with the rows of shared names."""
    if not new:
        raise UserError("keep_head goes by name: give class_names=")
    if size not in (None, len(new)):
        raise UserError(f"{len(new)} class names for a head of {size} classes")
    kept = match_rows(old, new)
    for name in ("head.weight", "head.bias"):
        tensors[name] = kept_rows(tensors[name], len(new), kept)
    return replace(config, num_classes=len(new))


def _fit_pixel_kernel(tensors: dict[str, Tensor], old: ViTConfig, config: ViTConfig) -> None:
    """Change the patch kernel's side and the first kernel's channels, where the config did."""
    if (old.patch, old.channels) == (config.patch, config.channels):
        return
    if config.patch_norms:
        raise UserError("the layer norm over this model's patches keeps its patch and channels")
    first = "patch.weight" if config.stem is None else "stem.root.weight"
    tensors[first] = change_channels(tensors[first], config.channels)
    tensors["patch.weight"] = resize_kernel(
        tensors["patch.weight"], config.patch // config.stem_stride
    )


def _preprocessing(rule: Preprocessing, config: ViTConfig, *, resized: bool) -> Preprocessing:
    """The rule for the new model; it may have another size than the config on purpose."""
    size = config.image_size if resized else rule.size
    config.grid_of(size)
    return replace(
        rule,
        size=size,
        channels=config.channels,
        mean=follow_channels(rule.mean, config.channels),
        std=follow_channels(rule.std, config.channels),
    )

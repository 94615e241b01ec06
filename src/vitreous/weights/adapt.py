"""One model made into another: a new head, image size, patch side, number of channels."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.classifier import Classifier
from vitreous.model.config import Dialect, ModelConfig
from vitreous.model.pixel_kernel import follow_channels
from vitreous.weights.head import kept_rows, match_rows
from vitreous.weights.passport import passport_of


@torch.no_grad()
def adapt(
    model: Classifier,
    *,
    num_classes: int | None = None,
    class_names: tuple[str, ...] = (),
    keep_head: bool = False,
    image_size: int | tuple[int, int] | None = None,
    resample: Dialect | None = None,
    patch: int | tuple[int, int] | None = None,
    channels: int | None = None,
    share: bool = False,
) -> Classifier:
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
        patch: P, pixels, or (height, width): the patch kernel is resized by the pseudo-inverse
            (see `resize_kernel`). The image size stays unless given, so that the grid is
            resampled.
        channels: C: see `change_channels`. Mean and deviation in the passport follow, averaged
            or repeated. The standardised kernels of a ResNet stem follow by the same rule, which
            is a start to train from and not the same function.
        share: Let tensors that need no change be shared with `model`, where it is thrown away;
            else training one would change the other.

    Raises:
        UserError: The image size is no multiple of the patch side, names and number disagree, or
            no class of `keep_head` is known.
    """
    passport = passport_of(model)
    config = _config(model.config, image_size, resample, patch, channels)
    tensors = model.tensors_for(config)
    names = class_names or passport.class_names
    renewed = num_classes is not None and not keep_head
    assumptions = tuple(
        line
        for line in passport.assumptions
        if "class_order=" not in line or not (class_names or renewed)
    )
    if keep_head:
        config = _keep_head(tensors, config, passport.class_names, class_names, num_classes)
    elif num_classes is not None:
        names = class_names or tuple(map(str, range(num_classes)))
        config = _new_head(tensors, config, names, num_classes)
    if not share:
        state = model.state_dict()
        tensors = {n: t.clone() if _same(t, state.get(n)) else t for n, t in tensors.items()}
    adapted = empty_model(config)
    adapted.load_state_dict(tensors, assign=True)
    adapted.passport = replace(
        passport,
        architecture=config,
        preprocessing=_preprocessing(
            passport.preprocessing, config, resized=image_size is not None
        ),
        class_names=names,
        class_order="named" if class_names else "unknown" if renewed else passport.class_order,
        assumptions=assumptions,
        multi_label=passport.multi_label and (keep_head or num_classes is None),
        canary=(),
        canary_features=(),
        metrics={},
    )
    return adapted.train(model.training)


def _config(
    old: ModelConfig,
    image_size: int | tuple[int, int] | None,
    resample: Dialect | None,
    patch: int | tuple[int, int] | None,
    channels: int | None,
) -> ModelConfig:
    """The architecture to come, but for its head; named anew where the patch side says so."""
    asked = {"image_size": image_size, "resample": resample, "patch": patch, "channels": channels}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    for name in changes:
        if not hasattr(old, name):
            raise UserError(f"{old.name} has no {name}: leave it out")
    if patch is not None:
        size, _, side = old.name.rpartition("/")
        if side == f"{getattr(old, 'patch', '')}":
            changes["name"] = f"{size}/{patch}" if isinstance(patch, int) else size
    return replace(old, **changes)


def _same(tensor: Tensor, other: Tensor | None) -> bool:
    return other is not None and tensor.data_ptr() == other.data_ptr()


def _new_head(
    tensors: dict[str, Tensor], config: ModelConfig, names: tuple[str, ...], size: int
) -> ModelConfig:
    """Put a head of zeros in the place of the old one."""
    if len(names) != size:
        raise UserError(f"{len(names)} class names for a head of {size} classes")
    config = config.with_classes(size)
    like = next(iter(tensors.values()))
    for name in [name for name in tensors if name.startswith(("head.", "pre_logits."))]:
        del tensors[name]
    for name, empty in empty_model(config).state_dict().items():
        if name.startswith("head."):
            tensors[name] = like.new_zeros(empty.shape)
    return config


def _keep_head(
    tensors: dict[str, Tensor],
    config: ModelConfig,
    old: tuple[str, ...],
    new: tuple[str, ...],
    size: int | None,
) -> ModelConfig:
    """Put a head of other classes in the place of the old one, with the rows of shared names."""
    if not new:
        raise UserError("keep_head goes by name: give class_names=")
    if size not in (None, len(new)):
        raise UserError(f"{len(new)} class names for a head of {size} classes")
    kept = match_rows(old, new)
    for name in [name for name in tensors if name.startswith("head.")]:
        tensors[name] = kept_rows(tensors[name], len(new), kept)
    return replace(config, num_classes=len(new))


def _preprocessing(rule: Preprocessing, config: ModelConfig, *, resized: bool) -> Preprocessing:
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

"""One model made into another: a new head, a new image size."""

from dataclasses import replace

import torch

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.resample import resample_table
from vitreous.model.vit import VisionTransformer
from vitreous.weights.passport import passport_of


@torch.no_grad()
def adapt(
    model: VisionTransformer,
    *,
    num_classes: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    class_names: tuple[str, ...] = (),
) -> VisionTransformer:
    """The same weights for another task.

    Args:
        model: Stays as it is; tensors that need no change are shared.
        num_classes: Size of a new head, all zeros (paper, section 3.2): both layers of an old
            head go, the tanh layer too. The head stays where not given.
        image_size: (H, W) or one side, pixels; the position grid is resampled by the rule that
            the model's config names. Stays where not given.
        class_names: Of the new head, in order.

    Raises:
        UserError: The image size is no multiple of the patch side, or names and number disagree.
    """
    passport = passport_of(model)
    old = model.config
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    config = replace(old, image_size=size or old.image_size)
    tensors = dict(model.state_dict())
    if num_classes is not None:
        if class_names and len(class_names) != num_classes:
            raise UserError(f"{len(class_names)} class names for a head of {num_classes} classes")
        config = config.with_head(num_classes)
        passport = replace(passport, class_names=())
        tensors = {
            name: tensor
            for name, tensor in tensors.items()
            if not name.startswith(("head.", "pre_logits."))
        }
        if num_classes:
            like = tensors["position.table"]
            tensors["head.weight"] = like.new_zeros(num_classes, config.pooled_width)
            tensors["head.bias"] = like.new_zeros(num_classes)
    tensors["position.table"] = resample_table(
        tensors["position.table"], old.grid, config.grid, old.prefix_rows, old.resample
    )
    adapted = empty_model(config)
    adapted.load_state_dict(tensors, assign=True)
    names = class_names or passport.class_names or tuple(map(str, range(config.num_classes)))
    rule = passport.preprocessing
    adapted.passport = replace(
        passport,
        architecture=config,
        preprocessing=replace(rule, size=size or rule.size),
        class_names=names,
        canary=(),
        metrics={},
    )
    return adapted.train(model.training)

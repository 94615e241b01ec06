"""One model made into another: a new head, a new image size."""

from dataclasses import replace

import torch

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.classifier import Classifier
from vitreous.weights.passport import passport_of


@torch.no_grad()
def adapt(
    model: Classifier,
    *,
    num_classes: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    class_names: tuple[str, ...] = (),
) -> Classifier:
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
    if num_classes is not None:
        if class_names and len(class_names) != num_classes:
            raise UserError(f"{len(class_names)} class names for a head of {num_classes} classes")
        config = config.with_classes(num_classes)
        passport = replace(passport, class_names=())
    adapted = empty_model(config)
    tensors = model.tensors_for(config)
    if num_classes is not None:
        like = next(iter(tensors.values()))
        tensors = {
            name: like.new_zeros(empty.shape) if name.startswith("head.") else tensors[name]
            for name, empty in adapted.state_dict().items()
        }
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

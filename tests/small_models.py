"""A small model to be optimised, pixels for it, and what it answers by itself."""

import torch
from torch import Tensor, nn

import vitreous
from vitreous.data.batch import normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.build import create_model
from vitreous.model.classifier import Classifier
from vitreous.weights.passport import Passport, passport_of

RULE = Preprocessing(size=(16, 16), mean=(0.48, 0.45, 0.4), std=(0.2, 0.3, 0.25))


def build(**changes: object) -> Classifier:
    torch.manual_seed(0)
    shape = {"image_size": (16, 16), "patch": 4, "width": 32, "depth": 2, "heads": 2}
    model = create_model(
        vitreous.ViTConfig(**(shape | {"mlp_width": 64, "num_classes": 5} | changes))
    )
    return stamped(model)


def stamped(model: Classifier) -> Classifier:
    """With weights far from their first values, and the passport of `RULE`."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    size = model.config.image_size
    rule = Preprocessing(size=size, mean=RULE.mean, std=RULE.std)
    names = tuple("abcde")
    model.passport = Passport(architecture=model.config, preprocessing=rule, class_names=names)
    return model.eval()


def bytes_for(model: Classifier, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (count, 3, *model.config.image_size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@torch.no_grad()
def plain(model: Classifier, images: Tensor) -> Tensor:
    return model(normalise(images, passport_of(model).preprocessing))

"""lucidrains' vit-pytorch as a subject.

Its model is not quite the paper's: a layer norm stands on either side of the patch projection, and
queries, keys and values have no biases. It cannot have the case's weights, and gets those of a
model of ours with the same differences, whose logits it must give.
"""

from dataclasses import replace
from importlib.metadata import version

from vitreous.bench.subject import (
    LeftOutError,
    Subject,
    check_sayable,
    fill,
    layout_for,
    plainly,
    randomise,
)
from vitreous.model.build import create_model
from vitreous.model.classifier import Classifier
from vitreous.model.config import ViTConfig
from vitreous.weights.lucidrains import LUCIDRAINS
from vitreous.weights.passport import passport_of


def build(model: Classifier) -> Subject:
    """`ViT`, and the model of ours with its architecture.

    Raises:
        LeftOutError: It has nothing like this architecture.
    """
    from vit_pytorch import ViT

    config = model.config
    if not isinstance(config, ViTConfig):
        raise LeftOutError(f"has no models of kind {config.kind}")
    config = replace(config, patch_norms=True, qkv_bias=False, norm_eps=1e-5)
    check_sayable(LUCIDRAINS, config)
    twin = model if config == model.config else randomise(create_model(config))
    said = LUCIDRAINS[0].config_json(passport_of(twin))
    if said.pop("activation") != "gelu":
        raise LeftOutError(f"has no model with activation {config.activation!r}")
    said["image_size"] = tuple(said["image_size"])
    theirs = ViT(**said)
    fill(theirs, layout_for(LUCIDRAINS, config, theirs), twin)
    return Subject(version("vit-pytorch"), theirs, plainly, twin)

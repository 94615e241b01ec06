"""A model on the page: what is asked of it, and the facts that are shown with it."""

from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.analysis.distance import uniform_distance
from vitreous.analysis.occlusion import occlusion_grid
from vitreous.analysis.position_similarity import added_positions, position_similarity
from vitreous.errors import UserError
from vitreous.model.classifier import Classifier
from vitreous.model.config import ViTConfig
from vitreous.model.probability import probabilities
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import Engine
from vitreous.weights.passport import Passport, passport_of

_READS = {
    "token": "the class token",
    "mean": "the mean of the patches",
    "mean_all": "the mean of the class token and the patches",
    "map": "a probe's view of the patches",
    "token_mean": "the class token and the mean of the patches",
    "distilled": "the class and distillation tokens",
}


class Subject:
    """One model that is looked into.

    Args:
        name: What to call it.
        model: Put into inference mode, on the engine's device, and without gradients of its
            parameters.
        engine: Device and precision.

    Attributes:
        name: What to call it.
        model: The model.
        engine: Device and precision.
        passport: The model's.
        grid: (h, w) of the patches, or of the cells that occlusion paints over.
        patch: Pixels (height, width) of one of them.

    Raises:
        UserError: The model takes what no image file holds.
    """

    passport: Passport

    def __init__(self, name: str, model: Classifier, engine: Engine) -> None:
        self.name = name
        self.engine = engine
        self.passport = passport_of(model)
        rule = self.passport.preprocessing
        if rule.channels not in (1, 3):
            raise UserError(
                f"{name} takes images of {rule.channels} channels, and the page shows files of 1 "
                "or 3: use vitreous.Recording from Python"
            )
        self.model = model.to(engine.device).eval().requires_grad_(False)
        self.grid = occlusion_grid(rule.size)
        self.patch = (rule.size[0] // self.grid[0], rule.size[1] // self.grid[1])
        if self.transformer is not None:
            self.grid = self.transformer.config.grid_of(rule.size)
            self.patch = self.transformer.config.patch_size

    @property
    def transformer(self) -> VisionTransformer | None:
        """The model, where it has attention."""
        return self.model if isinstance(self.model, VisionTransformer) else None

    @cached_property
    def positions(self) -> Float[Tensor, "N N"] | None:
        """Cosine of the position embeddings of any two patches, where there are some."""
        if self.transformer is None:
            return None
        similarity = position_similarity(added_positions(self.transformer, self.grid))
        return similarity.flatten(2).flatten(0, 1).float().cpu()

    @torch.inference_mode()
    def probabilities(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """What the model says of normalised images."""
        with self.engine.autocast():
            logits = self.model(images)
        return probabilities(logits, self.passport.multi_label)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the page says of the model, and all it must know to draw."""
        config, rule = self.model.config, self.passport.preprocessing
        facts: dict[str, Any] = {
            "name": self.name,
            "architecture": config.name,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "size": rule.size,
            "grid": self.grid,
            "patch": self.patch,
            "classes": self.passport.class_names,
            "layers": 0,
            "heads": 0,
            "prefix": [],
        }
        if isinstance(config, ViTConfig):
            facts |= {
                "layers": config.depth,
                "heads": config.heads,
                "prefix": prefix_names(config),
                "reads": _READS[config.pooling],
                "uniform_distance": uniform_distance(self.grid, config.patch),
            }
        return facts


def prefix_names(config: ViTConfig) -> list[str]:
    """Names of the tokens before the patches, in their order."""
    names = ["class token"] if config.class_token else []
    registers = [f"register {number + 1}" for number in range(config.registers)]
    if config.pooling == "distilled":
        registers[0] = "distillation token"
    return names + registers

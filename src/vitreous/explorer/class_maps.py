"""Where an image counts for a class: relevance, or occlusion of a model without attention."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.analysis.attention import read_by_head
from vitreous.analysis.occlusion import occlusion_map
from vitreous.analysis.relevance import AttentionGraph, class_relevance
from vitreous.errors import UserError
from vitreous.explorer.look import Inside, Look
from vitreous.explorer.subject import Subject

# The maps of all layers, their gradients and the graph between.
_COPIES = 3
_MOST_BYTES = 4 * 2**30


class ClassMaps:
    """Maps of classes; a look keeps those that were asked for.

    The graph of the newest look is held, so that another class of it takes a backward pass alone.
    For one thread.

    Args:
        subject: The model.
        check: Called between the passes of an occlusion; may raise to stop it.
    """

    def __init__(self, subject: Subject, check: Callable[[], None] = lambda: None) -> None:
        self._subject = subject
        self._check = check
        self._newest: tuple[Look, AttentionGraph] | None = None

    def of(self, look: Look, label: int) -> Float[Tensor, "h w"]:
        """The map of a class.

        Args:
            look: At an image.
            label: The class.

        Raises:
            UserError: The attention of the model is too large to be differentiated.
        """
        if label not in look.maps:
            find = self._occlusion if look.inside is None else self._relevance
            look.maps[label] = find(look, label).cpu()
        return look.maps[label]

    def _occlusion(self, look: Look, label: int) -> Float[Tensor, "h w"]:
        def classify(images: Tensor) -> Tensor:
            self._check()
            with self._subject.engine.autocast():
                logits: Tensor = self._subject.model(images)
            return logits

        return occlusion_map(
            classify, look.image, label, multi_label=self._subject.passport.multi_label
        )

    def _relevance(self, look: Look, label: int) -> Float[Tensor, "h w"]:
        model = self._subject.transformer
        assert model is not None
        assert look.inside is not None
        check_memory(look.inside)
        if self._newest is None or self._newest[0] is not look:
            self._newest = None  # before the next one is made: they are large
            self._newest = look, AttentionGraph(model, look.image)
        found = self._newest[1].gradients(torch.tensor([label], device=look.image.device))
        flow, recording = class_relevance(found), found.recording
        return read_by_head(flow, recording.grid, recording.prefix, model.config.pooling)[0]


def check_memory(inside: Inside) -> None:
    """Refuse attention that is too large to be differentiated.

    Raises:
        UserError: It would take more than 4 GiB.
    """
    layers, heads, tokens, _ = inside.queries.shape
    size = _COPIES * layers * heads * tokens**2 * 4
    if size > _MOST_BYTES:
        raise UserError(
            f"relevance would take {size / 2**30:.0f} GiB for this model's {tokens} tokens: load "
            "it with a smaller image_size"
        )

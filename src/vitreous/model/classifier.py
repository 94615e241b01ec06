"""What every model of the package is to the rest of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, Real
from torch import Tensor, nn

from vitreous.errors import UserError
from vitreous.model.config import ModelConfig
from vitreous.model.pixel_kernel import change_channels
from vitreous.model.recording import Recording


class Classifier(nn.Module, ABC):
    """From images to logits, by way of the features that the head reads.

    Attributes:
        config: The architecture.
        passport: Set by whoever loads or trains; see weights/passport.py.
        head: Linear, or the identity of a model without classes. Its tensors are the only ones
            named `head.`.
    """

    config: ModelConfig
    passport: object | None
    head: nn.Module

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.passport = None

    def forward(
        self, images: Float[Tensor, "B C H W"], recording: Recording | None = None
    ) -> Float[Tensor, "B K"]:
        """Classify.

        Args:
            images: Normalised pixels; H and W may differ from the config's size.
            recording: What to keep of the inside; see `Recording`.

        Returns:
            Logits (B, K), or the features of a model without a head.

        Raises:
            UserError: Images of a size or of channels that the model cannot take, or not
                normalised, or a recording of what it does not have.
        """
        if not images.is_floating_point():
            raise UserError(
                f"the model takes normalised floats and got {str(images.dtype)[6:]}: predict and "
                "optimize take pixels as decoded"
            )
        return self.head(self.embed(images, recording))

    @abstractmethod
    def embed(
        self, images: Float[Tensor, "B C H W"], recording: Recording | None = None
    ) -> Float[Tensor, "B R"]:
        """What the head reads; see `forward`."""

    def optimize(self, images: Real[Tensor, "..."], **choices: Any) -> nn.Module:
        """A copy for inference alone, as fast as this machine can; see `vitreous.optimize`."""
        import vitreous  # the door: what makes it lives above this room

        return vitreous.optimize(self, images, **choices)

    @abstractmethod
    def reset_parameters(self) -> None:
        """Fill in the initial values of its source, at random; nearly all heads start at zero."""

    @property
    @abstractmethod
    def blocks(self) -> Sequence[nn.Module]:
        """The repeated units, in order: what is recomputed, compiled and sharded one by one."""

    @property
    @abstractmethod
    def pixel_kernel(self) -> str:
        """Name of the first kernel, (D, C, side, side), which sees the pixels."""

    def tensors_for(self, config: ModelConfig) -> dict[str, Tensor]:
        """The state dict, made for the image size and channels of `config`; new heads are not.

        Raises:
            UserError: The weights cannot be made so.
        """
        tensors = dict(self.state_dict())
        kernel = tensors[self.pixel_kernel]
        tensors[self.pixel_kernel] = change_channels(kernel, config.channels)
        return tensors


def check_classifier(model: object, taker: str) -> None:
    """Refuse what is no model of the package, or has one inside.

    Raises:
        UserError: It is none; `taker` is who was given it.
    """
    if not isinstance(model, Classifier):
        raise UserError(
            f"{taker} takes a model of vitreous and got {type(model).__name__}: give the model "
            "itself, as load or create_model made it"
        )

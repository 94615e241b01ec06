"""From the pooled vector to logits."""

from jaxtyping import Float
from torch import Tensor, nn

from vitreous.model.config import ViTConfig


class Head(nn.Linear):
    """One linear layer; starts at zero (paper, section 3.2)."""

    def reset_parameters(self) -> None:
        """All zeros."""
        nn.init.zeros_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class DistilledHead(nn.Module):
    """A head for the class token and one for the distillation token; logits are their mean.

    Source: Touvron et al. 2021, "Training data-efficient image transformers", arXiv 2012.12877,
    section 4, at inference.
    """

    def __init__(self, width: int, num_classes: int, bias: bool) -> None:
        super().__init__()
        self.token = Head(width, num_classes, bias)
        self.distillation = Head(width, num_classes, bias)

    def forward(self, x: Float[Tensor, "B R"]) -> Float[Tensor, "B K"]:
        """The mean of both."""
        token, distillation = self.apart(x)
        return (token + distillation) / 2

    def apart(self, x: Float[Tensor, "B R"]) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
        """Logits of each head, which reads its half: the token's, then the distillation token's."""
        token, distillation = x.chunk(2, 1)
        return self.token(token), self.distillation(distillation)


def build_head(config: ViTConfig) -> nn.Module:
    """The head that the config asks for; none passes features through."""
    if not config.num_classes:
        return nn.Identity()
    if config.pooling == "distilled":
        return DistilledHead(config.width, config.num_classes, config.head_bias)
    width = config.pre_logits or config.pooled_width
    return Head(width, config.num_classes, config.head_bias)

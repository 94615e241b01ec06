"""From logits to probabilities: of one class an image, or of each class by itself."""

from jaxtyping import Float, Float32
from torch import Tensor


def probabilities(logits: Float[Tensor, "B K"], multi_label: bool) -> Float32[Tensor, "B K"]:
    """Probability of each class, in float32.

    Args:
        logits: Of the classes.
        multi_label: Whether an image may have several classes (see the model's passport): each is
            then there or not by itself (sigmoid); else they share one (softmax).
    """
    return logits.float().sigmoid() if multi_label else logits.float().softmax(1)

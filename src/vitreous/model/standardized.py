"""Convolutions with standardised weights, as the paper's hybrids and BiT ResNets have them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class StandardizedConv(nn.Conv2d):
    """A convolution without bias whose kernel has mean 0 and deviation 1 for each output channel.

    The hybrids': (w - mean) / (deviation + 1e-5), over the inputs of each output channel; padding
    is SAME as TensorFlow and Flax mean it for sizes that the stride divides: one more at the far
    end where the total is odd.

    Source: Qiao et al. 2019, arXiv 1903.10520; vit_jax/models_resnet.py, which adds epsilon to the
    deviation where others add it to the variance.
    """

    def __init__(self, channels: int, features: int, side: int, stride: int = 1) -> None:
        super().__init__(channels, features, side, stride, bias=False)
        total = max(side - stride, 0)
        self.padding = (total // 2, total // 2)
        self.far: nn.Module = nn.ZeroPad2d((0, 1, 0, 1)) if total % 2 else nn.Identity()

    def reset_parameters(self) -> None:
        """Flax's default: LeCun normal, truncated."""
        std = self.weight[0].numel() ** -0.5 / 0.87962566103423978
        nn.init.trunc_normal_(self.weight, std=std, a=-2 * std, b=2 * std)

    def kernel(self) -> Float[Tensor, "C2 C P P"]:
        """The standardised weight, computed once a forward pass."""
        deviation, mean = torch.std_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        return (self.weight - mean) / (deviation + 1e-5)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C2 H2 W2"]:
        """Convolve with the standardised kernel."""
        return F.conv2d(self.far(x), self.kernel(), stride=self.stride, padding=self.padding)


class CentredConv(StandardizedConv):
    """BiT's: (w - mean) / sqrt(variance + epsilon), and as much padding at one end as at the other.

    Source: google-research/big_transfer, bit_pytorch/models.py.
    """

    def __init__(
        self, channels: int, features: int, side: int, stride: int = 1, *, eps: float
    ) -> None:
        super().__init__(channels, features, side, stride)
        self.padding, self.far = (side // 2, side // 2), nn.Identity()
        self.eps = eps

    def kernel(self) -> Float[Tensor, "C2 C P P"]:
        """The standardised weight: a layer norm of each row, which is one pass either way."""
        rows = self.weight.flatten(1)
        return F.layer_norm(rows, rows.shape[1:], eps=self.eps).view_as(self.weight)

"""BatchNorm, and the convolution that stands before it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.errors import UserError

EPS = 1e-5
MOMENTUM = 0.1
"""Share of a batch in the running statistics; torch's and torchvision's word for it."""


class BatchNorm(nn.Module):
    """(x - mean) / sqrt(variance + epsilon) * weight + bias, by statistics of each channel.

    In training they are those of the batch, over B, H and W, and the running statistics move a
    tenth of the way to them; the running variance takes in the unbiased one. In evaluation, and
    where `weight` is frozen (`requires_grad` off), the running statistics are used and stay. The
    batch is what one call sees: a piece of a batch, or one process's share of it, where the
    training loop cuts it.

    Source: Ioffe and Szegedy 2015, arXiv 1502.03167; torch.nn.BatchNorm2d, without its counter of
    batches, which no other value depends on.

    Attributes:
        weight: (C,), float; starts at 1.
        bias: (C,), float; starts at 0.
        running_mean: (C,), a buffer; starts at 0.
        running_var: (C,), a buffer; starts at 1.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Pass x on as it is: ones and zeros."""
        for tensor, value in (
            (self.weight, 1.0),
            (self.bias, 0.0),
            (self.running_mean, 0.0),
            (self.running_var, 1.0),
        ):
            tensor.fill_(value)

    @property
    def learns(self) -> bool:
        """True where a call takes statistics of its batch: in training, unless frozen."""
        return self.training and self.weight.requires_grad

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Normalise.

        Raises:
            UserError: In training, one number a channel, whose variance is zero.
        """
        if self.learns and x.numel() == x.shape[1]:
            raise UserError(
                "BatchNorm cannot train on one image whose map is a single pixel: take batches (or "
                "--micro_batch pieces) of two images or more, or larger images"
            )
        # FSDP may gather weights in bfloat16; statistics and weights must share a dtype.
        dtype = self.running_mean.dtype
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight.to(dtype),
            self.bias.to(dtype),
            self.learns,
            MOMENTUM,
            EPS,
        )


class NormedConv(nn.Module):
    """A convolution without bias, BatchNorm, and where asked for a ReLU; borders are zeros."""

    def __init__(
        self, channels: int, features: int, side: int, stride: int = 1, *, active: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, features, side, stride, side // 2, bias=False)
        self.norm: nn.Module = BatchNorm(features)
        self.active = active

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Kernels normal with variance 2 / (features x side^2): ReLU keeps gradients' scale.

        Source: He et al. 2015, arXiv 1502.01852; torchvision, models/resnet.py (`fan_out`).
        """
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C2 H2 W2"]:
        """Convolve, normalise, and cut off below zero where it is active."""
        x = self.norm(self.conv(x))
        return F.relu(x, inplace=True) if self.active else x

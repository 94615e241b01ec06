"""What a frozen model need not compute again: normalised pixels, standardised kernels, norms."""

from collections.abc import Sequence

import torch
from jaxtyping import Real
from torch import Tensor, nn

from vitreous.model.batch_norm import EPS, BatchNorm, NormedConv
from vitreous.model.standardized import StandardizedConv
from vitreous.model.vit import VisionTransformer


class Normalise(nn.Module):
    """Pixels in [0, 255] to a model's input, (x / 255 - mean) / std."""

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        scale = 1 / (255 * torch.tensor(std).view(-1, 1, 1))
        self.register_buffer("scale", scale)
        self.register_buffer("shift", torch.tensor(mean).view(-1, 1, 1) * 255 * scale)

    def forward(self, pixels: Real[Tensor, "B C H W"]) -> Real[Tensor, "B C H W"]:
        """Float32."""
        return pixels.float() * self.scale - self.shift


class Folded(nn.Module):
    """Pixels in [0, 255], less a middle, as numbers: what a folded embedding reads."""

    def __init__(self, middle: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.middle, self.dtype = middle, dtype

    def forward(self, pixels: Real[Tensor, "B C H W"]) -> Real[Tensor, "B C H W"]:
        """Exact in any type that holds whole numbers up to 256, as bfloat16 does."""
        numbers = pixels.to(self.dtype)
        return numbers - self.middle if self.middle else numbers


@torch.no_grad()
def fold_normalisation(
    model: nn.Module,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype = torch.float32,
) -> Normalise | Folded:
    """Change a model's patch embedding, in place, so that it reads bytes where it can.

    w . ((x / 255 - m) / s) + b = (w / 255 s) . (x - c) + (b - sum(w (m - c / 255) / s)). A
    convolution that pads cannot: its border is zero behind the normalisation, not before it. Nor
    can a layer norm of the pixels. Computed in float64.

    Args:
        model: Any classifier.
        mean: Of each channel, of pixels in [0, 1].
        std: Likewise.
        dtype: Of the embedding afterwards, where it can be folded. In bfloat16 the pixels are
            counted from 128 (c), so that sums stay as small as those of normalised ones.

    Returns:
        What stands before the model.
    """
    middle = 128 if dtype == torch.bfloat16 else 0
    if (
        not isinstance(model, VisionTransformer)
        or not isinstance(model.stem, nn.Identity)
        or isinstance(model.patch.norm_pixels, nn.LayerNorm)
    ):
        return Normalise(mean, std)
    patch = model.patch
    kernel = patch.weight.double()  # (D, C, P, P)
    m, s = (
        torch.tensor(v, dtype=torch.float64, device=kernel.device).view(-1, 1, 1)
        for v in (mean, std)
    )
    bias = -(kernel * ((m - middle / 255) / s)).sum((1, 2, 3))
    if patch.bias is not None:
        bias += patch.bias.double()
    patch.weight = nn.Parameter((kernel / (255 * s)).to(dtype), requires_grad=False)
    patch.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return Folded(middle, dtype)


@torch.no_grad()
def fold_standardisation(model: nn.Module) -> None:
    """Put plain convolutions in place of standardised ones, with the kernels those compute."""
    for name, module in list(model.named_modules()):
        if not isinstance(module, StandardizedConv):
            continue
        # On no device, so that no kernel is drawn at random.
        conv = nn.Conv2d(module.in_channels, module.out_channels, 1, bias=False, device="meta")
        conv.kernel_size, conv.stride = module.kernel_size, module.stride
        conv.padding = module.padding
        conv.weight = nn.Parameter(module.kernel(), requires_grad=False)
        parent, _, child = name.rpartition(".")
        plain = isinstance(module.far, nn.Identity)
        setattr(
            model.get_submodule(parent), child, conv if plain else nn.Sequential(module.far, conv)
        )


@torch.no_grad()
def fold_batch_norm(model: nn.Module) -> None:
    """Put each BatchNorm into the convolution before it, in place, by its running statistics.

    (k * x - mean) / s * w + b = (k w / s) * x + (b - mean w / s), s = sqrt(variance + epsilon).
    Computed in float64.
    """
    for module in model.modules():
        if not isinstance(module, NormedConv) or not isinstance(module.norm, BatchNorm):
            continue
        norm, conv = module.norm, module.conv
        scale = norm.weight.double() / (norm.running_var.double() + EPS).sqrt()
        kernel = conv.weight.double() * scale.view(-1, 1, 1, 1)
        bias = norm.bias.double() - norm.running_mean.double() * scale
        conv.weight = nn.Parameter(kernel.to(conv.weight.dtype), requires_grad=False)
        conv.bias = nn.Parameter(bias.to(norm.bias.dtype), requires_grad=False)
        module.norm = nn.Identity()

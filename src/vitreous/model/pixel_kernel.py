"""The kernel that sees the pixels, made for another patch side or another number of channels."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def resize_kernel(kernel: Float[Tensor, "D C P P"], side: int) -> Float[Tensor, "D C P2 P2"]:
    """The pseudo-inverse resize of FlexiViT: the kernel that resized patches ask for.

    With B the matrix that resizes a patch, the new kernel is pinv(B^T) w. Enlarged, it gives every
    enlarged patch exactly the embedding of the patch itself, <Bx, pinv(B^T) w> = <x, w>; made
    smaller, the nearest to it in least squares over patches of white noise. Resizing is separable,
    and so is its pseudo-inverse: B is small, one matrix for rows and columns. In float64.

    Source: Beyer et al. 2022, arXiv 2212.08013, section 3.4; big_vision/models/proj/flexi/vit.py,
    whose resize is bilinear without antialiasing.

    Args:
        kernel: Of square patches, any floating dtype.
        side: P2, of the new patches.

    Returns:
        In the kernel's dtype; the very same tensor where the side is equal.
    """
    old = kernel.shape[-1]
    if side == old:
        return kernel
    basis = torch.eye(old, dtype=torch.float64, device=kernel.device)[None]  # (1, P, P)
    resize = F.interpolate(basis, side, mode="linear", align_corners=False)[0].T  # (P2, P)
    inverse = torch.linalg.pinv(resize.T)  # (P2, P)
    return (inverse @ kernel.double() @ inverse.T).to(kernel.dtype)


def change_channels(kernel: Float[Tensor, "D C P P2"], channels: int) -> Float[Tensor, "D C2 P P2"]:
    """A kernel for images of another number of channels.

    To one channel: the sum, so that a grey image gives what it gives stacked. To C2 others: the
    kernels repeated in their order (R, G, B, R for 4) and multiplied by C / C2, so that what a
    filter answers keeps its scale; grey images stacked C2 times give the same result exactly where
    C divides C2. That is timm's rule, with any C.

    Source: timm 1.0, models/_manipulate.py, adapt_input_conv.
    """
    old = kernel.shape[1]
    if channels == old:
        return kernel
    if channels == 1:
        return kernel.sum(1, keepdim=True)
    repeated = torch.arange(channels, device=kernel.device) % old
    return kernel[:, repeated] * (old / channels)


def follow_channels(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """A mean or deviation per channel for another number of channels: averaged, or repeated."""
    if channels == len(values):
        return values
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[channel % len(values)] for channel in range(channels))

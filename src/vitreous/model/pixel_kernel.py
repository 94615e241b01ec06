"""The kernel that sees the pixels, made for another patch side or another number of channels."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def resize_kernel(
    kernel: Float[Tensor, "D C P P2"], patch: tuple[int, int]
) -> Float[Tensor, "D C P3 P4"]:
    """The pseudo-inverse resize of FlexiViT: the kernel that resized patches ask for.

    With B the matrix that resizes a patch, the new kernel is pinv(B^T) w. Enlarged, it gives every
    enlarged patch exactly the embedding of the patch itself, <Bx, pinv(B^T) w> = <x, w>; made
    smaller, the nearest to it in least squares over patches of white noise. Resizing is separable,
    and so is its pseudo-inverse: B is two small matrices, for rows and for columns. In float64.

    Source: Beyer et al. 2022, arXiv 2212.08013, section 3.4; big_vision/models/proj/flexi/vit.py,
    whose resize is bilinear without antialiasing.

    Args:
        kernel: Any floating dtype.
        patch: (height, width) of the new patches, pixels.

    Returns:
        In the kernel's dtype; the very same tensor where the sides are equal.
    """
    if tuple(kernel.shape[2:]) == patch:
        return kernel
    rows, columns = (
        _inverse_resize(old, new, kernel.device)
        for old, new in zip(kernel.shape[2:], patch, strict=True)
    )
    return (rows @ kernel.double() @ columns.T).to(kernel.dtype)


def _inverse_resize(old: int, new: int, device: torch.device) -> Float[Tensor, "new old"]:
    """Pseudo-inverse of the transposed matrix that resizes one side of a patch."""
    basis = torch.eye(old, dtype=torch.float64, device=device)[None]
    resize = F.interpolate(basis, new, mode="linear", align_corners=False)[0].T  # (new, old)
    return torch.linalg.pinv(resize.T)


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

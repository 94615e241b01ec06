"""From pixels to tokens: images cut into patches, and their linear projection."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.model.config import ViTConfig
from vitreous.model.dense import dense


class PatchEmbedding(nn.Module):
    """The linear projection E of flattened patches (equation 1).

    The kernel is kept as a convolution's, (D, C, P, P2), as every checkpoint family writes it; the
    product is one matrix multiplication over patches, which is faster than a strided convolution
    in both directions. With `patch_norms` a layer norm stands before it and behind it.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        height, width = (side // config.stem_stride for side in config.patch_size)
        self.patch = height, width
        self.weight = nn.Parameter(torch.empty(config.width, config.stem_channels, height, width))
        self.bias = nn.Parameter(torch.empty(config.width)) if config.patch_bias else None
        self.norm_pixels: nn.Module = nn.Identity()
        self.norm_tokens: nn.Module = nn.Identity()
        if config.patch_norms:
            self.norm_pixels = nn.LayerNorm(self.weight[0].numel(), config.norm_eps)
            self.norm_tokens = nn.LayerNorm(config.width, config.norm_eps)

    def reset_parameters(self) -> None:
        """Flax's default for a convolution: LeCun normal kernel (truncated), zero bias."""
        fan_in = self.weight[0].numel()
        # 0.8796 is the deviation of a unit normal cut at 2: Flax divides by it.
        std = fan_in**-0.5 / 0.87962566103423978
        nn.init.trunc_normal_(self.weight, std=std, a=-2 * std, b=2 * std)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N D"]:
        """Project each patch; patches are numbered row by row, what fills none is left out."""
        x = cut_patches(images, self.patch)  # (B, N, C*P*P2)
        x = dense(self.norm_pixels(x), self.weight.flatten(1), self.bias)
        projected: Tensor = self.norm_tokens(x)
        return projected


def cut_patches(images: Float[Tensor, "B C H W"], patch: tuple[int, int]) -> Float[Tensor, "B N F"]:
    """Cut images into flattened patches (N, C*P*P2), row by row; what fills none is left out.

    Args:
        images: Pixels.
        patch: (height, width) of a patch, pixels.
    """
    C, H, W = images.shape[1:]
    P, P2 = patch
    h, w = H // P, W // P2
    x = images[:, :, : h * P, : w * P2].unflatten(3, (w, P2)).unflatten(2, (h, P))
    x = x.permute(0, 2, 4, 1, 3, 5)  # (B, h, w, C, P, P2)
    return x.reshape(-1, h * w, C * P * P2)


def join_patches(
    patches: Float[Tensor, "B N F"], grid: tuple[int, int], patch: tuple[int, int]
) -> Float[Tensor, "B C H W"]:
    """Join the images that `cut_patches` cut into a grid (h, w) of patches."""
    x = patches.unflatten(2, (-1, *patch)).unflatten(1, grid)  # (B, h, w, C, P, P2)
    return x.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)

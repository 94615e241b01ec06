"""A model from the words of vit-pytorch's constructor."""

import difflib
import re
from typing import Any, Literal

from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.classifier import Classifier
from vitreous.model.config import Pooling, ViTConfig

Side = int | tuple[int, int]
_WORDS = (
    "image_size",
    "patch_size",
    "num_classes",
    "dim",
    "depth",
    "heads",
    "mlp_dim",
    "pool",
    "channels",
    "dim_head",
    "dropout",
    "emb_dropout",
    "release",
)
# What changed, by the first release that has it.
_PATCH_NORMS, _NORM_BEFORE_POOL, _MEAN_WITHOUT_TOKEN = (1, 0), (1, 4), (1, 16)


def from_lucidrains(
    *,
    image_size: Side,
    patch_size: Side,
    num_classes: int,
    dim: int,
    depth: int,
    heads: int,
    mlp_dim: int,
    pool: Literal["cls", "mean"] = "cls",
    channels: int = 3,
    dim_head: int = 64,
    dropout: float = 0.0,
    emb_dropout: float = 0.0,
    release: str = "1.26",
    **unknown: Any,
) -> Classifier:
    """Make the model that vit-pytorch's `ViT` makes of the same words.

    >>> from_lucidrains(
    ...     image_size=256, patch_size=32, num_classes=10, dim=1024, depth=6, heads=16, mlp_dim=2048
    ... )

    Weights of that `ViT` give the same logits (`vitreous.load` reads its files). The first values
    are ours, the paper's: class token and head start at zero.

    Args:
        image_size: Pixels, one side or (H, W).
        patch_size: Pixels, one side or (height, width).
        num_classes: K.
        dim: D.
        depth: L.
        heads: k.
        mlp_dim: F.
        pool: `cls`: the head reads the class token; `mean`: the mean of the patches, before release
            1.16 of the class token and the patches together.
        channels: C.
        dim_head: d. One head as wide as `dim` has no output projection.
        dropout: Rate on attention weights and after each dense layer of a block.
        emb_dropout: Rate after the position embedding.
        release: Of vit-pytorch, from 0.7 on. Before 1.0 no norms stand around the patch projection;
            before 1.4 the last norm is of the pooled vector.
        **unknown: Any other word is refused.

    Raises:
        UserError: An unknown word (names the nearest), or words that contradict one another.

    Source: vit-pytorch 0.7 to 1.26, vit_pytorch/vit.py.
    """
    for word in unknown:
        nearest = difflib.get_close_matches(word, _WORDS, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise UserError(f"unknown word {word!r}: {hint}vit-pytorch's are {', '.join(_WORDS)}")
    if pool not in ("cls", "mean"):
        raise UserError(f"pool is {pool!r}: choose cls or mean")
    since = _release(release)
    class_token = pool == "cls" or since < _MEAN_WITHOUT_TOKEN
    pooling: Pooling = "token" if pool == "cls" else "mean_all" if class_token else "mean"
    pooled_norm = since < _NORM_BEFORE_POOL and pool == "mean"
    return create_model(
        ViTConfig(
            image_size=_pair(image_size),
            patch=patch_size,
            channels=channels,
            num_classes=num_classes,
            width=dim,
            depth=depth,
            mlp_width=mlp_dim,
            heads=heads,
            head_width=dim_head,
            class_token=class_token,
            pooling=pooling,
            final_norm="pooled" if pooled_norm else "tokens",
            patch_norms=since >= _PATCH_NORMS,
            qkv_bias=False,
            output_projection=heads > 1 or dim_head != dim,
            activation="gelu",
            norm_eps=1e-5,
            dropout=dropout,
            attention_dropout=dropout,
            embedding_dropout=emb_dropout,
            resample="timm",
        )
    )


def _release(text: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)(\.|$)", str(text))
    if match is None or (found := (int(match[1]), int(match[2]))) < (0, 7):
        raise UserError(f"release is {text!r}: give one of vit-pytorch from 0.7 on, such as '1.26'")
    return found


def _pair(side: Side) -> tuple[int, int]:
    return (side, side) if isinstance(side, int) else side

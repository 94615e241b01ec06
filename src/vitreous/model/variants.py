"""The named variants: the paper's Table 1, its relatives, and the spellings of both."""

import difflib
import logging
import re
from typing import Any

from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.resnet_config import Block, ResNetConfig

# Table 1 (B, L, H); Ti and S: DeiT, arXiv 2012.12877, and AugReg, arXiv 2106.10270; g: arXiv
# 2106.04560; b: Figure 4, B with all hidden dimensions halved. The paper does not state its heads:
# six, as wide as B's, which makes it S. Columns: width D, depth L, MLP width F, heads k.
SIZES: dict[str, tuple[int, int, int, int]] = {
    "Ti": (192, 12, 768, 3),
    "S": (384, 12, 1536, 6),
    "b": (384, 12, 1536, 6),
    "B": (768, 12, 3072, 12),
    "L": (1024, 24, 4096, 16),
    "H": (1280, 32, 5120, 16),
    "g": (1408, 40, 6144, 16),
}

_LISTED_PATCHES = {
    "Ti": (16,),
    "S": (32, 16, 8),
    "b": (32,),
    "B": (32, 16, 8),
    "L": (32, 16),
    "H": (14,),
    "g": (14,),
}

# By a hybrid's ResNet and the number in its name: units of the stages, and pixels of a patch. At
# 16 the fourth stage of R50 is folded into the third (section 3.1; google-research/
# vision_transformer, issue 88). R+ViT-Ti/16 puts 8x8 patches on the root's map as it was published
# (vit_jax/configs/models.py): that map has a stride of 4, so that a patch is 32 pixels wide.
STEMS: dict[tuple[str, int], tuple[tuple[int, ...], int]] = {
    ("R", 16): ((), 32),
    ("R26", 32): ((2, 2, 2, 2), 32),
    ("R50", 16): ((3, 4, 9), 16),
    ("R50", 32): ((3, 4, 6, 3), 32),
}

_LISTED_HYBRIDS = (
    "R+ViT-Ti/16",
    "R26+ViT-S/32",
    "R26+ViT-B/32",
    "R50+ViT-B/32",
    "R50+ViT-B/16",
    "R50+ViT-L/16",
    "R50+ViT-L/32",
)

# Units of the stages of a BiT ResNet, by its depth (google-research/big_transfer; R200: the paper's
# Table 6).
BIT_UNITS: dict[str, tuple[int, ...]] = {
    "50": (3, 4, 6, 3),
    "101": (3, 4, 23, 3),
    "152": (3, 8, 36, 3),
    "200": (3, 24, 36, 3),
}

_LISTED_BIT = (
    "BiT-R50x1",
    "BiT-R50x3",
    "BiT-R101x1",
    "BiT-R101x3",
    "BiT-R152x2",
    "BiT-R152x4",
)

# Units and blocks of a ResNet with BatchNorm, by its depth (arXiv 1512.03385, Table 1).
RESNETS: dict[str, tuple[tuple[int, ...], Block]] = {
    "18": ((2, 2, 2, 2), "basic"),
    "34": ((3, 4, 6, 3), "basic"),
    "50": ((3, 4, 6, 3), "bottleneck"),
    "101": ((3, 4, 23, 3), "bottleneck"),
    "152": ((3, 8, 36, 3), "bottleneck"),
}

_SPELLINGS = {
    "ti": "Ti",
    "tiny": "Ti",
    "s": "S",
    "small": "S",
    "b": "B",
    "base": "B",
    "l": "L",
    "large": "L",
    "h": "H",
    "huge": "H",
    "g": "g",
    "giant": "g",
}

# The stem's width factor may be written where it is 1: the paper's R50x1+ViT-B/32.
_NAME = re.compile(
    r"(?:(?P<stem>R\d*?)(?P<factor>(?<=\d)x\d+)?[+_])?(?:vit[-_ /]?)?"
    r"(?P<size>tiny|small|base|large|huge|giant|ti|s|b|l|h|g)"
    r"[-_ /]?(?:patch|p)?[-_ /]?(?P<patch>\d{1,3})(?:[-_ @](?P<side>\d{2,4}))?",
    re.IGNORECASE,
)

# The one spelling in which a lower-case b is the paper's halved B; elsewhere case says nothing.
_HALVED = re.compile(r"ViT-b/(?P<patch>\d{1,3})(?:@(?P<side>\d{2,4}))?")

# BiT-R50x1; BiT-M-R50x1, its file's name; resnetv2_50x1_bit, timm's.
_BIT_NAME = re.compile(
    r"(?:bit[-_ ])?(?:[sml][-_ ])?(?:resnet(?:v2)?[-_ ]?|r)(?P<depth>\d+)x(?P<factor>[1-9]\d?)"
    r"(?:[-_ ]bit[sm]?)?",
    re.IGNORECASE,
)

# ResNet-50; resnet50, torchvision's.
_RESNET_NAME = re.compile(r"resnet[-_ ]?(?P<depth>\d+)", re.IGNORECASE)


def list_models() -> list[str]:
    """Every named variant: ViTs, hybrids, ResNets.

    Any other patch side, and any other width of a BiT ResNet, is spelt the same way. `ViT-b/32`,
    with a lower-case b, is another model than `ViT-B/32`: the paper's halved one (Figure 4).
    """
    plain = [f"ViT-{size}/{patch}" for size in SIZES for patch in _LISTED_PATCHES[size]]
    classic = [f"ResNet-{depth}" for depth in RESNETS]
    return [*plain, *_LISTED_HYBRIDS, *_LISTED_BIT, *classic]


def variant_config(name: str, **overrides: Any) -> ModelConfig:
    """The config behind a name.

    Args:
        name: The paper's form (`ViT-B/16`, `BiT-R50x1`, `ResNet-50`) or a spelling of it (`B/16`,
            `vit_b_16`, `vit_base_patch16_224`, `resnetv2_50x1_bit`, `resnet50`), with any patch
            side or width factor. Case does not matter, with one exception: exactly `ViT-b/32` is
            the paper's halved B. What comes near to it, `b/32` or `vit-b/32`, is B, and a warning
            says so.
        **overrides: Fields of the config that differ from the variant's.

    Raises:
        UserError: No such variant (lists the nearest), or a field that contradicts another.
    """
    bit = _BIT_NAME.fullmatch(name.strip())
    if bit is not None and bit["depth"] in BIT_UNITS:
        depth, factor = bit["depth"], int(bit["factor"])
        named: dict[str, Any] = {
            "name": f"BiT-R{depth}x{factor}",
            "units": BIT_UNITS[depth],
            "width_factor": factor,
        }
        return BiTConfig.from_dict(named | overrides)
    classic = _RESNET_NAME.fullmatch(name.strip())
    if classic is not None and classic["depth"] in RESNETS:
        stages, block = RESNETS[classic["depth"]]
        named = {"name": f"ResNet-{classic['depth']}", "units": stages, "block": block}
        return ResNetConfig.from_dict(named | overrides)
    halved = _HALVED.fullmatch(name.strip())
    match = halved or _NAME.fullmatch(name.strip())
    # A capital G alone is another model, ViT-G (arXiv 2106.04560), which is not here.
    if match is None or int(match["patch"]) == 0 or (not halved and match["size"] == "G"):
        known = {model.lower(): model for model in list_models()}
        nearest = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.3)
        listed = ", ".join(known[model] for model in nearest or known)
        raise UserError(f"unknown model {name!r}: nearest are {listed}")
    patch, stem = int(match["patch"]), ""
    if halved:
        size = "b"
    else:
        size, stem = _SPELLINGS[match["size"].lower()], _stem(name, match)
        _warn_if_halved_was_meant(name, size, stem, patch)
    width, depth, mlp_width, heads = SIZES[size]
    units, pixels = STEMS[stem, patch] if stem else (None, patch)
    side = int(match["side"]) if match["side"] else _side_near_224(pixels)
    values: dict[str, Any] = {
        "name": f"{stem}{'+' * bool(stem)}ViT-{size}/{patch}",
        "stem": units,
        "image_size": (side, side),
        "patch": pixels,
        "width": width,
        "depth": depth,
        "mlp_width": mlp_width,
        "heads": heads,
    }
    return ViTConfig.from_dict(values | overrides)


def _stem(name: str, match: re.Match[str]) -> str:
    """Return the ResNet of a hybrid's name, in our spelling; empty without one.

    Raises:
        UserError: No hybrid has that ResNet, at that width, with patches of that side.
    """
    stem = (match["stem"] or "").upper()
    if stem and ((stem, int(match["patch"])) not in STEMS or match["factor"] not in (None, "x1")):
        raise UserError(f"unknown model {name!r}: hybrids are {', '.join(_LISTED_HYBRIDS)}")
    return stem


def _warn_if_halved_was_meant(name: str, size: str, stem: str, patch: int) -> None:
    """Say which of two models was taken where `b/32` can be B or the paper's halved B."""
    if size == "B" and not stem and f"b/{patch}" in name and patch in _LISTED_PATCHES["b"]:
        logging.getLogger("vitreous").warning(
            "%r is taken for ViT-B/%d; the paper's halved model is spelt ViT-b/%d exactly",
            name,
            patch,
            patch,
        )


def _side_near_224(patch: int) -> int:
    """The multiple of the patch side nearest to the paper's 224 pixels, from below."""
    return max(224 // patch, 1) * patch

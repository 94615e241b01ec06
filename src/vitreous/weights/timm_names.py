"""timm's names of architectures: those that are read here, and what their tensors do not show.

A name is read token by token; it is known only if every token is. So a new architecture with the
tensors of a plain Vision Transformer, but another function, is refused by its name rather than
misread.

Source: timm 1.0, models/vision_transformer.py and models/deit.py, entry points and default_cfgs.
"""

import re
from dataclasses import dataclass
from typing import Any

from vitreous.errors import UserError
from vitreous.model.config import Activation
from vitreous.weights.evidence import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD

_READ = (
    "plain ViT, FlexiViT, DeiT and DeiT III, the towers of CLIP and SigLIP, DINOv2, BiT and the "
    "plain ResNet are read"
)
# Tokens of names whose models differ in sizes and weights alone, or in what tensors show.
_SIZES = r"tiny|small|base|large|huge|giant|gigantic|medium|mediumd|betwixt|little|wee|xsmall"
_SIZES += r"|so150m2?|so400m|giantopt"
_TAGS = r"patch\d+|\d+|reg\d+|gap|map|clip|quickgelu|siglip|dinov2|tipsv2|plus|miil|36x1|sam|dino"
_TAGS += r"|augreg2?|in1k|in21k|in21ft1k|in22k|in22ft1k|laion\w*|openai|ft"
_PLAIN = re.compile(
    rf"vit_(?:{_SIZES})(?:_(?:{_TAGS}))*"
    rf"|deit3?_(?:{_SIZES})(?:_(?:distilled|ls|{_TAGS}))*"
    r"|flexivit_(?:small|base|large)(?:_\d+)?"
    r"|eva_large_patch14_\d+"
    r"|test_vit2?"
    r"|resnetv2_\d+x\d+_bitm?(?:_\w+)?"
    r"|(?:tv_|ssl_|swsl_|gluon_)?resnet\d+(?:_v1b)?"
)
# The first that is found in a name says why a model of it is not read.
_OTHERS = {
    r"(^|_)pe_(core|spatial|lang)": "a Perception Encoder, which has rotary positions",
    r"rope": "a ViT with rotary positions",
    r"dinov3|lingbot": "a DINOv3, which has rotary positions",
    r"sapiens": "a Sapiens ViT, which has rotary positions",
    r"eva02": "an EVA-02, which has rotary positions and a gated MLP",
    r"^eva": "an EVA, whose keys have no bias",
    r"beit3": "a BEiT-3, which has norms inside attention and MLP",
    r"beit": "a BEiT, which has relative position biases",
    r"naflex": "a NaFlexViT, which takes patches of images of any shape",
    r"aimv2": "an AIMv2, which has RMS norms and a gated MLP",
    r"relpos": "a ViT with relative position biases",
    r"samvit": "SAM's ViT, which has windows and relative positions",
    r"swin": "a Swin Transformer, which has shifted windows",
    r"_rpn(_|$)": "a ViT with norms behind attention and MLP",
    r"_xp(_|$)|_pwee": "a ViT with attention and MLP side by side",
    r"_\d+x2(_|$)": "a ViT with two attentions and two MLPs side by side",
    r"_d(little|pwee|wee)": "a ViT with differential attention",
    r"radio": "a RADIO, which has no last norm",
    r"intern": "an InternViT, which has no last norm",
    r"_r(26|50|_s16)|resnet\d+d|_mci": "a hybrid of timm's",
    r"test_vit3": "a ViT that pools its registers too",
    r"test_vit4": "a ViT with RMS norms",
    r"resnetblur|resnetaa": "a ResNet whose strides are blurred",
    r"seresnet|ecaresnet|resnetrs|skresnet": "a ResNet with attention over its channels",
    r"resnext": "a ResNeXt, whose convolutions are in groups",
    r"wide_resnet": "a Wide ResNet",
    r"resnet\d+(c|s|t)(_|$)|resnet_": "a ResNet with another stem",
    r"resnet\d+_gn|resnest": "a relative of the ResNet",
    r"cait": "a CaiT, which has talking heads and class attention",
    r"mixer": "an MLP-Mixer",
}


@dataclass(frozen=True, kw_only=True)
class TimmDefaults:
    """The facts that a name of timm's says of a model, beside its tensors.

    Attributes:
        activation: Of the MLP.
        norm_eps: Of the layer norms.
        preprocessing: Fields of `Preprocessing`, as the first weights under this name want them.
    """

    activation: Activation
    norm_eps: float
    preprocessing: dict[str, Any]


def bare_name(name: str) -> str:
    """A name without its place on the hub and without the tag of its weights, in lower case."""
    return name.rpartition("/")[2].partition(".")[0].lower()


def is_read(name: str) -> bool:
    """True for an architecture of timm's that is read here."""
    return unread_reason(name) is None and _PLAIN.fullmatch(bare_name(name)) is not None


def unread_reason(name: str) -> str | None:
    """Say what a model is, where its name is that of one that is known not to be read."""
    bare = bare_name(name)
    if bare.startswith("eva_large"):
        return None
    return next((what for pattern, what in _OTHERS.items() if re.search(pattern, bare)), None)


def refuse_unread(place: object, name: str) -> None:
    """Refuse an architecture of timm's that is not known to be read here.

    Args:
        place: The file, for the message.
        name: As timm's config gives it.

    Raises:
        UserError: It names the architecture, why it is not read, and which ones are.
    """
    if is_read(name):
        return
    what = unread_reason(name)
    reason = f"which is {what}: not read yet" if what else "which is no name of those read here"
    fix = "" if what else "; if it is one of these, say so by architecture=, as timm names it"
    raise UserError(f"{place}: its config says architecture {name}, {reason}; of timm {_READ}{fix}")


def timm_defaults(name: str) -> TimmDefaults:
    """The activation, epsilon and preprocessing of a name that is read."""
    bare = bare_name(name)
    activation: Activation = "quick_gelu" if "quickgelu" in bare else "gelu"
    if _TANH.fullmatch(bare):
        activation = "gelu_tanh"
    return TimmDefaults(
        activation=activation,
        norm_eps=1e-5 if "clip" in bare.split("_") else 1e-6,
        preprocessing=_preprocessing(bare),
    )


# SigLIP's models that timm gives the tanh approximation; the others have the exact GELU there.
_TANH = re.compile(
    r"vit_(base_patch32|so400m_patch16|giantopt_patch16)_siglip.*|vit_large_patch16_siglip.*_512"
)
_IMAGENET = re.compile(r"deit.*|.*(dinov2|_dino).*|vit_small_patch8_224|vit_(giant|huge).*_gap_.*")
_CLIP = re.compile(r".*_clip_.*|eva_large.*")
_WHOLE = re.compile(r".*(clip|dinov2|tipsv2|so150m2).*|eva_large.*|.*_(384|448)")
_MORE = re.compile(r"flexivit.*|test_vit.*|.*(_plus_|reg\d_gap|_gap_2[45]).*")


def _preprocessing(bare: str) -> dict[str, Any]:
    half = (0.5, 0.5, 0.5)
    said: dict[str, Any] = {"mean": half, "std": half, "crop_fraction": 0.9}
    if "siglip" in bare:
        return said
    if _CLIP.fullmatch(bare):
        said |= {"mean": CLIP_MEAN, "std": CLIP_STD}
    elif _IMAGENET.fullmatch(bare):
        said |= {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    elif "tipsv2" in bare or "miil" in bare:
        said |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    if _WHOLE.fullmatch(bare):
        said["crop_fraction"] = 1.0
    elif _MORE.fullmatch(bare):
        said["crop_fraction"] = 0.95
    return said

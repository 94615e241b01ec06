"""OpenCLIP with a tower of timm's, as BiomedCLIP and OpenCLIP's SigLIP have it.

The tower is `visual.trunk`, and its projection into the space shared with text `visual.head.proj`,
which is the head here. What its names leave open is told by timm's name in `open_clip_config.json`.
Such files are read and not written.

Source: mlfoundations/open_clip, open_clip/timm_model.py and factory.py.
"""

from dataclasses import replace
from typing import Any

from vitreous.errors import UserError
from vitreous.model.config import ViTConfig
from vitreous.weights.evidence import Evidence
from vitreous.weights.family import Family, Hints, Reading
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import Rule
from vitreous.weights.timm import TIMM, timm_config, timm_preprocessing, timm_rules

_TRUNK, _HEAD = "visual.trunk.", "visual.head.proj"


def _rules(config: ViTConfig) -> list[Rule]:
    rules = [
        replace(rule, theirs=tuple(_TRUNK + name for name in rule.names))
        for rule in timm_rules(replace(config, num_classes=0))
    ]
    if config.num_classes:
        parts = ("weight", "bias") if config.head_bias else ("weight",)
        rules += [Rule(f"{_HEAD}.{part}", f"head.{part}") for part in parts]
    return rules


def _understand(checkpoint: Checkpoint, hints: Hints) -> Reading:
    said = _as_timm(checkpoint)
    names = {name.removeprefix(_TRUNK): name for name in checkpoint.shapes if _TRUNK in name}
    trunk = replace(
        checkpoint,
        config=said,
        shapes={bare: checkpoint.shapes[name] for bare, name in names.items()},
        read=lambda bare: checkpoint.read(names[bare]),
    )
    if {"head.weight", "attn_pool.q_norm.weight"} & set(trunk.shapes):
        raise UserError(f"{checkpoint.file}: visual.trunk has a head of its own, not read here")
    evidence = Evidence(TIMM.settle(trunk, hints), hints)
    config = timm_config(evidence)
    kernel = checkpoint.shapes.get(f"{_HEAD}.weight", (0,))
    config = replace(
        config,
        num_classes=kernel[0],
        head_bias=f"{_HEAD}.bias" in checkpoint.shapes or not kernel[0],
    )
    rule = timm_preprocessing(evidence, config, said)
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


def _as_timm(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what OpenCLIP's config says, in the form of timm's."""
    whole = checkpoint.config
    tower = (whole.get("model_cfg") or {}).get("vision_cfg") or {}
    said: dict[str, Any] = {"model_args": {}}
    if "timm_model_name" in tower:
        said["architecture"] = tower["timm_model_name"]
    elif "architecture" in whole:
        said["architecture"] = whole["architecture"]
    if tower.get("image_size"):
        said["model_args"]["img_size"] = tower["image_size"]
    if tower.get("timm_pool"):
        said["global_pool"] = tower["timm_pool"]
    images = whole.get("preprocess_cfg") or {}
    said["pretrained_cfg"] = {key: images[key] for key in ("mean", "std") if key in images}
    if "interpolation" in images:
        said["pretrained_cfg"]["interpolation"] = images["interpolation"]
    said["pretrained_cfg"]["crop_pct"] = 1.0
    if images.get("resize_mode") == "squash":
        said["pretrained_cfg"]["crop_mode"] = "squash"
    return said


OPENCLIP_TIMM = Family(
    name="openai",
    layout="timm tower",
    signature=tuple(_TRUNK + name for name in TIMM.signature),
    left_out={
        "the text tower": r"(text|transformer|token_embedding|ln_final)\..*|positional_embedding"
        r"|text_projection|logit_(scale|bias)",
    },
    understand=_understand,
    rules=_rules,
    objection=lambda config: "a tower of timm's",
)

"""timm's `ResNetV2` as it keeps BiT ResNets.

The network is Google's, but for the epsilon of its standardised kernels.

Source: timm 1.0, models/resnetv2.py.
"""

from typing import Any

from vitreous.model.bit_config import BiTConfig
from vitreous.model.variants import BIT_UNITS
from vitreous.weights.evidence import Evidence, pair
from vitreous.weights.family import Family, Hints, Reading
from vitreous.weights.google_bit import ResNetLayout, resnet_objection
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint

_LAYOUT = ResNetLayout(
    root="stem.conv.weight",
    unit="stages.{stage}.blocks.{unit}.",
    first=0,
    conv=("conv1.weight", "conv2.weight", "conv3.weight"),
    norm=("norm1.", "norm2.", "norm3."),
    shortcut="downsample.conv.weight",
    last_norm="norm.",
    head="head.fc.",
    kernel_eps=1e-8,
)
_SIDE = 224


def _understand(checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    trained = said.get("pretrained_cfg", {})
    size = hints.image_size
    if size is None and "input_size" in trained:
        size = pair(trained["input_size"])
    if size is None:
        evidence.assumed.append(f"images of {_SIDE} pixels; any size works")
    config = _LAYOUT.config(evidence, size or (_SIDE, _SIDE))
    evidence.agree("num_classes", config.num_classes, said.get("num_classes"))
    half = (0.5, 0.5, 0.5)
    rule = evidence.preprocessing(
        config,
        tuple(trained.get("mean", half)),
        tuple(trained.get("std", half)),
        because="" if "mean" in trained else "as BiT's own weights want it",
        fit="squash" if trained.get("crop_mode") == "squash" else "crop",
        crop_fraction=trained.get("crop_pct", 1.0),
        interpolation=evidence.interpolation(trained.get("interpolation"), "bilinear"),
    )
    names = tuple(map(str, said.get("label_names") or trained.get("label_names") or ()))
    return Reading(
        config=config,
        preprocessing=rule,
        class_names=names if len(names) == config.num_classes else (),
        assumed=tuple(evidence.assumed),
    )


def _config_json(passport: Passport) -> dict[str, Any]:
    config, rule = passport.architecture, passport.preprocessing
    assert isinstance(config, BiTConfig)
    depths = {units: depth for depth, units in BIT_UNITS.items()}
    return {
        "architecture": f"resnetv2_{depths.get(config.units, '50')}x{config.width_factor}_bit",
        "num_classes": config.num_classes,
        "num_features": config.width,
        "label_names": list(passport.class_names),
        "pretrained_cfg": {
            "input_size": [config.channels, *config.image_size],
            "mean": list(rule.mean),
            "std": list(rule.std),
            "interpolation": rule.interpolation,
            "crop_pct": rule.crop_fraction,
            "crop_mode": "squash" if rule.fit == "squash" else "center",
        },
    }


TIMM_BIT = Family(
    name="timm",
    layout="bit",
    architecture=BiTConfig,
    signature=_LAYOUT.signature,
    understand=_understand,
    rules=_LAYOUT.rules,
    objection=resnet_objection,
    config_json=_config_json,
)

"""torchvision's `ResNet`, whose names timm and many others share.

Of its many relatives only the plain one is read: the others are told by their tensors, or by the
architecture that a config names, and refused by name. What has the very same tensors and computes
something else (strides on the 1x1 as in Caffe, blurred or dilated strides, another activation) is
written down as assumed.

Source: torchvision 0.28, models/resnet.py; timm 1.0, models/resnet.py.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from vitreous.errors import UserError
from vitreous.model.residual_config import Root
from vitreous.model.resnet_config import Block, ResNetConfig
from vitreous.model.variants import RESNETS
from vitreous.weights.catalogue import TORCHVISION_RESNETS
from vitreous.weights.evidence import IMAGENET_MEAN, IMAGENET_STD, Evidence, pair
from vitreous.weights.family import Family, Hints, Reading, first_objection
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import Rule

_SIDE = 224  # of the images that the published weights were trained on; no tensor says it
_FIRST = "layer1.0."
_COUNTER = "num_batches_tracked"
_UNIT_PARTS = re.compile(r"layer\d+\.\d+\.(conv[123]|bn[123]|downsample\.[01])\.\w+")
_WHOLE_PARTS = re.compile(r"(conv1|bn1|fc)\.\w+")
# The side before the crop, by the name of a file that torchvision publishes.
_RESIZED = {file: resized for file, _, _, resized, _ in TORCHVISION_RESNETS}
_HARMLESS_ARGUMENTS = {"num_classes", "in_chans", "pretrained", "drop_rate", "drop_path_rate"}


def _rules(config: ResNetConfig) -> list[Rule]:
    rules = list(_normed("conv1", "bn1", "root"))
    for stage, units in enumerate(config.units):
        for unit in range(units):
            theirs, ours = f"layer{stage + 1}.{unit}.", f"stages.{stage}.{unit}."
            for number in range(3 if config.block == "bottleneck" else 2):
                conv, norm = f"{theirs}conv{number + 1}", f"{theirs}bn{number + 1}"
                rules += _normed(conv, norm, f"{ours}branch.{number}")
            if unit == 0 and (stage or config.expansion > 1):
                shortcut = f"{theirs}downsample."
                rules += _normed(f"{shortcut}0", f"{shortcut}1", f"{ours}shortcut")
    if config.num_classes:
        rules += [Rule(f"fc.{part}", f"head.{part}") for part in ("weight", "bias")]
    return rules


def _normed(conv: str, norm: str, ours: str) -> Iterator[Rule]:
    yield Rule(f"{conv}.weight", f"{ours}.conv.weight")
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield Rule(f"{norm}.{part}", f"{ours}.norm.{part}")


def _without_counters(checkpoint: Checkpoint) -> Checkpoint:
    """Leave out BatchNorm's counters of batches, which no output depends on."""
    kept = {n: shape for n, shape in checkpoint.shapes.items() if not n.endswith(_COUNTER)}
    return replace(checkpoint, shapes=kept)


def _understand(checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    _refuse_relatives(evidence)
    said = checkpoint.config
    published = _RESIZED.get(checkpoint.file.stem)
    _check_said(evidence, said, known=published is not None)
    stem, channels, side, _ = evidence.shape("conv1.weight", 4)
    counted = Counter(
        int(match[1])
        for name in checkpoint.shapes
        if (match := re.fullmatch(r"layer(\d+)\.\d+\.conv1\.weight", name))
    )
    units = tuple(counted[stage] for stage in sorted(counted))
    block: Block = "bottleneck" if evidence.has(f"{_FIRST}conv3.weight") else "basic"
    names = {row: f"ResNet-{depth}" for depth, row in RESNETS.items()} if stem == 64 else {}
    trained = said.get("pretrained_cfg", {})
    size = hints.image_size or (pair(trained["input_size"]) if "input_size" in trained else None)
    if size is None:
        evidence.assumed.append(f"images of {_SIDE} pixels; any size works")
    num_classes = evidence.shape("fc.weight", 2)[0] if evidence.has("fc.weight") else 0
    evidence.agree("num_classes", num_classes, said.get("num_classes"))
    config = ResNetConfig(
        name=names.get((units, block), "ResNet"),
        image_size=size or (_SIDE, _SIDE),
        channels=channels,
        num_classes=num_classes,
        units=units,
        stem_width=stem,
        block=block,
        root=_root(evidence, side),
    )
    _refuse_other_widths(evidence, config)
    rule = evidence.preprocessing(
        config,
        tuple(trained.get("mean", IMAGENET_MEAN)),
        tuple(trained.get("std", IMAGENET_STD)),
        because=""
        if "mean" in trained or published
        else "as torchvision's weights V1, which see the middle 224 of 256 pixels (V2: of 232)",
        fit="squash" if trained.get("crop_mode") == "squash" else "crop",
        crop_fraction=trained.get("crop_pct", 224 / (published or 256)),
        interpolation="bicubic" if trained.get("interpolation") == "bicubic" else "bilinear",
    )
    labels = tuple(map(str, said.get("label_names") or trained.get("label_names") or ()))
    return Reading(
        config=config,
        preprocessing=rule,
        class_names=labels if len(labels) == num_classes else (),
        assumed=tuple(evidence.assumed),
    )


def _refuse_relatives(evidence: Evidence) -> None:
    """Refuse networks that have more than a plain ResNet has, by what they have.

    Raises:
        UserError: It is one of them.
    """
    names = evidence.checkpoint.shapes
    foreign = [n for n in names if not _UNIT_PARTS.fullmatch(n) and not _WHOLE_PARTS.fullmatch(n)]
    words = ""
    if any(name.startswith("attnpool.") for name in names):
        words = "a ResNet of CLIP, with attention in the place of the mean, is not read here"
    elif any(name.startswith("conv1.0.") for name in names):
        words = "a stem of several convolutions (ResNet-C, ResNet-D, ResNeSt) is not read here"
    elif any(re.search(r"\.(se|se_module|eca|attn_last|attn)\.", name) for name in names):
        words = "a ResNet with squeeze and excitation (SE, ECA) is not read here"
    elif any(len(names[n]) == 4 for n in names if n.endswith("downsample.1.weight")):
        words = "ResNet-D's shortcut, with a mean before its convolution, is not read here"
    elif foreign:
        words = f"a plain ResNet has no {', '.join(sorted(foreign)[:3])}"
    elif "bn1.running_mean" not in names:
        words = "its norms have no running statistics: GroupNorm in a ResNet is not read here"
    if words:
        raise UserError(f"{evidence.checkpoint.file}: {words}")


def _check_said(evidence: Evidence, said: dict[str, Any], *, known: bool) -> None:
    """Refuse what a config says of a network that has the tensors of a plain ResNet.

    Args:
        evidence: Takes the assumption, where there is one.
        said: The config.
        known: Whether the file's name is that of a published one.

    Raises:
        UserError: It says so.
    """
    file, architecture = evidence.checkpoint.file, said.get("architecture")
    if architecture is None and not known:
        evidence.assumed.append(
            "a plain ResNet as torchvision has it: stride on the 3x3 convolutions (Caffe's have it "
            "on the 1x1), ReLU, neither dilated nor blurred; those have the same tensors"
        )
    changed = sorted(set(said.get("model_args") or {}) - _HARMLESS_ARGUMENTS)
    if said.get("global_pool", "avg") not in ("avg", ""):
        changed.append("global_pool")
    if changed:
        raise UserError(f"{file}: its config changes the plain ResNet by {', '.join(changed)}")


def _root(evidence: Evidence, side: int) -> Root:
    """Tell the root by its kernel, and by the config where that leaves two readings.

    Raises:
        UserError: A kernel of another side, or a 3x3 of which nothing says what follows it.
    """
    file = evidence.checkpoint.file
    if side == 7:
        return "pooled"
    if side != 3:
        raise UserError(f"{file}: conv1 is {side}x{side}: 7x7 and 3x3 are read here")
    if evidence.checkpoint.config.get("root") == "plain":
        return "plain"
    raise UserError(
        f"{file}: conv1 is 3x3, and nothing says whether it has a stride or a max-pool behind it: "
        f'if neither, write {{"root": "plain"}} into {file.with_suffix(".config.json").name}; '
        "if one of them, it is not read here"
    )


def _refuse_other_widths(evidence: Evidence, config: ResNetConfig) -> None:
    """Refuse groups and wide bottlenecks.

    Raises:
        UserError: It has them.
    """
    file = evidence.checkpoint.file
    out, inner, *_ = evidence.shape(f"{_FIRST}conv2.weight", 4)
    width = evidence.shape(f"{_FIRST}conv1.weight", 4)[0]
    if inner != width:
        raise UserError(
            f"{file}: conv2 in groups ({width // inner} of {inner} channels): ResNeXt is not read "
            "here"
        )
    if width != config.stem_width or out != config.stem_width:
        raise UserError(
            f"{file}: units of width {width} behind a root of {config.stem_width}: Wide ResNet is "
            "not read here"
        )


def _objection(config: ResNetConfig) -> str | None:
    if len(config.units) != 4:
        return f"units {config.units} of {len(config.units)} stages"
    return first_objection(config, root="pooled", stem_width=64)


def _config_json(passport: Passport) -> dict[str, Any]:
    config, rule = passport.architecture, passport.preprocessing
    assert isinstance(config, ResNetConfig)
    depth = {row: depth for depth, row in RESNETS.items()}.get((config.units, config.block))
    return {
        **({"architecture": f"resnet{depth}"} if depth else {}),
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


TORCHVISION_RESNET = Family(
    name="torchvision",
    layout="resnet",
    architecture=ResNetConfig,
    signature=("bn1.weight", f"{_FIRST}conv1.weight", f"{_FIRST}bn1.weight"),
    repair=_without_counters,
    understand=_understand,
    rules=_rules,
    objection=_objection,
    config_json=_config_json,
    head="fc",
)

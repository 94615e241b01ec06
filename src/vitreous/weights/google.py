"""Google's `.npz`: vision_transformer (Flax), its two ways of numbering, and big_vision.

The published files count the submodules of a block together (LayerNorm_0, Attention_1, LayerNorm_2,
MlpBlock_3); newer saves count each class from 0. big_vision keeps the position embedding at the top
and adds it before the class token is put in front, so that the class token has no position. It
may pool by attention (MAP); the image tower of SigLIP is such a model, under `img/`.

Source: google-research/vision_transformer, vit_jax/models_vit.py and checkpoint.py;
google-research/big_vision, models/vit.py.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial

from vitreous.model.config import Pooling, ViTConfig
from vitreous.weights.evidence import Evidence, variant_name
from vitreous.weights.family import ANY, Family, Hints, Reading, first_objection
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import (
    HWIO_KERNEL,
    KEEP,
    LAYER,
    TRANSPOSE,
    Operation,
    Rule,
    each_layer,
    heads_into,
    heads_out_of,
    leading,
)

_BLOCK = f"Transformer/encoderblock_{LAYER}"
_OURS = f"encoder.blocks.{LAYER}"
_POSITION = "Transformer/posembed_input/pos_embedding"

# Numbers of attention, second norm and MLP in a block, and the name of the position embedding.
_LAYOUTS = {
    ("google", "released"): (1, 2, 3, _POSITION),
    ("google", "newer"): (0, 1, 0, _POSITION),
    ("big_vision", ""): (0, 1, 0, "pos_embedding"),
}


def _rules(layout: tuple[str, str], config: ViTConfig) -> list[Rule]:
    attention, norm, mlp, position = _LAYOUTS[layout]
    attention_name = f"{_BLOCK}/MultiHeadDotProductAttention_{attention}"
    rules = [
        Rule("embedding/kernel", "patch.weight", HWIO_KERNEL),
        Rule("embedding/bias", "patch.bias"),
        Rule(position, "position.table", leading(1)),
        Rule(f"{_BLOCK}/LayerNorm_0/scale", f"{_OURS}.norm_attention.weight"),
        Rule(f"{_BLOCK}/LayerNorm_0/bias", f"{_OURS}.norm_attention.bias"),
        *_attention_rules(attention_name, f"{_OURS}.attention", config.heads),
        Rule(f"{_BLOCK}/LayerNorm_{norm}/scale", f"{_OURS}.norm_mlp.weight"),
        Rule(f"{_BLOCK}/LayerNorm_{norm}/bias", f"{_OURS}.norm_mlp.bias"),
        *_mlp_rules(f"{_BLOCK}/MlpBlock_{mlp}", f"{_OURS}.mlp"),
        Rule("Transformer/encoder_norm/scale", "encoder.norm.weight"),
        Rule("Transformer/encoder_norm/bias", "encoder.norm.bias"),
    ]
    rules += _stem_rules(layout, config)
    if config.class_token:
        rules.append(Rule("cls", "class_token", leading(2)))
    if config.pooling == "map":
        pool = "MAPHead_0/MultiHeadDotProductAttention_0"
        rules += [
            Rule("MAPHead_0/probe", "pool.probe", leading(2)),
            *_attention_rules(pool, "pool.attention", config.heads),
            Rule("MAPHead_0/LayerNorm_0/scale", "pool.norm.weight"),
            Rule("MAPHead_0/LayerNorm_0/bias", "pool.norm.bias"),
            *_mlp_rules("MAPHead_0/MlpBlock_0", "pool.mlp"),
        ]
    for present, theirs, ours in (
        (config.pre_logits, "pre_logits", "pre_logits.0"),
        (config.num_classes, "head", "head"),
    ):
        if present:
            rules.append(Rule(f"{theirs}/kernel", f"{ours}.weight", TRANSPOSE))
            rules.append(Rule(f"{theirs}/bias", f"{ours}.bias", KEEP))
    return list(each_layer(rules, config.depth))


def _attention_rules(theirs: str, ours: str, heads: int) -> Iterator[Rule]:
    """Of any attention: three kernels into heads, one out of them."""
    for part, name in (("kernel", "weight"), ("bias", "bias")):
        packed = tuple(f"{theirs}/{which}/{part}" for which in ("query", "key", "value"))
        yield Rule(packed, f"{ours}.qkv.{name}", heads_out_of(heads))
    yield Rule(f"{theirs}/out/kernel", f"{ours}.projection.weight", heads_into(heads))
    yield Rule(f"{theirs}/out/bias", f"{ours}.projection.bias")


def _mlp_rules(theirs: str, ours: str) -> Iterator[Rule]:
    for number, layer in enumerate(("expand", "contract")):
        yield Rule(f"{theirs}/Dense_{number}/kernel", f"{ours}.{layer}.weight", TRANSPOSE)
        yield Rule(f"{theirs}/Dense_{number}/bias", f"{ours}.{layer}.bias")


def _stem_rules(layout: tuple[str, str], config: ViTConfig) -> Iterator[Rule]:
    """Of a hybrid's ResNet, whose norms were saved as (1, 1, 1, C) once, and are (C) today."""
    if config.stem is None:
        return
    shape = (1, 1, 1, -1) if layout[1] == "released" else (-1,)
    flat = Operation(lambda x: x.flatten(), lambda x: x.view(shape))
    modules = {"conv_root": "stem.root", "gn_root": "stem.root_norm"}
    for stage, units in enumerate(config.stem):
        for unit in range(units):
            theirs, ours = f"block{stage + 1}/unit{unit + 1}", f"stem.stages.{stage}.{unit}"
            for number in (1, 2, 3):
                modules[f"{theirs}/conv{number}"] = f"{ours}.conv{number}"
                modules[f"{theirs}/gn{number}"] = f"{ours}.norm{number}"
            if unit == 0:
                modules[f"{theirs}/conv_proj"] = f"{ours}.shortcut.0"
                modules[f"{theirs}/gn_proj"] = f"{ours}.shortcut.1"
    for theirs, ours in modules.items():
        if "conv" in theirs:
            yield Rule(f"{theirs}/kernel", f"{ours}.weight", HWIO_KERNEL)
        else:
            yield Rule(f"{theirs}/scale", f"{ours}.weight", flat)
            yield Rule(f"{theirs}/bias", f"{ours}.bias", flat)


def _stem_of(checkpoint: Checkpoint) -> tuple[int, ...] | None:
    """The units of each stage, counted; leftovers and gaps come out when the table is applied."""
    if "conv_root/kernel" not in checkpoint.shapes:
        return None
    found = [re.fullmatch(r"block(\d+)/unit\d+/conv1/kernel", name) for name in checkpoint.shapes]
    units = Counter(int(match[1]) for match in found if match)
    return tuple(units[stage] for stage in sorted(units))


def _pooling(evidence: Evidence) -> Pooling:
    if evidence.has("MAPHead_0/probe"):
        return "map"
    return "token" if evidence.has("cls") else "mean"


def _understand(layout: tuple[str, str], checkpoint: Checkpoint, hints: Hints) -> Reading:
    attention, _, mlp, position = _LAYOUTS[layout]
    evidence = Evidence(checkpoint, hints)
    patch, _, channels, _ = evidence.shape("embedding/kernel", 4)
    stem, stem_width = _stem_of(checkpoint), 64
    if stem is not None:
        _, _, channels, stem_width = evidence.shape("conv_root/kernel", 4)
        patch *= 4 * 2 ** max(len(stem) - 1, 0)
    first = _BLOCK.replace(LAYER, "0")
    width, heads, head_width = evidence.shape(
        f"{first}/MultiHeadDotProductAttention_{attention}/query/kernel", 3
    )
    depth = evidence.depth(f"{_BLOCK}/LayerNorm_0/scale")
    mlp_width = evidence.shape(f"{first}/MlpBlock_{mlp}/Dense_0/kernel", 2)[1]
    class_token = evidence.has("cls")
    prefix_positions = layout[0] == "google"
    patches = evidence.shape(position, 3)[1] - (class_token and prefix_positions)
    has_pre_logits = evidence.has("pre_logits/kernel")
    config = ViTConfig(
        name=variant_name(width, depth, mlp_width, heads, patch, stem),
        image_size=evidence.image_size(patches, patch),
        patch=patch,
        channels=channels,
        width=width,
        depth=depth,
        mlp_width=mlp_width,
        heads=heads,
        head_width=head_width,
        num_classes=evidence.shape("head/kernel", 2)[1] if evidence.has("head/kernel") else 0,
        class_token=class_token,
        prefix_positions=prefix_positions,
        pooling=_pooling(evidence),
        pre_logits=evidence.shape("pre_logits/kernel", 2)[1] if has_pre_logits else None,
        activation="gelu_tanh",
        norm_eps=1e-6,
        stem=stem,
        stem_width=stem_width,
        resample="google",
    )
    half = (0.5, 0.5, 0.5)
    rule = evidence.preprocessing(config, half, half, fit="squash", interpolation="bilinear")
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


def _objection(layout: tuple[str, str], config: ViTConfig) -> str | None:
    with_positions = layout[0] == "google" or not config.class_token
    pooled = "mean" if layout[0] == "google" else ("mean", "map")
    return first_objection(
        config,
        stem=ANY if layout[0] == "google" else None,
        class_token=ANY,
        prefix_positions=ANY if not config.class_token else with_positions,
        register_positions=ANY,
        pooling="token" if config.class_token else pooled,
        pre_logits=ANY,
        activation="gelu_tanh",
        head_width=ANY,
    )


def _signature(layout: tuple[str, str]) -> tuple[str, ...]:
    attention, norm, mlp, position = _LAYOUTS[layout]
    first = _BLOCK.replace(LAYER, "0")
    return (
        "embedding/kernel",
        position,
        f"{first}/LayerNorm_{norm}/scale",
        f"{first}/MultiHeadDotProductAttention_{attention}/query/kernel",
        f"{first}/MlpBlock_{mlp}/Dense_0/kernel",
    )


GOOGLE = tuple(
    Family(
        name=layout[0],
        layout=layout[1],
        signature=_signature(layout),
        left_out={"the text tower": r"txt/.*|[tb]"} if layout[0] == "big_vision" else {},
        understand=partial(_understand, layout),
        rules=partial(_rules, layout),
        objection=partial(_objection, layout),
        suffix=".npz",
    )
    for layout in _LAYOUTS
)

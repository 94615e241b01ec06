"""Hugging Face transformers' DINOv2, with and without registers, in the names of versions 4 and 5.

The class token has a position and the registers have none. The classifier reads the class token
and the mean of the patches, side by side. The giant's MLP is gated. With registers, positions are
resampled with antialiasing, which is timm's rule too.

Source: transformers 4 and 5, models/dinov2 and models/dinov2_with_registers.
"""

from functools import partial
from typing import Any

from vitreous.model.config import ViTConfig
from vitreous.weights.evidence import IMAGENET_MEAN, IMAGENET_STD, Evidence
from vitreous.weights.family import ANY, Family, Hints, Reading, first_objection
from vitreous.weights.huggingface_config import (
    ACTIVATIONS,
    WORDS,
    config_json,
    preprocessor_json,
    read_activation,
    read_class_names,
    read_multi_label,
    read_norm_eps,
    read_preprocessing,
)
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Rule, each_layer, leading

_OURS = f"encoder.blocks.{LAYER}"
_QKV = {
    "4": tuple(f"attention.attention.{part}" for part in ("query", "key", "value")),
    "5": tuple(f"attention.{part}_proj" for part in "qkv"),
}
_PROJECTION = {"4": "attention.output.dense", "5": "attention.o_proj"}
# Names of the gate with the value, and of the layer behind them.
_GATED = {
    "4": (("mlp.weights_in",), "mlp.weights_out"),
    "5": (("mlp.gate_proj", "mlp.up_proj"), "mlp.down_proj"),
}
_PLAIN = (("mlp.fc1",), "mlp.fc2")


def _rules(version: str, prefix: str, config: ViTConfig) -> list[Rule]:
    block = f"{prefix}encoder.layer.{LAYER}"
    expand, contract = _GATED[version] if config.activation == "swiglu" else _PLAIN
    modules: dict[tuple[str, ...], str] = {
        (f"{prefix}embeddings.patch_embeddings.projection",): "patch",
        (f"{prefix}layernorm",): "encoder.norm",
        (f"{block}.norm1",): f"{_OURS}.norm_attention",
        (f"{block}.{_PROJECTION[version]}",): f"{_OURS}.attention.projection",
        (f"{block}.norm2",): f"{_OURS}.norm_mlp",
        tuple(f"{block}.{name}" for name in expand): f"{_OURS}.mlp.expand",
        (f"{block}.{contract}",): f"{_OURS}.mlp.contract",
    }
    qkv = tuple(f"{block}.{name}" for name in _QKV[version])
    modules[qkv] = f"{_OURS}.attention.qkv"
    if config.num_classes:
        modules["classifier",] = "head"
    rules = [
        Rule(tuple(f"{name}.{part}" for name in theirs), f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
        if config.qkv_bias or (theirs, part) != (qkv, "bias")
    ]
    rules += [
        Rule(f"{block}.layer_scale1.lambda1", f"{_OURS}.scale_attention.gamma"),
        Rule(f"{block}.layer_scale2.lambda1", f"{_OURS}.scale_mlp.gamma"),
        Rule(f"{prefix}embeddings.cls_token", "class_token", leading(2)),
        Rule(f"{prefix}embeddings.position_embeddings", "position.table", leading(1)),
        Rule(f"{prefix}embeddings.mask_token", None, empty_shape=(1, config.width)),
    ]
    if config.registers:
        rules.append(Rule(f"{prefix}embeddings.register_tokens", "registers", leading(1)))
    return list(each_layer(rules, config.depth))


def _understand(version: str, prefix: str, checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    block = f"{prefix}encoder.layer.{LAYER}"
    gated = not evidence.has(f"{block}.mlp.fc1.weight".replace(LAYER, "0"))
    expand = (_GATED[version] if gated else _PLAIN)[0]
    sizes = evidence.sizes(
        patch=f"{prefix}embeddings.patch_embeddings.projection.weight",
        norm=f"{block}.norm1.weight",
        expand=f"{block}.{expand[0]}.weight",
        said=said,
        words=WORDS | {"mlp_width": ""},
        gated=gated and len(expand) == 1,
    )
    has_head = evidence.has("classifier.weight")
    num_classes, inputs = evidence.shape("classifier.weight", 2) if has_head else (0, 0)
    if has_head:
        evidence.agree("number of inputs of the classifier", inputs, 2 * sizes["width"])
    registers = f"{prefix}embeddings.register_tokens"
    tokens = evidence.shape(registers, 3)[1] if evidence.has(registers) else 0
    evidence.agree("num_register_tokens", tokens, said.get("num_register_tokens"))
    patches = evidence.shape(f"{prefix}embeddings.position_embeddings", 3)[1] - 1
    config = ViTConfig(
        **sizes,
        **evidence.grid(patches, sizes["patch"], said.get("image_size")),
        num_classes=num_classes,
        registers=tokens,
        register_positions=False,
        pooling="token_mean" if has_head else "token",
        layer_scale=float(said.get("layerscale_value", 1.0)),
        qkv_bias=evidence.has(f"{block}.{_QKV[version][0]}.bias".replace(LAYER, "0")),
        activation="swiglu" if gated else read_activation(evidence, said, "gelu"),
        norm_eps=read_norm_eps(evidence, said, 1e-6),
        resample="timm" if tokens else "huggingface",
    )
    rule = read_preprocessing(
        evidence,
        config,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        fit="crop",
        interpolation="bicubic",
        any_size=True,
    )
    return Reading(
        config=config,
        preprocessing=rule,
        class_names=read_class_names(evidence, said, num_classes),
        multi_label=read_multi_label(evidence, said, num_classes),
        assumed=tuple(evidence.assumed),
    )


def _objection(prefix: str, config: ViTConfig) -> str | None:
    named = "" if not config.num_classes else _PREFIXES[bool(config.registers)]
    if prefix != named:
        return f"num_classes {config.num_classes}"
    if config.layer_scale is None:
        return "layer_scale None"
    if _ratio(config) is None:
        return f"mlp_width {config.mlp_width} at width {config.width}"
    return first_objection(
        config,
        registers=ANY,
        register_positions=False if config.registers else ANY,
        pooling="token_mean" if config.num_classes else "token",
        layer_scale=ANY,
        qkv_bias=ANY,
        activation=(*ACTIVATIONS, "swiglu"),
    )


def _ratio(config: ViTConfig) -> int | None:
    """The whole number that makes this MLP: two thirds as wide, up to eight, where it is gated."""
    for ratio in range(1, 33):
        wide = config.width * ratio
        if config.activation == "swiglu":
            wide = (int(wide * 2 / 3) + 7) // 8 * 8
        if wide == config.mlp_width:
            return ratio
    return None


def _config_json(passport: Passport) -> dict[str, Any]:
    config = passport.architecture
    assert isinstance(config, ViTConfig)
    gated = config.activation == "swiglu"
    model = "Dinov2WithRegisters" if config.registers else "Dinov2"
    kind = "dinov2_with_registers" if config.registers else "dinov2"
    own: dict[str, Any] = {
        "architectures": [f"{model}{'ForImageClassification' if config.num_classes else 'Model'}"],
        "model_type": kind,
        "mlp_ratio": _ratio(config),
        "use_swiglu_ffn": gated,
        "layerscale_value": config.layer_scale,
    }
    if config.registers:
        own["num_register_tokens"] = config.registers
    said = config_json(passport, **own)
    del said["intermediate_size"]
    return said


def _signature(version: str, prefix: str) -> tuple[str, ...]:
    first = f"{prefix}encoder.layer.0"
    return (
        f"{prefix}embeddings.cls_token",
        f"{prefix}embeddings.position_embeddings",
        f"{first}.layer_scale1.lambda1",
        f"{first}.{_QKV[version][0]}.weight",
    )


_PREFIXES = ("dinov2.", "dinov2_with_registers.", "")

HUGGINGFACE_DINOV2 = tuple(
    Family(
        name="huggingface",
        layout=f"DINOv2, version {version}{', registers' if '_' in prefix else ''}"
        f"{'' if prefix else ', bare'}",
        signature=_signature(version, prefix),
        left_out={"the mask token of pretraining": rf"{prefix}embeddings\.mask_token"},
        understand=partial(_understand, version, prefix),
        rules=partial(_rules, version, prefix),
        objection=partial(_objection, prefix),
        config_json=_config_json,
        head="classifier",
        preprocessor_json=partial(preprocessor_json, kind="BitImageProcessor"),
    )
    for prefix in _PREFIXES
    for version in ("4", "5")
)

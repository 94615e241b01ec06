"""lucidrains' vit-pytorch, today's layout and an older one.

A patch is flattened as (row, column, channel), and projected by a linear layer; today's has a layer
norm on either side of it. The older layout names its blocks' insides `fn`, and its only final norm
is the first layer of the head: of the pooled token, that is, which for a class token is the same.

Source: vit-pytorch 1.26, vit_pytorch/vit.py, and its history.
"""

import math
from functools import partial
from typing import Any

from torch import Tensor

from vitreous.errors import UserError
from vitreous.model.config import Activation, ViTConfig
from vitreous.weights.evidence import Evidence, pair, variant_name
from vitreous.weights.family import ANY, Family, Hints, Reading, first_objection
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import KEEP, LAYER, Operation, Rule, each_layer, leading

_BLOCK, _OURS = f"transformer.layers.{LAYER}", f"encoder.blocks.{LAYER}"
_PARTS = {
    "current": {
        "0.norm": "norm_attention",
        "0.to_out.0": "attention.projection",
        "1.net.0": "norm_mlp",
        "1.net.1": "mlp.expand",
        "1.net.4": "mlp.contract",
    },
    "older": {
        "0.norm": "norm_attention",
        "0.fn.to_out.0": "attention.projection",
        "1.norm": "norm_mlp",
        "1.fn.net.0": "mlp.expand",
        "1.fn.net.3": "mlp.contract",
    },
}
_QKV = {"current": "0.to_qkv.weight", "older": "0.fn.to_qkv.weight"}
_PATCH = {"current": "to_patch_embedding.2", "older": "to_patch_embedding.1"}
_HEAD = {"current": "mlp_head", "older": "mlp_head.1"}
_ACTIVATIONS: dict[str, Activation] = {"gelu": "gelu", "relu": "relu"}


def _channels_first(patch: int, channels: int) -> Operation:
    """Flattened patches, (..., P*P*C), to (..., C*P*P)."""

    def ours(x: Tensor) -> Tensor:
        return x.unflatten(-1, (patch, patch, channels)).movedim(-1, -3).flatten(-3)

    def theirs(x: Tensor) -> Tensor:
        return x.unflatten(-1, (channels, patch, patch)).movedim(-3, -1).flatten(-3)

    return Operation(ours, theirs)


def _rules(layout: str, config: ViTConfig) -> list[Rule]:
    patch, channels = config.patch, config.channels
    order = _channels_first(patch, channels)
    kernel = Operation(
        lambda x: order.ours(x).unflatten(-1, (channels, patch, patch)),
        lambda x: order.theirs(x.flatten(1)),
    )
    modules = {f"{_BLOCK}.{theirs}": f"{_OURS}.{ours}" for theirs, ours in _PARTS[layout].items()}
    modules["transformer.norm" if layout == "current" else "mlp_head.0"] = (
        "encoder.norm" if config.final_norm == "tokens" else "pooled_norm"
    )
    if config.num_classes:
        modules[_HEAD[layout]] = "head"
    rules = [
        Rule(f"{theirs}.{part}", f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
    ]
    rules += [
        Rule(f"{_PATCH[layout]}.weight", "patch.weight", kernel),
        Rule(f"{_PATCH[layout]}.bias", "patch.bias"),
        Rule(f"{_BLOCK}.{_QKV[layout]}", f"{_OURS}.attention.qkv.weight"),
        Rule("pos_embedding", "position.table", KEEP if layout == "current" else leading(1)),
    ]
    if layout == "current":
        for part in ("weight", "bias"):
            rules.append(Rule(f"to_patch_embedding.1.{part}", f"patch.norm_pixels.{part}", order))
            rules.append(Rule(f"to_patch_embedding.3.{part}", f"patch.norm_tokens.{part}"))
    if config.class_token:
        rules.append(Rule("cls_token", "class_token", leading(1 if layout == "current" else 2)))
    else:  # pooling by the mean, today's layout keeps a token table of no rows
        rules.append(Rule("cls_token", None, empty_shape=(0, config.width)))
    return list(each_layer(rules, config.depth))


def _understand(layout: str, checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    parts = {ours: theirs for theirs, ours in _PARTS[layout].items()}
    width, patch_dim = evidence.shape(f"{_PATCH[layout]}.weight", 2)
    patch, channels = _patch_of(checkpoint, patch_dim, said)
    if "patch_size" in said:
        evidence.agree("patch_size", (patch, patch), pair(said["patch_size"]))
    depth = evidence.depth(f"{_BLOCK}.{_QKV[layout]}")
    first = _BLOCK.replace(LAYER, "0")
    mlp_width = evidence.shape(f"{first}.{parts['mlp.expand']}.weight", 2)[0]
    inner = evidence.shape(f"{first}.{_QKV[layout]}", 2)[0] // 3
    heads = evidence.heads(inner, said.get("heads"), (width, depth, mlp_width))
    evidence.agree("dim_head", inner // heads, said.get("dim_head"))
    token_shape = evidence.shape("cls_token", 2 if layout == "current" else 3)
    class_token = token_shape[-2] > 0
    if (pool := said.get("pool", "cls" if class_token else "mean")) == "mean" and class_token:
        raise UserError(
            f"{checkpoint.file}: a mean over patches and class token together is not known here"
        )
    positions = evidence.shape("pos_embedding", 2 if layout == "current" else 3)
    has_head = evidence.has(f"{_HEAD[layout]}.weight")
    activation = str(said.get("activation", "gelu"))
    if activation not in _ACTIVATIONS:
        raise UserError(f"{checkpoint.file}: activation {activation!r} is not known here")
    config = ViTConfig(
        name=variant_name(width, depth, mlp_width, heads, patch),
        **evidence.grid(positions[-2] - class_token, patch, said.get("image_size")),
        patch=patch,
        channels=channels,
        width=width,
        depth=depth,
        mlp_width=mlp_width,
        heads=heads,
        head_width=inner // heads,
        num_classes=evidence.shape(f"{_HEAD[layout]}.weight", 2)[0] if has_head else 0,
        class_token=class_token,
        pooling="mean" if pool == "mean" else "token",
        final_norm="tokens" if layout == "current" else "pooled",
        patch_norms=layout == "current",
        qkv_bias=False,
        activation=_ACTIVATIONS[activation],
        norm_eps=1e-5,
        resample="timm",
    )
    evidence.assumed.append("normalisation by mean and deviation 0.5")
    half = (0.5,) * channels
    rule = evidence.preprocessing(config, half, half)
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


def _patch_of(checkpoint: Checkpoint, patch_dim: int, said: dict[str, Any]) -> tuple[int, int]:
    """P and C out of their product P*P*C: colour or grey, one of which at most fits."""
    for channels in (said["channels"],) if "channels" in said else (3, 1):
        side = math.isqrt(patch_dim // channels)
        if side * side * channels == patch_dim:
            return side, channels
    raise UserError(
        f"{checkpoint.file}: patches of {patch_dim} numbers are neither grey nor RGB squares: "
        'say "channels" in a config.json beside it'
    )


def _objection(layout: str, config: ViTConfig) -> str | None:
    if layout == "older" and not config.class_token:
        return "class_token False"
    return first_objection(
        config,
        class_token=ANY,
        pooling="token" if config.class_token else "mean",
        final_norm="tokens" if layout == "current" else "pooled",
        patch_norms=layout == "current",
        qkv_bias=False,
        activation=tuple(_ACTIVATIONS),
        head_width=ANY,
    )


def _config_json(passport: Passport) -> dict[str, Any]:
    config = passport.architecture
    assert isinstance(config, ViTConfig)
    return {
        "image_size": list(config.image_size),
        "patch_size": config.patch,
        "channels": config.channels,
        "num_classes": config.num_classes,
        "dim": config.width,
        "depth": config.depth,
        "heads": config.heads,
        "dim_head": config.head_dim,
        "mlp_dim": config.mlp_width,
        "pool": "cls" if config.pooling == "token" else "mean",
        "activation": config.activation,
    }


LUCIDRAINS = tuple(
    Family(
        name="lucidrains",
        layout=layout,
        signature=(
            "pos_embedding",
            "cls_token",
            f"{_PATCH[layout]}.weight",
            f"transformer.layers.0.{_QKV[layout]}",
        ),
        understand=partial(_understand, layout),
        rules=partial(_rules, layout),
        objection=partial(_objection, layout),
        config_json=_config_json,
    )
    for layout in _PARTS
)

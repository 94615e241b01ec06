"""timm's `VisionTransformer`, whose names the `.pth` files of DeiT, DINO and MAE share.

Prefix tokens stand as [class token, registers]. Where the position table has rows for them, it is
added after they are put in front; where it has the patches' alone (`no_embed_class`), before. With
the norm after the pool (`fc_norm`) there is no other final norm.

Source: timm 1.0, models/vision_transformer.py.
"""

from typing import Any

from vitreous.errors import UserError
from vitreous.model.config import Activation, FinalNorm, ViTConfig
from vitreous.weights.evidence import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Evidence,
    interpolation,
    pair,
    variant_name,
)
from vitreous.weights.family import Family, Hints, Reading, first_objection
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Rule, each_layer, leading

_ACTIVATIONS: dict[str | None, Activation] = {
    None: "gelu",
    "gelu": "gelu",
    "gelu_tanh": "gelu_tanh",
    "relu": "relu",
}
_BLOCK, _OURS = f"blocks.{LAYER}", f"encoder.blocks.{LAYER}"
_PARTS = {
    "norm1": "norm_attention",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.projection",
    "norm2": "norm_mlp",
    "mlp.fc1": "mlp.expand",
    "mlp.fc2": "mlp.contract",
}


def _rules(config: ViTConfig) -> list[Rule]:
    modules = {"patch_embed.proj": "patch"}
    modules |= {f"{_BLOCK}.{theirs}": f"{_OURS}.{ours}" for theirs, ours in _PARTS.items()}
    if config.final_norm == "pooled":
        modules["fc_norm"] = "pooled_norm"
    else:
        modules["norm"] = "encoder.norm"
    if config.num_classes:
        modules["head"] = "head"
    rules = [
        Rule(f"{theirs}.{part}", f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
        if config.qkv_bias or (theirs, part) != (f"{_BLOCK}.attn.qkv", "bias")
    ]
    rules.append(Rule("pos_embed", "position.table", leading(1)))
    if config.class_token:
        rules.append(Rule("cls_token", "class_token", leading(2)))
    if config.registers:
        rules.append(Rule("reg_token", "registers", leading(1)))
    if config.layer_scale is not None:
        rules.append(Rule(f"{_BLOCK}.ls1.gamma", f"{_OURS}.scale_attention.gamma"))
        rules.append(Rule(f"{_BLOCK}.ls2.gamma", f"{_OURS}.scale_mlp.gamma"))
    return list(each_layer(rules, config.depth))


def _understand(checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    model = said | said.get("model_args", {})
    trained = said.get("pretrained_cfg", {})
    width, channels, patch, _ = evidence.shape("patch_embed.proj.weight", 4)
    depth = evidence.depth(f"{_BLOCK}.norm1.weight")
    mlp_width = evidence.shape("blocks.0.mlp.fc1.weight", 2)[0]
    num_classes = evidence.shape("head.weight", 2)[0] if evidence.has("head.weight") else 0
    heads = evidence.heads(width, model.get("num_heads"), (width, depth, mlp_width))
    for what, found in (
        ("num_classes", num_classes),
        ("embed_dim", width),
        ("depth", depth),
        ("in_chans", channels),
    ):
        evidence.agree(what, found, model.get(what))
    if "patch_size" in model:
        evidence.agree("patch_size", (patch, patch), pair(model["patch_size"]))
    class_token = evidence.has("cls_token")
    registers = evidence.shape("reg_token", 3)[1] if evidence.has("reg_token") else 0
    rows, prefix = evidence.shape("pos_embed", 3)[1], int(class_token) + registers
    size = model.get("img_size", trained.get("input_size"))
    prefix_positions = _prefix_has_positions(model, size or hints.image_size, rows, prefix, patch)
    final_norm: FinalNorm = "pooled" if evidence.has("fc_norm.weight") else "tokens"
    pool = model.get("global_pool", "token" if class_token and final_norm == "tokens" else "avg")
    if pool not in ("token", "avg"):
        raise UserError(f"{checkpoint.file}: pooling {pool!r} of timm is not known here")
    activation = model.get("act_layer")
    if activation not in _ACTIVATIONS or "quickgelu" in str(said.get("architecture")):
        raise UserError(f"{checkpoint.file}: activation {activation!r} is not known here")
    config = ViTConfig(
        name=variant_name(width, depth, mlp_width, heads, patch),
        image_size=evidence.image_size(rows - prefix * prefix_positions, patch, size),
        patch=patch,
        channels=channels,
        width=width,
        depth=depth,
        mlp_width=mlp_width,
        heads=heads,
        num_classes=num_classes,
        class_token=class_token,
        registers=registers,
        prefix_positions=prefix_positions,
        pooling="token" if pool == "token" else "mean",
        final_norm=final_norm,
        layer_scale=1e-5 if evidence.has("blocks.0.ls1.gamma") else None,
        qkv_bias=evidence.has("blocks.0.attn.qkv.bias"),
        activation=_ACTIVATIONS[activation],
        norm_eps=1e-6,
        resample="timm",
    )
    # AugReg's and Google's own weights want [-1, 1]; those in .pth wrappers are facebookresearch's.
    half = (0.5, 0.5, 0.5)
    usual = (IMAGENET_MEAN, IMAGENET_STD) if checkpoint.wrapper else (half, half)
    if "mean" not in trained and channels == 3:
        evidence.assumed.append(f"normalisation by mean {usual[0]} and deviation {usual[1]}")
    rule = evidence.preprocessing(
        config,
        tuple(trained.get("mean", usual[0])),
        tuple(trained.get("std", usual[1])),
        fit="squash" if trained.get("crop_mode") == "squash" else "crop",
        crop_fraction=trained.get("crop_pct", 0.9),
        interpolation=interpolation(trained.get("interpolation")),
    )
    names = tuple(map(str, said.get("label_names") or trained.get("label_names") or ()))
    return Reading(
        config=config,
        preprocessing=rule,
        class_names=names if len(names) == num_classes else (),
        assumed=tuple(evidence.assumed),
    )


def _prefix_has_positions(
    model: dict[str, Any], size: Any, rows: int, prefix: int, patch: int
) -> bool:
    """Said, or told by which count of rows makes the grid; a table for all is timm's default."""
    if "no_embed_class" in model:
        return not model["no_embed_class"]
    if size is not None:
        height, width = pair(size)
        patches = (height // patch) * (width // patch)
        if patches in (rows, rows - prefix):
            return patches == rows - prefix
    return not _is_square(rows) or _is_square(rows - prefix)


def _is_square(number: int) -> bool:
    return number > 0 and int(number**0.5 + 0.5) ** 2 == number


def _objection(config: ViTConfig) -> str | None:
    assert config.head_width is not None
    if config.head_width * config.heads != config.width:
        return f"head_width {config.head_width} x {config.heads} heads at width {config.width}"
    return first_objection(config, {"stem": None, "pre_logits": None, "patch_norms": False})


def _config_json(passport: Passport) -> dict[str, Any]:
    config, rule = passport.architecture, passport.preprocessing
    assert isinstance(config, ViTConfig)
    return {
        "architecture": "vit_base_patch16_224",
        "num_classes": config.num_classes,
        "num_features": config.width,
        "label_names": list(passport.class_names),
        "model_args": {
            "img_size": list(config.image_size),
            "patch_size": config.patch,
            "in_chans": config.channels,
            "embed_dim": config.width,
            "depth": config.depth,
            "num_heads": config.heads,
            "mlp_ratio": config.mlp_width / config.width,
            "qkv_bias": config.qkv_bias,
            "init_values": config.layer_scale,
            "class_token": config.class_token,
            "reg_tokens": config.registers,
            "no_embed_class": not config.prefix_positions,
            "global_pool": "token" if config.pooling == "token" else "avg",
            "fc_norm": config.final_norm == "pooled",
            "act_layer": config.activation,
        },
        "pretrained_cfg": {
            "input_size": [config.channels, *config.image_size],
            "mean": list(rule.mean),
            "std": list(rule.std),
            "interpolation": rule.interpolation,
            "crop_pct": rule.crop_fraction,
            "crop_mode": "squash" if rule.fit == "squash" else "center",
        },
    }


TIMM = Family(
    name="timm",
    signature=(
        "patch_embed.proj.weight",
        "pos_embed",
        "blocks.0.norm1.weight",
        "blocks.0.attn.qkv.weight",
        "blocks.0.mlp.fc1.weight",
    ),
    understand=_understand,
    rules=_rules,
    objection=_objection,
    config_json=_config_json,
)

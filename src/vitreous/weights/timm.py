"""timm's `VisionTransformer`, distilled or not, with CLIP's and SigLIP's image towers.

Prefix tokens stand as [class token, registers]. Where the position table has rows for them, it is
added after they are put in front; where it has the patches' alone (`no_embed_class`), before. With
the norm after the pool (`fc_norm`) there is no other final norm. Releases of 2020 to 2022 may have
a tanh layer before the head (`pre_logits.fc`, as in `jx_vit_base_patch16_224_in21k`); later ones
leave it out on loading without a word. A published config names the model and little else, so
activation and epsilon are told from the name (`timm_names`).

Source: timm 1.0, models/vision_transformer.py, models/deit.py, layers/attention_pool.py.
"""

import math
from functools import partial
from typing import Any

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.config import Activation, Dialect, FinalNorm, Pooling, ViTConfig
from vitreous.weights.evidence import CLIP_MEAN, CLIP_STD, Evidence, Patch, pair
from vitreous.weights.family import ANY, Family, Hints, Reading, first_objection
from vitreous.weights.huggingface_config import read_class_names, read_multi_label
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Rule, each_layer, leading
from vitreous.weights.timm_names import timm_defaults
from vitreous.weights.timm_readings import refuse_unread_arguments, settle

_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
}
_POOLINGS: dict[str, Pooling] = {"token": "token", "avg": "mean", "map": "map"}
_WORDS = {
    "patch": "patch_size",
    "channels": "in_chans",
    "width": "embed_dim",
    "depth": "depth",
    "heads": "num_heads",
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
_POOL = {
    "proj": "attention.projection",
    "norm": "norm",
    "mlp.fc1": "mlp.expand",
    "mlp.fc2": "mlp.contract",
}


def timm_rules(config: ViTConfig) -> list[Rule]:
    """The table, which the `.pth` files of DeiT, DINO and MAE share."""
    modules = {"patch_embed.proj": "patch"}
    modules |= {f"{_BLOCK}.{theirs}": f"{_OURS}.{ours}" for theirs, ours in _PARTS.items()}
    if config.embedding_norm:
        modules["norm_pre"] = "embedding_norm"
    if config.final_norm == "pooled":
        modules["fc_norm"] = "pooled_norm"
    else:
        modules["norm"] = "encoder.norm"
    if config.pooling == "map":
        modules |= {f"attn_pool.{theirs}": f"pool.{ours}" for theirs, ours in _POOL.items()}
    if config.pooling == "distilled":
        modules |= {"head": "head.token", "head_dist": "head.distillation"}
    elif config.num_classes:
        modules["head"] = "head"
    if config.pre_logits is not None:
        modules["pre_logits.fc"] = "pre_logits.0"
    without_bias = {"patch"} if not config.patch_bias else set()
    without_bias |= {f"{_OURS}.attention.qkv"} if not config.qkv_bias else set()
    rules = [
        Rule(f"{theirs}.{part}", f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
        if part == "weight" or ours not in without_bias
    ]
    rules.append(Rule("pos_embed", "position.table", leading(1)))
    if config.class_token:
        rules.append(Rule("cls_token", "class_token", leading(2)))
    if config.registers:
        token = "dist_token" if config.pooling == "distilled" else "reg_token"
        rules.append(Rule(token, "registers", leading(1)))
    if config.layer_scale is not None:
        rules.append(Rule(f"{_BLOCK}.ls1.gamma", f"{_OURS}.scale_attention.gamma"))
        rules.append(Rule(f"{_BLOCK}.ls2.gamma", f"{_OURS}.scale_mlp.gamma"))
    if config.pooling == "map":
        rules.append(Rule("attn_pool.latent", "pool.probe", leading(2)))
        for part in ("weight", "bias"):
            packed = (f"attn_pool.q.{part}", f"attn_pool.kv.{part}")
            rules.append(Rule(packed, f"pool.attention.qkv.{part}", shares=(1, 2)))
    return list(each_layer(rules, config.depth))


def timm_config(evidence: Evidence, resample: Dialect = "timm") -> ViTConfig:
    """The architecture, for which a config need not be there.

    Args:
        evidence: Of the checkpoint.
        resample: Of whoever trained it.

    Raises:
        UserError: Tensors and config contradict each other, or say what is not here.
    """
    checkpoint = evidence.checkpoint
    said = checkpoint.config
    model = said | said.get("model_args", {})
    refuse_unread_arguments(checkpoint, said.get("model_args", {}))
    gated = (
        evidence.shape("blocks.0.mlp.fc1.weight", 2)[0]
        == 2 * (evidence.shape("blocks.0.mlp.fc2.weight", 2)[1])
    )
    sizes = evidence.sizes(
        patch="patch_embed.proj.weight",
        norm=f"{_BLOCK}.norm1.weight",
        expand=f"{_BLOCK}.mlp.fc1.weight",
        said=model,
        words=_WORDS,
        gated=gated,
    )
    num_classes = evidence.shape("head.weight", 2)[0] if evidence.has("head.weight") else 0
    evidence.agree("num_classes", num_classes, model.get("num_classes"))
    class_token = evidence.has("cls_token")
    registers = sum(
        evidence.shape(token, 3)[1] for token in ("reg_token", "dist_token") if evidence.has(token)
    )
    rows, prefix = evidence.shape("pos_embed", 3)[1], int(class_token) + registers
    size = model.get("img_size", said.get("pretrained_cfg", {}).get("input_size"))
    prefix_positions = _prefix_has_positions(
        model, size or evidence.hints.image_size, rows, prefix, sizes["patch"]
    )
    final_norm: FinalNorm = "pooled" if evidence.has("fc_norm.weight") else "tokens"
    embedding_norm = evidence.has("norm_pre.weight")
    has_pre_logits = evidence.has("pre_logits.fc.weight")
    return ViTConfig(
        **sizes,
        **evidence.grid(rows - prefix * prefix_positions, sizes["patch"], size),
        num_classes=num_classes,
        class_token=class_token,
        registers=registers,
        prefix_positions=prefix_positions,
        pooling=_pooling(evidence, model, class_token, final_norm),
        pre_logits=evidence.shape("pre_logits.fc.weight", 2)[0] if has_pre_logits else None,
        final_norm=final_norm,
        patch_bias=evidence.has("patch_embed.proj.bias"),
        embedding_norm=embedding_norm,
        layer_scale=1e-5 if evidence.has("blocks.0.ls1.gamma") else None,
        qkv_bias=evidence.has("blocks.0.attn.qkv.bias"),
        activation=_gate(evidence, model) if gated else _activation(evidence, model),
        norm_eps=_norm_eps(evidence, model, embedding_norm),
        resample=resample,
    )


def _pooling(
    evidence: Evidence, model: dict[str, Any], class_token: bool, final_norm: FinalNorm
) -> Pooling:
    """Said, or told by what is there; without a name of timm's another pooling is possible."""
    if evidence.has("dist_token") and evidence.has("head_dist.weight"):
        return "distilled"
    if evidence.has("attn_pool.latent"):
        usual, others = "map", "its patches alone are read"
    elif class_token and final_norm == "tokens":
        usual, others = "token", "the mean of the patches has the same tensors"
    else:
        usual, others = "avg", "the largest of the patches has the same tensors"
    said = model.get("global_pool")
    if said is None and "architecture" not in model and evidence.has("head.weight"):
        pooling = evidence.assume("pooling", _POOLINGS[usual], f"as timm's usual; {others}")
        said = next((theirs for theirs, ours in _POOLINGS.items() if ours == pooling), pooling)
    said = usual if said is None else said
    if said not in _POOLINGS:
        raise UserError(f"{evidence.checkpoint.file}: pooling {said!r} of timm is not known here")
    return _POOLINGS[said]


def _activation(evidence: Evidence, model: dict[str, Any]) -> Activation:
    said = model.get("act_layer")
    if said is None and "architecture" in model:
        return timm_defaults(str(model["architecture"])).activation
    if said is None:
        others = "" if evidence.has("cls_token") else "; some of SigLIP's have gelu_tanh"
        because = f"timm's usual{others}"
        said = evidence.assume("activation", "gelu", because)
    if said not in _ACTIVATIONS:
        raise UserError(f"{evidence.checkpoint.file}: activation {said!r} is not known here")
    return _ACTIVATIONS[said]


def _gate(evidence: Evidence, model: dict[str, Any]) -> Activation:
    if "architecture" not in model:
        evidence.assumed.append("a gated MLP of SiLU with the gate first, as DINOv2's")
    return "swiglu"


def _norm_eps(evidence: Evidence, model: dict[str, Any], embedding_norm: bool) -> float:
    if "architecture" in model:
        return timm_defaults(str(model["architecture"])).norm_eps
    usual = 1e-5 if embedding_norm else 1e-6
    evidence.assumed.append(f"layer norm epsilon {usual:g}, timm's usual of such models")
    return usual


def _understand(checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    config = timm_config(evidence)
    rule = timm_preprocessing(evidence, config, said)
    trained = said.get("pretrained_cfg", {})
    names = tuple(map(str, said.get("label_names") or trained.get("label_names") or ()))
    if not names and said.get("model_type") == "timm_wrapper":  # a model in transformers' folder
        names = read_class_names(evidence, said, config.num_classes)
    return Reading(
        config=config,
        preprocessing=rule,
        class_names=names if len(names) == config.num_classes else (),
        multi_label="problem_type" in said and read_multi_label(evidence, said, config.num_classes),
        assumed=tuple(evidence.assumed),
    )


def timm_preprocessing(
    evidence: Evidence, config: ViTConfig, said: dict[str, Any]
) -> Preprocessing:
    """Read the preprocessing from a config of timm's; what it leaves out is its name's usual.

    Args:
        evidence: Of the checkpoint.
        config: The architecture.
        said: timm's `config.json`; may be empty.
    """
    trained = said.get("pretrained_cfg", {})
    # AugReg's and Google's own weights want [-1, 1]; a norm in front is CLIP's.
    half = (0.5, 0.5, 0.5)
    usual: dict[str, Any] = {"mean": half, "std": half, "crop_fraction": 0.9}
    because = "timm's usual"
    if "architecture" in said:
        usual = timm_defaults(str(said["architecture"])).preprocessing
        because = f"timm's usual of {said['architecture']}"
    elif config.embedding_norm:
        usual = {"mean": CLIP_MEAN, "std": CLIP_STD, "crop_fraction": 1.0}
        because = "CLIP's, whose tensors these are"
    return evidence.preprocessing(
        config,
        tuple(trained.get("mean", usual["mean"])),
        tuple(trained.get("std", usual["std"])),
        because="" if "mean" in trained else because,
        fit="squash" if trained.get("crop_mode") == "squash" else "crop",
        crop_fraction=trained.get("crop_pct", usual["crop_fraction"]),
        interpolation=evidence.interpolation(trained.get("interpolation")),
    )


def _prefix_has_positions(
    model: dict[str, Any], size: Any, rows: int, prefix: int, patch: Patch
) -> bool:
    """Said, or told by which count of rows makes the grid; a table for all is timm's default."""
    if "no_embed_class" in model:
        return not model["no_embed_class"]
    if size is not None:
        sides = zip(pair(size), pair(patch), strict=True)
        patches = math.prod(side // step for side, step in sides)
        if patches in (rows, rows - prefix):
            return patches == rows - prefix
    return not _is_square(rows) or _is_square(rows - prefix)


def _is_square(number: int) -> bool:
    return number > 0 and int(number**0.5 + 0.5) ** 2 == number


def _objection(layout: str, config: ViTConfig) -> str | None:
    if (config.pre_logits is not None) != (layout == "2020 to 2022"):
        return f"pre_logits {config.pre_logits}"
    if config.registers and not config.register_positions and config.prefix_positions:
        return "register_positions False"
    if config.pooling == "distilled" and config.registers != 1:
        return f"registers {config.registers}"
    return first_objection(
        config,
        patch=ANY,
        class_token=ANY,
        registers=ANY,
        prefix_positions=ANY,
        register_positions=ANY,
        pooling=(*_POOLINGS.values(), "distilled"),
        pre_logits=ANY,
        final_norm=ANY,
        patch_bias=not config.embedding_norm,
        embedding_norm=ANY,
        layer_scale=ANY,
        qkv_bias=ANY,
        head_bias=ANY if not config.num_classes else True,
        activation=(*_ACTIVATIONS.values(), "swiglu"),
    )


def _architecture(config: ViTConfig) -> str:
    """The name of a model with those parts that no argument asks for."""
    if config.pooling == "distilled":
        return "deit_base_distilled_patch16_224"
    if config.activation == "swiglu":
        return "vit_giant_patch14_dinov2"
    return "vit_base_patch16_clip_224" if config.embedding_norm else "vit_base_patch16_224"


def _config_json(passport: Passport) -> dict[str, Any]:
    config, rule = passport.architecture, passport.preprocessing
    assert isinstance(config, ViTConfig)
    gated = config.activation == "swiglu"
    poolings = {ours: theirs for theirs, ours in _POOLINGS.items()}
    # What they make of it is rounded down.
    ratio = config.mlp_width * (2 if gated else 1) / config.width
    return {
        "architecture": _architecture(config),
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
            "mlp_ratio": math.nextafter(ratio, math.inf),
            "qkv_bias": config.qkv_bias,
            "init_values": config.layer_scale,
            "class_token": config.class_token,
            "reg_tokens": 0 if config.pooling == "distilled" else config.registers,
            "no_embed_class": not config.prefix_positions,
            "global_pool": poolings.get(config.pooling, "token"),
            "pre_norm": config.embedding_norm,
            "fc_norm": config.final_norm == "pooled",
            "act_layer": "silu" if gated else config.activation,
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


_SIGNATURE = (
    "patch_embed.proj.weight",
    "pos_embed",
    "blocks.0.norm1.weight",
    "blocks.0.attn.qkv.weight",
    "blocks.0.mlp.fc1.weight",
)


def _family(layout: str, *more: str) -> Family:
    return Family(
        name="timm",
        layout=layout,
        signature=(*_SIGNATURE, *more),
        settle=settle,
        understand=_understand,
        rules=timm_rules,
        objection=partial(_objection, layout),
        config_json=_config_json,
        head="head",
        superseded=bool(layout),
    )


TIMM = _family("")
TIMM_2020 = _family("2020 to 2022", "pre_logits.fc.weight")

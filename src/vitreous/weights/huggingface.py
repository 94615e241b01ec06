"""Hugging Face transformers' ViT and DeiT, in the names of versions 4 and 5.

Version 5 renamed the parts of a block; it reads the older names too, so those are what is written
where nothing else is asked for. A bare `ViTModel` has names without a prefix and a pooler, which is
our pre-logits layer. DeiT's distillation token is a register: the head that reads it is not ours.

Source: transformers 4 and 5, models/vit and models/deit.
"""

from functools import partial
from typing import Any

from vitreous.errors import UserError
from vitreous.model.config import Activation, ViTConfig
from vitreous.weights.evidence import Evidence, pair, variant_name
from vitreous.weights.family import Family, Hints, Reading, first_objection
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Operation, Rule, each_layer, leading

_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
_OURS = f"encoder.blocks.{LAYER}"
_BLOCKS = {"4": f"encoder.layer.{LAYER}", "5": f"layers.{LAYER}"}
_QKV = {
    "4": tuple(f"attention.attention.{part}" for part in ("query", "key", "value")),
    "5": tuple(f"attention.{part}_proj" for part in "qkv"),
}
_PARTS = {
    "4": {
        "attention.output.dense": "attention.projection",
        "intermediate.dense": "mlp.expand",
        "output.dense": "mlp.contract",
    },
    "5": {
        "attention.o_proj": "attention.projection",
        "mlp.fc1": "mlp.expand",
        "mlp.fc2": "mlp.contract",
    },
}
_NORMS = {"layernorm_before": "norm_attention", "layernorm_after": "norm_mlp"}


def _rules(version: str, prefix: str, config: ViTConfig) -> list[Rule]:
    block = prefix + _BLOCKS[version]
    modules = {
        f"{prefix}embeddings.patch_embeddings.projection": "patch",
        f"{prefix}layernorm": "encoder.norm",
    }
    for theirs, ours in (_PARTS[version] | _NORMS).items():
        modules[f"{block}.{theirs}"] = f"{_OURS}.{ours}"
    if config.pre_logits is not None:  # of a bare model only; with a head the pooler is not run
        modules[f"{prefix}pooler.dense"] = "pre_logits.0"
    if config.num_classes:
        modules["classifier"] = "head"
    rules = [
        Rule(f"{theirs}.{part}", f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
    ]
    for part in ("weight", "bias") if config.qkv_bias else ("weight",):
        packed = tuple(f"{block}.{name}.{part}" for name in _QKV[version])
        rules.append(Rule(packed, f"{_OURS}.attention.qkv.{part}"))
    tokens: list[tuple[str, str, Operation]] = [
        ("cls_token", "class_token", leading(2)),
        ("position_embeddings", "position.table", leading(1)),
    ]
    if prefix == "deit.":
        tokens.append(("distillation_token", "registers", leading(1)))
    rules += [Rule(f"{prefix}embeddings.{theirs}", ours, op) for theirs, ours, op in tokens]
    return list(each_layer(rules, config.depth))


def _understand(version: str, prefix: str, checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said, processor = checkpoint.config, checkpoint.preprocessor
    width, channels, patch, _ = evidence.shape(
        f"{prefix}embeddings.patch_embeddings.projection.weight", 4
    )
    block = prefix + _BLOCKS[version]
    first = block.replace(LAYER, "0")
    expand = next(theirs for theirs, ours in _PARTS[version].items() if ours == "mlp.expand")
    mlp_width = evidence.shape(f"{first}.{expand}.weight", 2)[0]
    depth = evidence.depth(f"{block}.layernorm_before.weight")
    has_head = evidence.has("classifier.weight")
    num_classes = evidence.shape("classifier.weight", 2)[0] if has_head else 0
    pooler = f"{prefix}pooler.dense.weight"
    heads = evidence.heads(width, said.get("num_attention_heads"), (width, depth, mlp_width))
    names = said.get("id2label") or {}
    for what, found in (
        ("hidden_size", width),
        ("num_hidden_layers", depth),
        ("intermediate_size", mlp_width),
        ("num_channels", channels),
    ):
        evidence.agree(what, found, said.get(what))
    if "patch_size" in said:
        evidence.agree("patch_size", (patch, patch), pair(said["patch_size"]))
    if names and has_head:
        evidence.agree("number of id2label", num_classes, len(names))
    if (activation := said.get("hidden_act", "gelu")) not in _ACTIVATIONS:
        raise UserError(f"{checkpoint.file}: activation {activation!r} is not known here")
    registers = int(prefix == "deit.")
    patches = evidence.shape(f"{prefix}embeddings.position_embeddings", 3)[1] - 1 - registers
    if "layer_norm_eps" not in said:
        evidence.assumed.append("layer norm epsilon 1e-12")
    config = ViTConfig(
        name=variant_name(width, depth, mlp_width, heads, patch),
        image_size=evidence.image_size(patches, patch, said.get("image_size")),
        patch=patch,
        channels=channels,
        width=width,
        depth=depth,
        mlp_width=mlp_width,
        heads=heads,
        num_classes=num_classes,
        registers=registers,
        pre_logits=evidence.shape(pooler, 2)[0] if not prefix and evidence.has(pooler) else None,
        qkv_bias=evidence.has(f"{first}.{_QKV[version][0]}.bias"),
        activation=_ACTIVATIONS[activation],
        norm_eps=said.get("layer_norm_eps", 1e-12),
        resample="huggingface",
    )
    half = [0.5, 0.5, 0.5]
    shorter = (processor.get("size") or {}).get("shortest_edge") if processor else None
    crop = processor.get("do_center_crop", False)
    rule = evidence.preprocessing(
        config,
        tuple(processor.get("image_mean", half)),
        tuple(processor.get("image_std", half)),
        fit="crop" if crop or shorter else "squash",
        crop_fraction=min(1.0, min(config.image_size) / shorter) if crop and shorter else 1.0,
        interpolation="bicubic" if processor.get("resample") == 3 else "bilinear",
    )
    ordered = tuple(str(names.get(str(label))) for label in range(len(names)))
    placeholders = all(name == f"LABEL_{label}" for label, name in enumerate(ordered))
    return Reading(
        config=config,
        preprocessing=rule,
        class_names=() if placeholders or not has_head else ordered,
        assumed=tuple(evidence.assumed),
    )


def _objection(prefix: str, config: ViTConfig) -> str | None:
    assert config.head_width is not None
    if config.head_width * config.heads != config.width:
        return f"head_width {config.head_width} x {config.heads} heads at width {config.width}"
    if config.pre_logits is not None and (prefix or config.pre_logits != config.width):
        return f"pre_logits {config.pre_logits}"
    if not prefix and config.num_classes:
        return f"num_classes {config.num_classes}"
    wanted = {
        "stem": None,
        "class_token": True,
        "registers": int(prefix == "deit."),
        "prefix_positions": True,
        "pooling": "token",
        "final_norm": "tokens",
        "patch_norms": False,
        "layer_scale": None,
    }
    return first_objection(config, wanted)


def _config_json(prefix: str, passport: Passport) -> dict[str, Any]:
    config = passport.architecture
    assert isinstance(config, ViTConfig)
    model, kind = ("DeiT", "deit") if prefix == "deit." else ("ViT", "vit")
    names = passport.class_names
    square = config.image_size[0] == config.image_size[1]
    activation = {ours: theirs for theirs, ours in _ACTIVATIONS.items()}[config.activation]
    return {
        "architectures": [f"{model}ForImageClassification" if prefix else f"{model}Model"],
        "model_type": kind,
        "hidden_size": config.width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "intermediate_size": config.mlp_width,
        "hidden_act": activation,
        "layer_norm_eps": config.norm_eps,
        "image_size": config.image_size[0] if square else list(config.image_size),
        "patch_size": config.patch,
        "num_channels": config.channels,
        "qkv_bias": config.qkv_bias,
        "id2label": {str(label): name for label, name in enumerate(names)},
        "label2id": {name: label for label, name in enumerate(names)},
    }


def _preprocessor_json(passport: Passport) -> dict[str, Any]:
    rule = passport.preprocessing
    height, width = rule.size
    size: dict[str, int] = {"height": height, "width": width}
    crop = rule.fit == "crop"
    return {
        "image_processor_type": "DeiTImageProcessor" if crop else "ViTImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": round(min(rule.size) / rule.crop_fraction)} if crop else size,
        "do_center_crop": crop,
        "crop_size": size,
        "resample": 3 if rule.interpolation == "bicubic" else 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(rule.mean),
        "image_std": list(rule.std),
    }


def _signature(version: str, prefix: str) -> tuple[str, ...]:
    first = prefix + _BLOCKS[version].replace(LAYER, "0")
    own = (f"{prefix}embeddings.distillation_token",) if prefix == "deit." else ()
    return (
        f"{prefix}embeddings.cls_token",
        f"{prefix}embeddings.position_embeddings",
        f"{prefix}embeddings.patch_embeddings.projection.weight",
        f"{first}.layernorm_before.weight",
        f"{first}.{_QKV[version][0]}.weight",
        *own,
    )


HUGGINGFACE = tuple(
    Family(
        name="huggingface",
        layout=f"version {version}{', DeiT' if prefix == 'deit.' else '' if prefix else ', bare'}",
        signature=_signature(version, prefix),
        understand=partial(_understand, version, prefix),
        rules=partial(_rules, version, prefix),
        objection=partial(_objection, prefix),
        config_json=partial(_config_json, prefix),
        preprocessor_json=_preprocessor_json,
    )
    for prefix in ("vit.", "deit.", "")
    for version in ("4", "5")
)

"""Hugging Face transformers' ViT, DeiT and ViTMAE, in the names of versions 4 and 5.

Version 5 renamed the parts of a block; it reads and writes the older names in files, so those are
what is written where nothing else is asked for. A bare `ViTModel` has names without a prefix and a
pooler, which is our pre-logits layer. DeiT's distillation token is a register; with a classifier
for each of the two tokens the logits are averaged. What masked pretraining needs besides the
encoder is left out.

Source: transformers 4 and 5, models/vit, models/deit and models/vit_mae.
"""

from dataclasses import replace
from functools import partial
from typing import Any

from vitreous.errors import UserError
from vitreous.model.config import Pooling, ViTConfig
from vitreous.weights.evidence import Evidence
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
from vitreous.weights.rule import LAYER, Operation, Rule, each_layer, leading

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


def _heads(config: ViTConfig) -> dict[str, str]:
    if config.pooling == "distilled":
        return {"cls_classifier": "head.token", "distillation_classifier": "head.distillation"}
    return {"classifier": "head"} if config.num_classes else {}


def _rules(version: str, prefix: str, config: ViTConfig) -> list[Rule]:
    block = prefix + _BLOCKS[version]
    modules = {
        f"{prefix}embeddings.patch_embeddings.projection": "patch",
        f"{prefix}layernorm": "encoder.norm",
    }
    for theirs, ours in (_PARTS[version] | _NORMS).items():
        modules[f"{block}.{theirs}"] = f"{_OURS}.{ours}"
    if config.pre_logits is not None:  # of a bare model; theirs with a head has no pooler
        modules[f"{prefix}pooler.dense"] = "pre_logits.0"
    modules |= _heads(config)
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
    if config.registers:
        tokens.append(("distillation_token", "registers", leading(1)))
    rules += [Rule(f"{prefix}embeddings.{theirs}", ours, op) for theirs, ours, op in tokens]
    return list(each_layer(rules, config.depth))


def _settle(prefix: str, checkpoint: Checkpoint, hints: Hints) -> Checkpoint:
    """Decide what a classifier reads that somebody put behind a model with a pooler.

    Raises:
        UserError: Nobody says whether it reads the class token or the pooler's output.
    """
    pooler = f"{prefix}pooler.dense.weight"
    classifies = any(name.partition(".")[0] in ("classifier", "head") for name in checkpoint.shapes)
    if not prefix or pooler not in checkpoint.shapes or not classifies:
        return checkpoint
    if hints.pooling is None:
        raise UserError(
            f"{checkpoint.file} has a pooler and a classifier, which can read the class token or "
            "the pooler's output: say pooling='token' or pooling='pooler'"
        )
    if hints.pooling == "pooler":
        return checkpoint
    shapes = {n: s for n, s in checkpoint.shapes.items() if not n.startswith(f"{prefix}pooler.")}
    return replace(checkpoint, shapes=shapes)


def _understand(version: str, prefix: str, checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    block = prefix + _BLOCKS[version]
    expand = next(theirs for theirs, ours in _PARTS[version].items() if ours == "mlp.expand")
    sizes = evidence.sizes(
        patch=f"{prefix}embeddings.patch_embeddings.projection.weight",
        norm=f"{block}.layernorm_before.weight",
        expand=f"{block}.{expand}.weight",
        said=said,
        words=WORDS,
    )
    pooling: Pooling = "distilled" if evidence.has("cls_classifier.weight") else "token"
    head = "cls_classifier.weight" if pooling == "distilled" else "classifier.weight"
    num_classes = evidence.shape(head, 2)[0] if evidence.has(head) else 0
    pooler = f"{prefix}pooler.dense.weight"
    if evidence.has(pooler) and said.get("pooler_act", "tanh") != "tanh":
        raise UserError(f"{checkpoint.file}: pooler_act {said['pooler_act']!r} is not known here")
    registers = int(evidence.has(f"{prefix}embeddings.distillation_token"))
    patches = evidence.shape(f"{prefix}embeddings.position_embeddings", 3)[1] - 1 - registers
    config = ViTConfig(
        **sizes,
        **evidence.grid(patches, sizes["patch"], said.get("image_size")),
        num_classes=num_classes,
        registers=registers,
        pooling=pooling,
        pre_logits=evidence.shape(pooler, 2)[0] if evidence.has(pooler) else None,
        qkv_bias=evidence.has(f"{block}.{_QKV[version][0]}.bias".replace(LAYER, "0")),
        activation=read_activation(evidence, said, "gelu"),
        norm_eps=read_norm_eps(evidence, said, 1e-12),
        resample="huggingface",
    )
    half = (0.5, 0.5, 0.5)
    rule = read_preprocessing(
        evidence, config, mean=half, std=half, fit="squash", interpolation="bilinear"
    )
    return Reading(
        config=config,
        preprocessing=rule,
        class_names=read_class_names(evidence, said, num_classes),
        multi_label=read_multi_label(evidence, said, num_classes),
        assumed=tuple(evidence.assumed),
    )


def _objection(prefix: str, config: ViTConfig) -> str | None:
    if config.pre_logits is not None and (prefix or config.pre_logits != config.width):
        return f"pre_logits {config.pre_logits}"
    if not prefix and config.num_classes:
        return f"num_classes {config.num_classes}"
    deit = prefix == "deit."
    return first_objection(
        config,
        registers=int(deit) if prefix else (0, 1),
        pooling=("token", "distilled") if deit else "token",
        pre_logits=ANY,
        qkv_bias=ANY,
        activation=ACTIVATIONS,
    )


def _config_json(passport: Passport) -> dict[str, Any]:
    config = passport.architecture
    assert isinstance(config, ViTConfig)
    model, kind = ("DeiT", "deit") if config.registers else ("ViT", "vit")
    head = "ForImageClassification" if config.num_classes else "Model"
    teacher = "WithTeacher" if config.pooling == "distilled" else ""
    return config_json(passport, architectures=[f"{model}{head}{teacher}"], model_type=kind)


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
        settle=partial(_settle, prefix),
        left_out={
            "the decoder of pretraining": r"decoder\..*",
            "the mask token of pretraining": rf"{prefix}embeddings\.mask_token",
        },
        understand=partial(_understand, version, prefix),
        rules=partial(_rules, version, prefix),
        objection=partial(_objection, prefix),
        config_json=_config_json,
        head="classifier" if prefix else "",
        preprocessor_json=preprocessor_json,
    )
    for prefix in ("vit.", "deit.", "")
    for version in ("4", "5")
)

"""The image towers of CLIP and SigLIP in Hugging Face transformers, alone or beside their text.

CLIP: no bias in the patch projection, a layer norm behind the positions, a class token, and where
there is a projection into the space shared with text, it is the head, without a bias. SigLIP: no
class token, and a probe that attends to the patches; a classifier reads their mean instead. Whole
models are read too; what belongs to the text is left out. A bare model has names without a prefix.

Source: transformers 4 and 5, models/clip and models/siglip.
"""

from functools import partial
from typing import Any

from vitreous.model.config import ViTConfig
from vitreous.weights.evidence import CLIP_MEAN, CLIP_STD, Evidence
from vitreous.weights.family import (
    ANY,
    Family,
    Hints,
    Reading,
    first_objection,
    require_clip_activation,
)
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
from vitreous.weights.rule import KEEP, LAYER, Operation, Rule, each_layer, leading

_BLOCK, _OURS = f"encoder.layers.{LAYER}", f"encoder.blocks.{LAYER}"
_PARTS = {
    "layer_norm1": "norm_attention",
    "self_attn.out_proj": "attention.projection",
    "layer_norm2": "norm_mlp",
    "mlp.fc1": "mlp.expand",
    "mlp.fc2": "mlp.contract",
}
_POOL = {
    "attention.out_proj": "attention.projection",
    "layernorm": "norm",
    "mlp.fc1": "mlp.expand",
    "mlp.fc2": "mlp.contract",
}


def _rules(prefix: str, head: str, config: ViTConfig) -> list[Rule]:
    block = f"{prefix}{_BLOCK}"
    modules = {f"{prefix}embeddings.patch_embedding": "patch"}
    modules |= {f"{block}.{theirs}": f"{_OURS}.{ours}" for theirs, ours in _PARTS.items()}
    modules[f"{prefix}post_layernorm"] = "encoder.norm"
    if config.embedding_norm:
        modules[f"{prefix}pre_layrnorm"] = "embedding_norm"  # as it is spelt there
    if config.pooling == "map":
        modules |= {f"{prefix}head.{name}": f"pool.{ours}" for name, ours in _POOL.items()}
    if head and config.num_classes:
        modules[head] = "head"
    without_bias = {"patch"} if not config.patch_bias else set()
    without_bias |= {"head"} if not config.head_bias else set()
    named: list[tuple[str | tuple[str, ...], str, Operation]] = [
        (f"{theirs}.{part}", f"{ours}.{part}", KEEP)
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
        if part == "weight" or ours not in without_bias
    ]
    for part in ("weight", "bias"):
        packed = tuple(f"{block}.self_attn.{name}_proj.{part}" for name in "qkv")
        named.append((packed, f"{_OURS}.attention.qkv.{part}", KEEP))
        if config.pooling == "map":
            joined = f"{prefix}head.attention.in_proj_{part}"
            named.append((joined, f"pool.attention.qkv.{part}", KEEP))
    named.append((f"{prefix}embeddings.position_embedding.weight", "position.table", KEEP))
    if config.class_token:
        named.append((f"{prefix}embeddings.class_embedding", "class_token", KEEP))
    if config.pooling == "map":
        named.append((f"{prefix}head.probe", "pool.probe", leading(2)))
    rules = [Rule(theirs, ours, operation) for theirs, ours, operation in named]
    return list(each_layer(rules, config.depth))


def _understand(
    model: str, prefix: str, head: str, checkpoint: Checkpoint, hints: Hints
) -> Reading:
    evidence = Evidence(checkpoint, hints)
    whole = checkpoint.config
    said = whole.get("vision_config") or whole.get("vision_config_dict") or whole
    clip = model == "CLIP"
    sizes = evidence.sizes(
        patch=f"{prefix}embeddings.patch_embedding.weight",
        norm=f"{prefix}{_BLOCK}.layer_norm1.weight",
        expand=f"{prefix}{_BLOCK}.mlp.fc1.weight",
        said=said,
        words=WORDS,
    )
    kernel = f"{head}.weight"
    num_classes = evidence.shape(kernel, 2)[0] if evidence.has(kernel) else 0
    rows = evidence.shape(f"{prefix}embeddings.position_embedding.weight", 2)[0]
    config = ViTConfig(
        **sizes,
        **evidence.grid(rows - clip, sizes["patch"], said.get("image_size")),
        num_classes=num_classes,
        class_token=clip,
        pooling="token" if clip else "map" if evidence.has(f"{prefix}head.probe") else "mean",
        patch_bias=evidence.has(f"{prefix}embeddings.patch_embedding.bias"),
        embedding_norm=clip,
        head_bias=not clip,
        activation=read_activation(evidence, said, "quick_gelu" if clip else "gelu_pytorch_tanh"),
        norm_eps=read_norm_eps(evidence, said, 1e-5 if clip else 1e-6),
        resample="huggingface",
    )
    half = (0.5, 0.5, 0.5)
    rule = read_preprocessing(
        evidence,
        config,
        mean=CLIP_MEAN if clip else half,
        std=CLIP_STD if clip else half,
        fit="crop" if clip else "squash",
        interpolation="bicubic",
    )
    return Reading(
        config=config,
        preprocessing=rule,
        class_names=() if clip else read_class_names(evidence, whole, num_classes),
        multi_label=not clip and read_multi_label(evidence, whole, num_classes),
        assumed=tuple(evidence.assumed),
    )


def _settle(model: str, checkpoint: Checkpoint, hints: Hints) -> Checkpoint:
    if model == "CLIP" and not checkpoint.config:
        require_clip_activation(checkpoint, hints)
    return checkpoint


def _objection(model: str, head: str, config: ViTConfig) -> str | None:
    if config.num_classes and not head:
        return f"num_classes {config.num_classes}"
    own: dict[str, Any] = {"head_bias": ANY} if not config.num_classes else {}
    if model == "CLIP":
        own = {"head_bias": False} | own | {"patch_bias": False, "embedding_norm": True}
    else:
        own |= {"class_token": False, "pooling": "mean" if head else "map"}
        own |= {"prefix_positions": ANY, "register_positions": ANY}
    return first_objection(config, activation=ACTIVATIONS, **own)


def _config_json(model: str, passport: Passport) -> dict[str, Any]:
    config = passport.architecture
    if model == "CLIP":
        own: dict[str, Any] = {"model_type": "clip_vision_model"}
        own["architectures"] = ["CLIPVisionModel"]
        if config.num_classes:
            own = {"model_type": "clip_vision_model", "projection_dim": config.num_classes}
            own["architectures"] = ["CLIPVisionModelWithProjection"]
        return _without_names(config_json(passport, **own))
    tower = {"model_type": "siglip_vision_model", "architectures": ["SiglipVisionModel"]}
    said = config_json(passport, **tower)
    if not config.num_classes:
        return _without_names(said)
    names = {key: said.pop(key) for key in ("id2label", "label2id")}
    own = {"model_type": "siglip", "architectures": ["SiglipForImageClassification"]}
    return own | names | {"vision_config": said | {"vision_use_head": False}}


def _without_names(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key not in ("id2label", "label2id")}


def _signature(model: str, prefix: str, head: str) -> tuple[str, ...]:
    own = f"{prefix}pre_layrnorm.weight" if model == "CLIP" else f"{prefix}head.probe"
    return (
        f"{prefix}embeddings.patch_embedding.weight",
        f"{prefix}embeddings.position_embedding.weight",
        f"{prefix}{_BLOCK}.self_attn.q_proj.weight".replace(LAYER, "0"),
        "classifier.weight" if head == "classifier" else own,
    )


def _tower(model: str, prefix: str, head: str = "") -> Family:
    classifies = head == "classifier"
    left_out = {
        "the text tower": r"text_model\..*|text_projection\.weight|logit_(scale|bias)",
        "position numbers": r".*embeddings\.position_ids",
    }
    if classifies:
        left_out["the attention pool, which the classifier does not read"] = rf"{prefix}head\..*"
    return Family(
        name="huggingface",
        layout=f"{model}{'' if prefix else ', bare'}{', classifier' if classifies else ''}",
        signature=_signature(model, prefix, head),
        settle=partial(_settle, model),
        left_out=left_out,
        understand=partial(_understand, model, prefix, head),
        rules=partial(_rules, prefix, head),
        objection=partial(_objection, model, head),
        config_json=partial(_config_json, model),
        head="classifier" if classifies else "",
        preprocessor_json=partial(
            preprocessor_json,
            kind="CLIPImageProcessor" if model == "CLIP" else "SiglipImageProcessor",
        ),
    )


_TOWER = "vision_model."

HUGGINGFACE_TOWERS = (
    _tower("CLIP", _TOWER, "visual_projection"),
    _tower("CLIP", ""),
    _tower("SigLIP", _TOWER, "classifier"),
    _tower("SigLIP", _TOWER),
    _tower("SigLIP", ""),
)

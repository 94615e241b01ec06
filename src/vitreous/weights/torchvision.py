"""torchvision's `VisionTransformer`.

Its attention is PyTorch's own, with a packed in-projection; a representation layer before the head
is `heads.pre_logits`, followed by tanh. The published files call the layers of the MLP linear_1 and
linear_2; newer saves number them, and torchvision reads both.

Source: torchvision 0.28, models/vision_transformer.py.
"""

from functools import partial
from typing import Any

from vitreous.model.config import ViTConfig
from vitreous.weights.evidence import IMAGENET_MEAN, IMAGENET_STD, Evidence
from vitreous.weights.family import ANY, Family, Hints, Reading, first_objection
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Rule, each_layer, leading

_BLOCK, _OURS = f"encoder.layers.encoder_layer_{LAYER}", f"encoder.blocks.{LAYER}"
_PARTS = {
    "ln_1": "norm_attention",
    "self_attention.out_proj": "attention.projection",
    "ln_2": "norm_mlp",
}
_WORDS = {
    "patch": "patch_size",
    "width": "hidden_dim",
    "depth": "num_layers",
    "mlp_width": "mlp_dim",
    "heads": "num_heads",
}
_MLP = {"numbered": ("mlp.0", "mlp.3"), "published": ("mlp.linear_1", "mlp.linear_2")}


def _rules(layout: str, config: ViTConfig) -> list[Rule]:
    expand, contract = _MLP[layout]
    parts = _PARTS | {expand: "mlp.expand", contract: "mlp.contract"}
    modules = {"conv_proj": "patch", "encoder.ln": "encoder.norm"}
    modules |= {f"{_BLOCK}.{theirs}": f"{_OURS}.{ours}" for theirs, ours in parts.items()}
    if config.pre_logits is not None:
        modules["heads.pre_logits"] = "pre_logits.0"
    if config.num_classes:
        modules["heads.head"] = "head"
    rules = [
        Rule(f"{theirs}.{part}", f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
    ]
    rules += [
        Rule("class_token", "class_token", leading(2)),
        Rule("encoder.pos_embedding", "position.table", leading(1)),
        Rule(f"{_BLOCK}.self_attention.in_proj_weight", f"{_OURS}.attention.qkv.weight"),
        Rule(f"{_BLOCK}.self_attention.in_proj_bias", f"{_OURS}.attention.qkv.bias"),
    ]
    return list(each_layer(rules, config.depth))


def _understand(layout: str, checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    sizes = evidence.sizes(
        patch="conv_proj.weight",
        norm=f"{_BLOCK}.ln_1.weight",
        expand=f"{_BLOCK}.{_MLP[layout][0]}.weight",
        said=said,
        words=_WORDS,
    )
    has_head = evidence.has("heads.head.weight")
    num_classes = evidence.shape("heads.head.weight", 2)[0] if has_head else 0
    has_pre_logits = evidence.has("heads.pre_logits.weight")
    evidence.agree("num_classes", num_classes, said.get("num_classes"))
    patches = evidence.shape("encoder.pos_embedding", 3)[1] - 1
    config = ViTConfig(
        **sizes,
        **evidence.grid(patches, sizes["patch"], said.get("image_size")),
        num_classes=num_classes,
        pre_logits=evidence.shape("heads.pre_logits.weight", 2)[0] if has_pre_logits else None,
        activation="gelu",
        norm_eps=1e-6,
        resample="torchvision",
    )
    rule = evidence.preprocessing(
        config,
        IMAGENET_MEAN,
        IMAGENET_STD,
        because="as torchvision's first weights want it",
        crop_fraction=0.875,
        interpolation="bilinear",
    )
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


def _objection(config: ViTConfig) -> str | None:
    if config.image_size[0] != config.image_size[1]:
        return f"image_size {config.image_size}"
    return first_objection(config, pre_logits=ANY, activation="gelu")


def _config_json(passport: Passport) -> dict[str, Any]:
    config = passport.architecture
    assert isinstance(config, ViTConfig)
    return {
        "image_size": config.image_size[0],
        "patch_size": config.patch,
        "num_layers": config.depth,
        "num_heads": config.heads,
        "hidden_dim": config.width,
        "mlp_dim": config.mlp_width,
        "num_classes": config.num_classes,
    }


TORCHVISION = tuple(
    Family(
        name="torchvision",
        layout=layout,
        signature=(
            "conv_proj.weight",
            "class_token",
            "encoder.pos_embedding",
            "encoder.layers.encoder_layer_0.self_attention.in_proj_weight",
            f"encoder.layers.encoder_layer_0.{_MLP[layout][0]}.weight",
        ),
        understand=partial(_understand, layout),
        rules=partial(_rules, layout),
        objection=_objection,
        config_json=_config_json,
        head="heads.head",
    )
    for layout in _MLP
)

"""CLIP's image tower as OpenAI wrote it, and OpenCLIP after it.

The projection into the space shared with text is the head, kept as (D, K). Its activation is
nowhere in the tensors: OpenAI's own is quick_gelu, OpenCLIP's usually the exact GELU. A config
beside the file says it, as OpenCLIP's or as Hugging Face's; OpenAI's files are told by the sizes
that they hold; otherwise it is asked for. OpenCLIP resamples positions with
antialiasing.

Source: openai/CLIP, clip/model.py; mlfoundations/open_clip, open_clip/transformer.py, model.py.
"""

from typing import Any

from vitreous.errors import UserError
from vitreous.model.config import Activation, ViTConfig
from vitreous.weights.evidence import CLIP_MEAN, CLIP_STD, Evidence
from vitreous.weights.family import (
    ANY,
    Family,
    Hints,
    Reading,
    first_objection,
    require_clip_activation,
)
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, TRANSPOSE, Rule, each_layer

_BLOCK, _OURS = f"visual.transformer.resblocks.{LAYER}", f"encoder.blocks.{LAYER}"
_PARTS = {
    "ln_1": "norm_attention",
    "attn.out_proj": "attention.projection",
    "ln_2": "norm_mlp",
    "mlp.c_fc": "mlp.expand",
    "mlp.c_proj": "mlp.contract",
}


def _rules(config: ViTConfig) -> list[Rule]:
    modules = {"visual.ln_pre": "embedding_norm", "visual.ln_post": "encoder.norm"}
    modules |= {f"{_BLOCK}.{theirs}": f"{_OURS}.{ours}" for theirs, ours in _PARTS.items()}
    rules = [
        Rule(f"{theirs}.{part}", f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
    ]
    rules += [
        Rule("visual.conv1.weight", "patch.weight"),
        Rule("visual.class_embedding", "class_token"),
        Rule("visual.positional_embedding", "position.table"),
        Rule(f"{_BLOCK}.attn.in_proj_weight", f"{_OURS}.attention.qkv.weight"),
        Rule(f"{_BLOCK}.attn.in_proj_bias", f"{_OURS}.attention.qkv.bias"),
    ]
    if config.num_classes:
        rules.append(Rule("visual.proj", "head.weight", TRANSPOSE))
    return list(each_layer(rules, config.depth))


def _activation(evidence: Evidence, said: dict[str, Any]) -> Activation:
    """Said by a config of OpenCLIP's or Hugging Face's, or else OpenAI's own."""
    tower = said.get("vision_config") or {}
    if "hidden_act" in tower:
        return "quick_gelu" if tower["hidden_act"] == "quick_gelu" else "gelu"
    if "model_cfg" in said:
        return "quick_gelu" if said["model_cfg"].get("quick_gelu") else "gelu"
    asked = evidence.hints.activation or "quick_gelu"
    if asked not in ("quick_gelu", "gelu"):
        raise UserError(f"{evidence.checkpoint.file}: activation {asked!r} is not known here")
    return "quick_gelu" if asked == "quick_gelu" else "gelu"


def _settle(checkpoint: Checkpoint, hints: Hints) -> Checkpoint:
    """Tell OpenAI's own files, which hold their sizes, from OpenCLIP's.

    Raises:
        UserError: It can be either, and nobody says the activation.
    """
    said = checkpoint.config
    if "model_cfg" in said or "hidden_act" in (said.get("vision_config") or {}):
        return checkpoint
    if "input_resolution" not in checkpoint.shapes:
        require_clip_activation(checkpoint, hints)
    return checkpoint


def _understand(checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    tower = (said.get("model_cfg") or {}).get("vision_cfg") or {}
    sizes = evidence.sizes(
        patch="visual.conv1.weight",
        norm=f"{_BLOCK}.ln_1.weight",
        expand=f"{_BLOCK}.mlp.c_fc.weight",
        said=tower,
        words={"patch": "patch_size", "width": "width", "depth": "layers"},
    )
    if "head_width" in tower and hints.heads is None:
        sizes["heads"] = sizes["width"] // int(tower["head_width"])
    has_head = evidence.has("visual.proj")
    rows = evidence.shape("visual.positional_embedding", 2)[0]
    config = ViTConfig(
        **sizes,
        **evidence.grid(rows - 1, sizes["patch"], tower.get("image_size")),
        num_classes=evidence.shape("visual.proj", 2)[1] if has_head else 0,
        patch_bias=False,
        embedding_norm=True,
        head_bias=False,
        activation=_activation(evidence, said),
        norm_eps=1e-5,
        resample="timm",
    )
    trained = said.get("preprocess_cfg") or {}
    rule = evidence.preprocessing(
        config,
        tuple(trained.get("mean", CLIP_MEAN)),
        tuple(trained.get("std", CLIP_STD)),
        because="" if "mean" in trained else "CLIP's own",
        fit="squash" if trained.get("resize_mode") == "squash" else "crop",
        interpolation=evidence.interpolation(trained.get("interpolation")),
    )
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


def _objection(config: ViTConfig) -> str | None:
    return first_objection(
        config,
        patch_bias=False,
        embedding_norm=True,
        head_bias=ANY if not config.num_classes else False,
        activation=("quick_gelu", "gelu"),
    )


def _config_json(passport: Passport) -> dict[str, Any]:
    config, rule = passport.architecture, passport.preprocessing
    assert isinstance(config, ViTConfig)
    return {
        "model_cfg": {
            "embed_dim": config.num_classes,
            "quick_gelu": config.activation == "quick_gelu",
            "vision_cfg": {
                "image_size": list(config.image_size),
                "layers": config.depth,
                "width": config.width,
                "head_width": config.head_dim,
                "mlp_ratio": config.mlp_width / config.width,
                "patch_size": config.patch,
            },
        },
        "preprocess_cfg": {
            "mean": list(rule.mean),
            "std": list(rule.std),
            "interpolation": rule.interpolation,
            "resize_mode": "squash" if rule.fit == "squash" else "shortest",
        },
    }


OPENAI = Family(
    name="openai",
    signature=(
        "visual.conv1.weight",
        "visual.class_embedding",
        "visual.positional_embedding",
        "visual.ln_pre.weight",
        "visual.transformer.resblocks.0.attn.in_proj_weight",
    ),
    left_out={
        "the text tower": r"(transformer|token_embedding|ln_final)\..*|positional_embedding"
        r"|text_projection|logit_(scale|bias)",
        "sizes": r"input_resolution|context_length|vocab_size",
    },
    settle=_settle,
    understand=_understand,
    rules=_rules,
    objection=_objection,
    config_json=_config_json,
)

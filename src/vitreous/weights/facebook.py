"""facebookresearch's `.pth`: DeiT, MAE, DINO and DINOv2.

The first three have timm's names and no config; a `.pth` with timm's names is taken for theirs
where it is wrapped as their scripts wrap it, or has no head, as DINO's. All are normalised by
ImageNet's mean and deviation. Heads, decoders and mask tokens of pretraining are left out.

DINOv2's class token has a position and its registers have none; a linear head reads the class
token and the mean of the patches. With registers, positions are resampled with antialiasing and
without an offset, which is timm's rule too.

Source: facebookresearch/deit, models.py; mae, models_mae.py and models_vit.py; dino,
vision_transformer.py; dinov2, models/vision_transformer.py and hub/classifiers.py.
"""

from collections.abc import Callable
from functools import partial

from vitreous.data.preprocessing import Preprocessing
from vitreous.model.config import Dialect, ViTConfig
from vitreous.weights.evidence import IMAGENET_MEAN, IMAGENET_STD, Evidence
from vitreous.weights.family import ANY, Family, Hints, Reading, first_objection
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Rule, each_layer, leading
from vitreous.weights.timm import TIMM, timm_config, timm_rules

_BLOCK, _OURS = f"blocks.{LAYER}", f"encoder.blocks.{LAYER}"
_PARTS = {
    "norm1": "norm_attention",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.projection",
    "norm2": "norm_mlp",
}
_MLP = {
    True: {"mlp.w12": "mlp.expand", "mlp.w3": "mlp.contract"},
    False: {"mlp.fc1": "mlp.expand", "mlp.fc2": "mlp.contract"},
}
_PRETRAINING = {
    "the decoder of pretraining": r"decoder_.*",
    "the mask token of pretraining": r"mask_token",
    "the head of pretraining": r"head\.(mlp|last_layer)\..*|(dino|ibot)_head\..*",
}


def _is_dino(checkpoint: Checkpoint) -> bool:
    """Flat or of teacher or student, and without a classifier."""
    flat = checkpoint.wrapper in (None, "teacher", "student")
    return _is_theirs(checkpoint) and flat and "head.weight" not in checkpoint.shapes


def _is_wrapped(checkpoint: Checkpoint) -> bool:
    return _is_theirs(checkpoint) and checkpoint.wrapper in ("model", "teacher", "student")


def _is_theirs(checkpoint: Checkpoint) -> bool:
    return checkpoint.pickled and not checkpoint.config and not checkpoint.prefix


def _preprocessing(evidence: Evidence, config: ViTConfig, side: int | None = None) -> Preprocessing:
    """The rule of their evaluations: 256 pixels to 224, or in proportion."""
    size = config.image_size if side is None else (side, side)
    return evidence.preprocessing(
        config,
        IMAGENET_MEAN,
        IMAGENET_STD,
        because="as facebookresearch evaluates DeiT, MAE and DINO, whose wrapping this is",
        size=size,
        crop_fraction=0.875,
    )


def _understand(resample: Dialect, checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    config = timm_config(evidence, resample=resample)
    rule = _preprocessing(evidence, config)
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


def _dinov2_rules(config: ViTConfig) -> list[Rule]:
    parts = _PARTS | _MLP[config.activation == "swiglu"]
    modules = {"patch_embed.proj": "patch", "norm": "encoder.norm"}
    modules |= {f"{_BLOCK}.{theirs}": f"{_OURS}.{ours}" for theirs, ours in parts.items()}
    if config.num_classes:
        modules["linear_head"] = "head"
    rules = [
        Rule(f"{theirs}.{part}", f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
    ]
    rules += [
        Rule(f"{_BLOCK}.ls1.gamma", f"{_OURS}.scale_attention.gamma"),
        Rule(f"{_BLOCK}.ls2.gamma", f"{_OURS}.scale_mlp.gamma"),
        Rule("cls_token", "class_token", leading(2)),
        Rule("pos_embed", "position.table", leading(1)),
        Rule("mask_token", None, empty_shape=(1, config.width)),
    ]
    if config.registers:
        rules.append(Rule("register_tokens", "registers", leading(1)))
    return list(each_layer(rules, config.depth))


def _understand_dinov2(checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    gated = evidence.has("blocks.0.mlp.w12.weight")
    sizes = evidence.sizes(
        patch="patch_embed.proj.weight",
        norm=f"{_BLOCK}.norm1.weight",
        expand=f"{_BLOCK}.{next(iter(_MLP[gated]))}.weight",
        said={},
        words={},
        gated=gated,
    )
    has_head = evidence.has("linear_head.weight")
    num_classes, inputs = evidence.shape("linear_head.weight", 2) if has_head else (0, 0)
    if has_head:
        evidence.agree("number of inputs of the head", inputs, 2 * sizes["width"])
    registers = evidence.has("register_tokens")
    patches = evidence.shape("pos_embed", 3)[1] - 1
    config = ViTConfig(
        **sizes,
        **evidence.grid(patches, sizes["patch"]),
        num_classes=num_classes,
        registers=evidence.shape("register_tokens", 3)[1] if registers else 0,
        register_positions=False,
        pooling="token_mean" if has_head else "token",
        layer_scale=1.0,
        activation="swiglu" if gated else "gelu",
        norm_eps=1e-6,
        resample="timm" if registers else "dinov2",
    )
    # Trained last at 518 pixels, for which the positions are; evaluated at 224.
    published = config.image_size == (518, 518)
    rule = _preprocessing(evidence, config, 224 if published else None)
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


def _dinov2_objection(config: ViTConfig) -> str | None:
    if config.layer_scale is None:
        return "layer_scale None"
    return first_objection(
        config,
        registers=ANY,
        register_positions=False if config.registers else ANY,
        pooling="token_mean" if config.num_classes else "token",
        layer_scale=ANY,
        activation=("gelu", "swiglu"),
    )


def _with_timms_names(
    layout: str, applies: Callable[[Checkpoint], bool], resample: Dialect
) -> Family:
    return Family(
        name="facebook",
        layout=layout,
        signature=TIMM.signature,
        applies=applies,
        settle=TIMM.settle,
        left_out=_PRETRAINING,
        understand=partial(_understand, resample),
        rules=timm_rules,
        objection=TIMM.objection,
        head=TIMM.head,
    )


FACEBOOK = (
    Family(
        name="facebook",
        layout="DINOv2",
        signature=(
            "cls_token",
            "pos_embed",
            "mask_token",
            "patch_embed.proj.weight",
            "blocks.0.attn.qkv.weight",
            "blocks.0.ls1.gamma",
        ),
        left_out=_PRETRAINING,
        understand=_understand_dinov2,
        rules=_dinov2_rules,
        objection=_dinov2_objection,
    ),
    _with_timms_names("DINO", _is_dino, "dinov2"),
    _with_timms_names("DeiT, MAE", _is_wrapped, "huggingface"),
)

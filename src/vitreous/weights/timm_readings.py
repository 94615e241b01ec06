"""Tensors of timm's plain ViT that others have too, and arguments that no tensor shows.

Without a name in a config some files can be read in two ways: these are asked about, with both
readings, or the published one is taken and noted. With a name, `timm_names` has decided already.

Source: timm 1.0, models/vision_transformer.py, models/eva.py; facebookresearch/deit, models_v2.py.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vitreous.errors import UserError
from vitreous.weights.family import Hints, require_clip_activation
from vitreous.weights.read import Checkpoint

_GAMMA = re.compile(r"blocks\.(\d+)\.gamma_([12])")

# Arguments of the constructor that `timm_config` reads, and those that change no answer.
_READ = frozenset(
    {
        *("img_size", "patch_size", "in_chans", "embed_dim", "depth", "num_heads", "mlp_ratio"),
        *("qkv_bias", "init_values", "class_token", "reg_tokens", "no_embed_class", "pre_norm"),
        *("global_pool", "fc_norm", "act_layer", "num_classes"),
        *("drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate"),
        *("drop_path_rate", "weight_init", "fix_init", "dynamic_img_size", "strict_img_size"),
        *("device", "dtype", "scriptable", "exportable", "no_jit", "pretrained", "cache_dir"),
    }
)
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "proj_bias": (True, None),
    "final_norm": (True, None),
    "pos_embed": ("learn", None),
    "norm_layer": ("layernorm", None),
}


def refuse_unread_arguments(checkpoint: Checkpoint, model_args: Mapping[str, Any]) -> None:
    """Refuse arguments in a config that make another model than is read here.

    Raises:
        UserError: It names the first such argument and its value.
    """
    for name, value in model_args.items():
        if name not in _READ and value not in _DEFAULTS.get(name, (None, False, "")):
            raise UserError(
                f"{checkpoint.file}: its config says {name} {value!r}, which no model read here has"
            )


def settle(checkpoint: Checkpoint, hints: Hints) -> Checkpoint:
    """The checkpoint in timm's own names, where it is known what it is.

    Raises:
        UserError: The tensors are those of two architectures and nothing says which: it names
            both, and the option that decides.
    """
    named = "architecture" in checkpoint.config
    if any(_GAMMA.fullmatch(name) for name in checkpoint.shapes):
        checkpoint = _with_layer_scale(checkpoint, named=named)
    if named:
        return checkpoint
    has = checkpoint.shapes.__contains__
    if has("norm_pre.weight") and has("attn_pool.latent"):
        raise _ask(
            checkpoint,
            "a Perception Encoder (vit_pe_core, which has rotary positions and is not read here)",
            "a CLIP with attention pooling",
            "vit_base_patch16_clip_224",
        )
    if has("norm_pre.weight") and not has("norm.weight") and not has("fc_norm.weight"):
        raise UserError(
            f"{checkpoint.file} has a norm in front and none at the end, as Perception Encoders "
            "(vit_pe_spatial, vit_pe_lang), which have rotary positions and are not read here"
        )
    if has("norm_pre.weight"):
        require_clip_activation(checkpoint, hints)
    plain_tokens = not has("cls_token") and not has("reg_token")
    no_bias = not has("blocks.0.attn.qkv.bias") and not has("blocks.0.ls1.gamma")
    if plain_tokens and no_bias and has("fc_norm.weight"):
        raise _ask(
            checkpoint,
            "a ViT with norms behind attention and MLP (vit_*_rpn, which is not read here)",
            "a plain one without biases of queries, keys and values",
            "vit_base_patch16_gap_224",
        )
    return checkpoint


def _with_layer_scale(checkpoint: Checkpoint, *, named: bool) -> Checkpoint:
    """DeiT III's own names of LayerScale, which timm's models with rotary positions have too."""
    note: tuple[str, ...] = ()
    if not named:
        if not checkpoint.pickled or checkpoint.wrapper != "model" or checkpoint.prefix:
            raise _ask(
                checkpoint,
                "a ViT with rotary positions (vit_*_rope_ape, which is not read here)",
                "a DeiT III as facebookresearch saved it",
                "deit3_small_patch16_224",
            )
        note = (
            "took it for DeiT III, whose positions are learned; a ViT with rotary positions beside "
            "them (rope-vit) has the same tensors and is not read here",
        )
    names = {
        f"blocks.{m[1]}.ls{m[2]}.gamma": name
        for name in checkpoint.shapes
        if (m := _GAMMA.fullmatch(name))
    }
    old = {name: new for new, name in names.items()}
    return replace(
        checkpoint,
        shapes={old.get(name, name): shape for name, shape in checkpoint.shapes.items()},
        read=lambda name: checkpoint.read(names.get(name, name)),
        chosen=checkpoint.chosen + note,
    )


def _ask(checkpoint: Checkpoint, one: str, other: str, name: str) -> UserError:
    return UserError(
        f"{checkpoint.file} can be {one} or {other}, and no config beside it names its "
        f"architecture: say it by architecture=, such as architecture={name!r} for the second"
    )

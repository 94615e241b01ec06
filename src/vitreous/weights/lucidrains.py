"""lucidrains' vit-pytorch, in the layouts of its releases from 0.7 on.

A patch is flattened as (row, column, channel) and projected by a linear layer. Releases differ in
four things, each told from the tensors by itself, since walk-throughs print mixtures too:

* the patch embedding: a layer norm on either side of the projection (from 1.0), or none;
* the blocks: norms inside attention and MLP (from 1.4), around them (`fn`), or around them and a
  residual (`fn.fn`, before 0.10);
* the last norm: of every token (from 1.4), or the first layer of the head, of the pooled vector;
* the class token and the positions: (R, D) from 1.16.1, (1, R, D) before.

Pooling by the mean is over the class token and the patches together before 1.16, and the tensors
are then those of a model that reads the class token; since 1.16 such a model has no class token.
One head as wide as the model has no output projection.

Source: vit-pytorch 0.7 to 1.26, vit_pytorch/vit.py.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from torch import Tensor

from vitreous.errors import UserError
from vitreous.model.config import Activation, Pooling, ViTConfig
from vitreous.weights.evidence import Evidence, Patch, pair, square, variant_name
from vitreous.weights.family import ANY, Family, Hints, Reading, first_objection
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import LAYER, Operation, Rule, each_layer

_BLOCK, _OURS = f"transformer.layers.{LAYER}", f"encoder.blocks.{LAYER}"
_PARTS = {
    "inside": {
        "0.norm": "norm_attention",
        "0.to_out.0": "attention.projection",
        "1.net.0": "norm_mlp",
        "1.net.1": "mlp.expand",
        "1.net.4": "mlp.contract",
    },
    "fn": {
        "0.norm": "norm_attention",
        "0.fn.to_out.0": "attention.projection",
        "1.norm": "norm_mlp",
        "1.fn.net.0": "mlp.expand",
        "1.fn.net.3": "mlp.contract",
    },
    "fn.fn": {
        "0.fn.norm": "norm_attention",
        "0.fn.fn.to_out.0": "attention.projection",
        "1.fn.norm": "norm_mlp",
        "1.fn.fn.net.0": "mlp.expand",
        "1.fn.fn.net.3": "mlp.contract",
    },
}
_QKV = {"inside": "0.to_qkv.weight", "fn": "0.fn.to_qkv.weight", "fn.fn": "0.fn.fn.to_qkv.weight"}
_HEADS = {"transformer.norm": "mlp_head", "mlp_head.0": "mlp_head.1"}
_ACTIVATIONS: dict[str, Activation] = {"gelu": "gelu", "relu": "relu"}


@dataclass(frozen=True)
class Layout:
    """The names of a range of releases.

    Attributes:
        patch: Name of the patch projection; a norm stands on either side of one in place 2.
        blocks: Where the norms of a block stand, a key of `_PARTS`.
        norm: Name of the last norm.
    """

    patch: str
    blocks: str
    norm: str

    @property
    def patch_norms(self) -> bool:
        """True where a norm stands on either side of the patch projection."""
        return self.patch == "to_patch_embedding.2"

    @property
    def qkv(self) -> str:
        """Pattern of the packed projection."""
        return f"{_BLOCK}.{_QKV[self.blocks]}"

    @property
    def head(self) -> str:
        """Name of the linear layer that gives logits."""
        return _HEADS[self.norm]

    def part(self, ours: str) -> str:
        """Pattern of the name of one of our block's modules."""
        return next(f"{_BLOCK}.{theirs}" for theirs, o in _PARTS[self.blocks].items() if o == ours)


_PATCHES = ("to_patch_embedding.2", "to_patch_embedding.1", "to_patch_embedding")
# The newest first. Place 1 of an embedding with norms is a norm, so place 2 is looked for first.
_LAYOUTS = tuple(Layout(*row) for row in product(_PATCHES, _PARTS, _HEADS))
_NEWEST = _LAYOUTS[0]
_RELEASES = {
    _NEWEST: "current",  # from 1.4
    Layout("to_patch_embedding.2", "fn", "mlp_head.0"): "1.0 to 1.2",
    Layout("to_patch_embedding.1", "fn", "mlp_head.0"): "older",  # from 0.10
    Layout("to_patch_embedding.1", "fn.fn", "mlp_head.0"): "0.7 to 0.9",
}


def _channels_first(patch: tuple[int, int], channels: int) -> Operation:
    """Flattened patches, (..., P*P2*C), to (..., C*P*P2)."""

    def ours(x: Tensor) -> Tensor:
        return x.unflatten(-1, (*patch, channels)).movedim(-1, -3).flatten(-3)

    def theirs(x: Tensor) -> Tensor:
        return x.unflatten(-1, (channels, *patch)).movedim(-3, -1).flatten(-3)

    return Operation(ours, theirs)


def _without_leading(own: int, axes: int) -> Operation:
    """Drop all axes of length one before the `own` ones of a tensor; write `axes` of them."""
    return Operation(
        lambda x: x.reshape(x.shape[x.ndim - own :]), lambda x: x.reshape((1,) * axes + x.shape)
    )


def _rules(layout: Layout, config: ViTConfig) -> list[Rule]:
    # Axes of length one before the class token and the positions: none from 1.16.1 on.
    axes = int(layout != _NEWEST or config.pooling == "mean_all")
    patch, channels = config.patch_size, config.channels
    order = _channels_first(patch, channels)
    kernel = Operation(
        lambda x: order.ours(x).unflatten(-1, (channels, *patch)),
        lambda x: order.theirs(x.flatten(1)),
    )
    modules = {
        f"{_BLOCK}.{theirs}": f"{_OURS}.{ours}"
        for theirs, ours in _PARTS[layout.blocks].items()
        if ours != "attention.projection" or config.output_projection
    }
    modules[layout.norm] = "encoder.norm" if config.final_norm == "tokens" else "pooled_norm"
    if config.num_classes:
        modules[layout.head] = "head"
    rules = [
        Rule(f"{theirs}.{part}", f"{ours}.{part}")
        for theirs, ours in modules.items()
        for part in ("weight", "bias")
    ]
    rules += [
        Rule(f"{layout.patch}.weight", "patch.weight", kernel),
        Rule(f"{layout.patch}.bias", "patch.bias"),
        Rule(layout.qkv, f"{_OURS}.attention.qkv.weight"),
        Rule("pos_embedding", "position.table", _without_leading(2, axes)),
    ]
    if layout.patch_norms:
        for part in ("weight", "bias"):
            rules.append(Rule(f"to_patch_embedding.1.{part}", f"patch.norm_pixels.{part}", order))
            rules.append(Rule(f"to_patch_embedding.3.{part}", f"patch.norm_tokens.{part}"))
    if config.class_token:
        rules.append(Rule("cls_token", "class_token", _without_leading(1, 1 + axes)))
    else:  # a token table of no rows
        rules.append(Rule("cls_token", None, empty_shape=(0, config.width)))
    return list(each_layer(rules, config.depth))


def _understand(layout: Layout, checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    said = checkpoint.config
    for word in ("frames", "frame_patch_size", "seq_len"):
        if word in said:
            raise UserError(f"{checkpoint.file}: its config says {word}: it is no model of images")
    width, patch_dim = evidence.shape(f"{layout.patch}.weight", 2)
    patch, channels = _patch_of(evidence, patch_dim)
    depth = evidence.depth(layout.qkv)
    expand = layout.part("mlp.expand").replace(LAYER, "0")
    mlp_width = evidence.shape(f"{expand}.weight", 2)[0]
    inner = evidence.shape(layout.qkv.replace(LAYER, "0"), 2)[0] // 3
    projection = layout.part("attention.projection").replace(LAYER, "0")
    output_projection = evidence.has(f"{projection}.weight")
    heads = _heads(evidence, inner, output_projection, (width, depth, mlp_width))
    axes = 3 if len(checkpoint.shapes["cls_token"]) == 3 else 2
    class_token = evidence.shape("cls_token", axes)[-2] > 0
    pooling = _pooling(evidence, class_token, asked=axes == 3)
    positions = evidence.shape("pos_embedding", axes)[-2]
    has_head = evidence.has(f"{layout.head}.weight")
    num_classes = evidence.shape(f"{layout.head}.weight", 2)[0] if has_head else 0
    activation = str(said.get("activation", "gelu"))
    if activation not in _ACTIVATIONS:
        raise UserError(f"{checkpoint.file}: activation {activation!r} is not known here")
    for word, found in {
        "dim": width,
        "depth": depth,
        "mlp_dim": mlp_width,
        "dim_head": inner // heads,
        "num_classes": num_classes,
    }.items():
        evidence.agree(word, found, said.get(word))
    config = ViTConfig(
        name=variant_name(width, depth, mlp_width, heads, patch),
        **evidence.grid(positions - class_token, patch, said.get("image_size")),
        patch=patch,
        channels=channels,
        width=width,
        depth=depth,
        mlp_width=mlp_width,
        heads=heads,
        head_width=inner // heads,
        num_classes=num_classes,
        class_token=class_token,
        pooling=pooling,
        # Of a class token alone the two are the same.
        final_norm="pooled" if layout.norm == "mlp_head.0" and pooling != "token" else "tokens",
        patch_norms=layout.patch_norms,
        qkv_bias=False,
        output_projection=output_projection,
        activation=_ACTIVATIONS[activation],
        norm_eps=1e-5,
        resample="timm",
    )
    evidence.assumed.append("normalisation by mean and deviation 0.5")
    half = (0.5,) * channels
    rule = evidence.preprocessing(config, half, half)
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


def _heads(
    evidence: Evidence, inner: int, output_projection: bool, sizes: tuple[int, int, int]
) -> int:
    """k: one without an output projection; with one, not one as wide as the model by assumption."""
    said, hint = evidence.checkpoint.config.get("heads"), evidence.hints.heads
    if not output_projection:
        evidence.agree("heads", 1, said if hint is None else hint)
        return 1
    if said is None and hint is None and inner == sizes[0] == 64:
        raise UserError(
            f"{evidence.checkpoint.file} does not say its number of heads, and one of 64 would "
            "have no output projection: give heads=, or convert it first, by vitreous convert "
            "--heads"
        )
    return evidence.heads(inner, said, sizes)


_POOLS = {"token": "cls", "mean": "mean", "mean_all": "mean"}


def _pooling(evidence: Evidence, class_token: bool, *, asked: bool) -> Pooling:
    """Return the pooling; `asked` where the tensors of two poolings are alike."""
    file = evidence.checkpoint.file
    pool = evidence.checkpoint.config.get("pool")
    if pool not in (None, "cls", "mean"):
        raise UserError(f"{file}: pool {pool!r} is not known here: choose cls or mean")
    if pool is None and evidence.hints.pooling is not None:
        pool = _POOLS.get(evidence.hints.pooling)  # `_check_hints` refuses another word
    if pool == "cls" and not class_token:
        raise UserError(f"{file} has no class token: pool is 'mean', not 'cls'")
    if pool is None and class_token and asked:
        evidence.assumed.append(
            "pooling by the class token, vit-pytorch's default: a model that averages all tokens "
            "has the same tensors, pooling='mean' reads it so"
        )
    if pool == "mean":
        return "mean_all" if class_token else "mean"
    return "token" if class_token else "mean"


def _patch_of(evidence: Evidence, patch_dim: int) -> tuple[Patch, int]:
    """The patch and C out of the numbers of a patch: as said, or a square of colour or grey."""
    said, file = evidence.checkpoint.config, evidence.checkpoint.file
    if "patch_size" in said:
        height, width = pair(said["patch_size"])
        channels = said.get("channels") or patch_dim // (height * width)
        if channels < 1 or height * width * channels != patch_dim:
            raise UserError(
                f"{file}: its config says patch_size {height}x{width} and its patches have "
                f"{patch_dim} numbers"
            )
        return square((height, width)), channels
    for channels in (said["channels"],) if "channels" in said else (3, 1):
        side = round((patch_dim / channels) ** 0.5)
        if side * side * channels == patch_dim:
            evidence.assumed.append(f"patches of {side}x{side} pixels, {channels} channels")
            return side, channels
    raise UserError(
        f"{file}: patches of {patch_dim} numbers are neither grey nor RGB squares: "
        'say "channels" and "patch_size" in a config.json beside it'
    )


def _objection(layout: Layout, config: ViTConfig) -> str | None:
    if layout not in _RELEASES:
        return "a layout that no release reads"
    if not config.class_token and layout.blocks != "inside":
        return "class_token False"
    pooled = layout.norm == "mlp_head.0" and config.pooling != "token"
    return first_objection(
        config,
        patch=ANY,
        class_token=ANY,
        pooling=("token", "mean_all") if config.class_token else "mean",
        final_norm="pooled" if pooled else "tokens",
        patch_norms=layout.patch_norms,
        qkv_bias=False,
        output_projection=config.heads > 1 or config.head_dim != config.width,
        activation=tuple(_ACTIVATIONS),
        head_width=ANY,
    )


def _config_json(passport: Passport) -> dict[str, Any]:
    config = passport.architecture
    assert isinstance(config, ViTConfig)
    return {
        "image_size": list(config.image_size),
        "patch_size": config.patch if isinstance(config.patch, int) else list(config.patch),
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


def _family(layout: Layout) -> Family:
    return Family(
        name="lucidrains",
        layout=_RELEASES.get(layout, "mixed"),
        signature=(
            "pos_embedding",
            "cls_token",
            f"{layout.patch}.weight",
            f"{layout.norm}.weight",
            layout.qkv.replace(LAYER, "0"),
        ),
        understand=partial(_understand, layout),
        rules=partial(_rules, layout),
        objection=partial(_objection, layout),
        config_json=_config_json,
        superseded=layout != _NEWEST,
    )


LUCIDRAINS = tuple(map(_family, _LAYOUTS))

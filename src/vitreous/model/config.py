"""What fully describes a model: one frozen record, checked at birth."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args

from vitreous.errors import UserError

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "relu", "swiglu"]
Pooling = Literal["token", "mean", "map", "token_mean", "distilled"]
FinalNorm = Literal["tokens", "pooled"]
Position = Literal["learned", "none", "learned_2d", "sine_cosine", "relative", "relative_values"]
PositionAt = Literal["stem", "layers", "layers_shared"]
Dialect = Literal["google", "timm", "torchvision", "huggingface", "dinov2"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ABC):
    """What the configs of all models share.

    Attributes:
        kind: Which architecture; the tag of its JSON.
        name: What people call it; not read by the model.
        image_size: (H, W) the model was made for, pixels; one number is a square.
        channels: C, of an image.
        num_classes: K; 0 leaves the head out, and the model returns its features.
    """

    kind: str = ""
    name: str = ""
    image_size: tuple[int, int] = (224, 224)
    channels: int = 3
    num_classes: int = 1000

    def __post_init__(self) -> None:
        (default,) = (field.default for field in fields(self) if field.name == "kind")
        if self.kind != default:
            raise UserError(f"model.kind is {self.kind!r}: a {type(self).__name__}'s is {default}")
        self._count("channels", least=1)
        if not _counts(self.num_classes, least=0):
            raise UserError(f"model.num_classes is {self.num_classes!r}: give 0 (no head) or more")
        side = self.image_size
        size = (side, side) if isinstance(side, int) else tuple(side)
        if len(size) != 2 or not all(_counts(side, least=1) for side in size):
            raise UserError(f"model.image_size is {side!r}: give (H, W) or one side, pixels")
        object.__setattr__(self, "image_size", size)

    @property
    @abstractmethod
    def side_step(self) -> int:
        """Pixels that a side of an image must be a multiple of."""

    @property
    @abstractmethod
    def pooling(self) -> Pooling:
        """What the head reads: one token, or the mean over the grid."""

    @property
    @abstractmethod
    def attention_layers(self) -> int:
        """Layers whose attention a recording can keep."""

    @abstractmethod
    def grid_of(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the features of an image of (H, W) pixels.

        Raises:
            UserError: The model cannot take that size.
        """

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) at `image_size`."""
        return self.grid_of(self.image_size)

    def with_classes(self, num_classes: int) -> Self:
        """The same architecture with a new head."""
        return replace(self, num_classes=num_classes)

    def check_channels(self, channels: int) -> None:
        """Refuse images of another number of channels than the model was made for."""
        if channels != self.channels:
            raise UserError(f"images have {channels} channels, the model takes {self.channels}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read back what `dataclasses.asdict` wrote; an unknown field is refused by name."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UserError(
                f"unknown model field {unknown[0]!r}: known are {', '.join(sorted(known))}"
            )
        return cls(**values)

    def _count(self, *names: str, least: int) -> None:
        for name in names:
            if not _counts(getattr(self, name), least):
                raise UserError(
                    f"model.{name} is {getattr(self, name)!r}: give a whole number, at least "
                    f"{least}"
                )


@dataclass(frozen=True, kw_only=True)
class ViTConfig(ModelConfig):
    """The architecture of a Vision Transformer (paper, section 3.1 and Table 1).

    Attributes:
        kind: Which architecture; the tag of its JSON.
        name: What people call it; not read by the model.
        image_size: (H, W) the position embedding was made for, pixels; one number is a square.
        patch: P, side of a square patch, pixels.
        channels: C, of an image.
        width: D, of a token.
        depth: L, number of encoder blocks.
        mlp_width: F, width of the MLP's hidden layer.
        heads: k, of the attention.
        head_width: d, of one head, where it is not D / k; see `head_dim`.
        num_classes: K; 0 leaves the head out, and the model returns its features (B, D).
        class_token: Whether a learned token is put before the patches (equation 1).
        registers: Learned tokens between the class token and the patches that no head reads
            (arXiv 2309.16588); DeiT's distillation token is one.
        register_neurons: Neurons of MLPs, as (layer, neuron), whose largest activation goes to the
            first register and whose others are zero (arXiv 2506.08010).
        position: How a token knows where it is: `learned` (one row a token, equation 1), `none`,
            `learned_2d` (half of the width for the column, half for the row), `sine_cosine` (the
            same, fixed), `relative` (a learned key for each offset between patches, in every
            attention; appendix D.4), or `relative_values` (values too, arXiv 1803.02155).
        position_at: Where positions are added: to the first block's input (`stem`), to every
            block's, each its own (`layers`), or the same (`layers_shared`).
        position_reach: Offsets beyond so many patches count as this many, in relative positions.
        prefix_positions: Whether the class token and the registers have positions too.
        register_positions: Whether the registers do, where the class token does.
        pooling: What the head reads: the class token (equation 4), the mean of the patches
            (appendix D.3), what a learned probe takes from the patches (`map`), the class token
            and the mean side by side (`token_mean`, as DINOv2's heads), or the class token and
            the first register by a head each, whose logits are averaged (`distilled`, DeiT's).
        pre_logits: Width of the tanh layer before the head, where there is one.
        final_norm: Whether the last layer norm is of every token, or of the pooled vector
            (timm's fc_norm).
        patch_norms: Whether a layer norm stands before and behind the patch projection, as in
            vit-pytorch.
        patch_bias: Whether the patch projection has a bias.
        embedding_norm: Whether a layer norm stands between the positions and the encoder, as in
            CLIP.
        layer_scale: First value of a learned scale per channel on each residual branch (arXiv
            2103.17239), where there is one.
        qkv_bias: Whether queries, keys and values have biases.
        head_bias: Whether the head has a bias; CLIP's projection has none.
        activation: Of the MLP. The official code uses the tanh approximation of GELU. `swiglu`
            gates F numbers by F others.
        norm_eps: Added to the variance in every layer norm.
        dropout: Rate after each dense layer but qkv, and after the position embedding.
        attention_dropout: Rate on the attention weights; the paper's is 0.
        patch_dropout: Share of the patches of each image that training leaves out, others each
            time (arXiv 2208.07220).
        stochastic_depth: Rate of the last block's residual branches; grows linearly from 0.
        stem: Units in each stage of a ResNet before the patches; none is its root alone, and
            None no ResNet. `patch` counts pixels of the image all the same.
        stem_width: Channels of the root.
        drop_remainder: Whether pixels right and below that fill no patch are left unseen, as a
            strided convolution leaves them; sides that the patch does not divide are refused
            otherwise.
        resample: The rule by which the position grid is resampled to another image size.
        fixed_size: Whether images of another size are refused, and not met by resampling.
    """

    kind: str = "vit"
    name: str = "ViT"
    patch: int = 16
    width: int = 768
    depth: int = 12
    mlp_width: int = 3072
    heads: int = 12
    head_width: int | None = None
    class_token: bool = True
    registers: int = 0
    register_neurons: tuple[tuple[int, int], ...] = ()
    position: Position = "learned"
    position_at: PositionAt = "stem"
    position_reach: int | None = None
    prefix_positions: bool = True
    register_positions: bool = True
    pooling: Pooling = "token"
    pre_logits: int | None = None
    final_norm: FinalNorm = "tokens"
    patch_norms: bool = False
    patch_bias: bool = True
    embedding_norm: bool = False
    layer_scale: float | None = None
    qkv_bias: bool = True
    head_bias: bool = True
    activation: Activation = "gelu_tanh"
    norm_eps: float = 1e-6
    dropout: float = 0.0
    attention_dropout: float = 0.0
    patch_dropout: float = 0.0
    stochastic_depth: float = 0.0
    stem: tuple[int, ...] | None = None
    stem_width: int = 64
    drop_remainder: bool = False
    resample: Dialect = "google"
    fixed_size: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._count("patch", "width", "depth", "mlp_width", "heads", least=1)
        for field in ("head_width", "pre_logits", "position_reach"):
            value = getattr(self, field)
            if value is not None and not _counts(value, least=1):
                raise UserError(
                    f"model.{field} is {value!r}: give a whole number, at least 1, or none"
                )
        for field in _SWITCHES:
            if not isinstance(getattr(self, field), bool):
                raise UserError(f"model.{field} is {getattr(self, field)!r}: give true or false")
        if not self.norm_eps > 0:
            raise UserError(f"model.norm_eps is {self.norm_eps}: give a number over 0")
        if self.stem is not None:
            object.__setattr__(self, "stem", tuple(self.stem))
            if self.patch % self.stem_stride or self.stem_width % 32 or 0 in self.stem:
                raise UserError(
                    f"model.stem {self.stem} has a stride of {self.stem_stride} and GroupNorms of "
                    f"32: give a model.patch that is a multiple, not {self.patch}, a "
                    "model.stem_width of 64, and at least one unit a stage"
                )
            if self.drop_remainder:
                raise UserError("model.drop_remainder is for models without a model.stem")
        if not _counts(self.registers, least=0):
            raise UserError(f"model.registers is {self.registers!r}: give 0 or more")
        moved = tuple((layer, neuron) for layer, neuron in self.register_neurons)
        object.__setattr__(self, "register_neurons", moved)
        if not all(0 <= at < self.depth and 0 <= n < self.mlp_width for at, n in moved) or (
            moved and not self.registers
        ):
            raise UserError(
                f"model.register_neurons {moved}: give pairs of a layer under {self.depth} and a "
                f"neuron under {self.mlp_width}, and at least one of model.registers"
            )
        for field in ("dropout", "attention_dropout", "patch_dropout", "stochastic_depth"):
            if not 0 <= getattr(self, field) < 1:
                raise UserError(f"model.{field} is {getattr(self, field)}: give a rate in [0, 1)")
        for field, options in _OPTIONS.items():
            if getattr(self, field) not in options:
                raise UserError(
                    f"model.{field} is {getattr(self, field)!r}: choose {' or '.join(options)}"
                )
        if self.head_width is None and self.width % self.heads:
            raise UserError(
                f"model.width {self.width} is no multiple of model.heads {self.heads}: "
                "change one, or give model.head_width"
            )
        if self.head_width is not None and self.head_width * self.heads == self.width:
            object.__setattr__(self, "head_width", None)  # follows when width or heads change
        self._check_pooling()
        self._check_position()
        self.grid_of(self.image_size)

    def _check_pooling(self) -> None:
        if self.pooling not in ("mean", "map") and not self.class_token:
            raise UserError(
                f"model.pooling {self.pooling!r} needs model.class_token true: or pool by 'mean'"
            )
        if self.pooling == "distilled" and (
            not self.registers
            or not self.num_classes
            or self.pre_logits is not None
            or self.final_norm == "pooled"
        ):
            raise UserError(
                "model.pooling 'distilled' needs a distillation token (model.registers 1), "
                "model.num_classes, model.final_norm 'tokens' and no model.pre_logits"
            )

    def _check_position(self) -> None:
        relative = self.position.startswith("relative")
        if self.position_at != "stem" and (relative or self.position == "none"):
            raise UserError(
                f"model.position_at {self.position_at} is for positions that are added to tokens, "
                f"and model.position is {self.position}: give stem, or another position"
            )
        if self.position_reach is not None and not relative:
            raise UserError(
                f"model.position_reach clips relative positions and model.position is "
                f"{self.position}: leave it out"
            )
        if self.patch_dropout and (relative or self.position_at != "stem"):
            raise UserError(
                "model.patch_dropout leaves patches out and later blocks could not place the rest: "
                "leave it out, or add model.position at the stem"
            )
        parts = {"learned_2d": 2, "sine_cosine": 4}.get(self.position, 1)
        if self.width % parts:
            raise UserError(
                f"model.position {self.position} shares the width out to rows and columns and "
                f"model.width is {self.width}: give a multiple of {parts}"
            )

    @property
    def side_step(self) -> int:
        """Pixels that a side of an image must be a multiple of: P."""
        return self.patch

    @property
    def attention_layers(self) -> int:
        """Layers whose attention a recording can keep: all L."""
        return self.depth

    def with_classes(self, num_classes: int) -> Self:
        """The same architecture with a new head, one linear layer (paper, section 3.2)."""
        pooling: Pooling = "token" if self.pooling == "distilled" else self.pooling
        return replace(
            self, num_classes=num_classes, pre_logits=None, pooling=pooling, head_bias=True
        )

    @property
    def head_dim(self) -> int:
        """d, width of one attention head: `head_width`, or D / k where that is not given."""
        return self.head_width or self.width // self.heads

    @property
    def prefix(self) -> int:
        """Tokens before the patches: the class token, where there is one, and the registers."""
        return int(self.class_token) + self.registers

    @property
    def prefix_rows(self) -> int:
        """Rows of the position table that belong to no patch."""
        if not self.prefix_positions:
            return 0
        return self.prefix if self.register_positions else int(self.class_token)

    @property
    def pooled_width(self) -> int:
        """Width of what the pool gives."""
        return self.width * (2 if self.pooling in ("token_mean", "distilled") else 1)

    @property
    def stem_stride(self) -> int:
        """Pixels from one position of the map that is cut into patches to the next."""
        return 1 if self.stem is None else 4 * 2 ** max(len(self.stem) - 1, 0)

    @property
    def stem_channels(self) -> int:
        """Channels of the map that is cut into patches: the image's own without a stem."""
        if self.stem is None:
            return self.channels
        return 4 * self.stem_width * 2 ** (len(self.stem) - 1) if self.stem else self.stem_width

    def grid_of(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """The grid of patches (h, w) of an image of (H, W) pixels.

        Raises:
            UserError: A side is not a multiple of the patch side; names the sides that would be.
        """
        for axis, side in zip(("height", "width"), image_size, strict=True):
            if side < self.patch or (side % self.patch and not self.drop_remainder):
                below = side // self.patch * self.patch
                near = f"{below} or {below + self.patch}" if below else f"{self.patch}"
                raise UserError(
                    f"image {axis} {side} is no multiple of the patch side {self.patch}: "
                    f"{near} would work"
                )
        height, width = image_size
        return height // self.patch, width // self.patch


def _counts(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


_SWITCHES = (
    "class_token",
    "prefix_positions",
    "register_positions",
    "patch_norms",
    "patch_bias",
    "embedding_norm",
    "qkv_bias",
    "head_bias",
    "drop_remainder",
)
_OPTIONS: dict[str, tuple[str, ...]] = {
    "pooling": get_args(Pooling),
    "position": get_args(Position),
    "position_at": get_args(PositionAt),
    "final_norm": get_args(FinalNorm),
    "activation": get_args(Activation),
    "resample": get_args(Dialect),
}

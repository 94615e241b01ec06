"""The Vision Transformer, from images to logits (equations 1 to 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.errors import UserError
from vitreous.model.classifier import Classifier
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.encoder import Encoder, Placing
from vitreous.model.head import build_head
from vitreous.model.one_grid import check_grid
from vitreous.model.patch import PatchEmbedding
from vitreous.model.patch_dropout import PatchDropout
from vitreous.model.pixel_kernel import resize_kernel
from vitreous.model.pool import build_pool
from vitreous.model.position_schemes import (
    build_later_positions,
    build_position,
    resample_positions,
)
from vitreous.model.recording import Layers, Recording, resolve_layers
from vitreous.model.stem import ResNetStem


class VisionTransformer(Classifier):
    """(stem ->) patches -> class token -> positions (-> norm) -> encoder -> pool -> head.

    Source: the paper, section 3.1; the order and the initial values are vit_jax's. With a class
    token the last block computes only what the head reads, which gives identical logits.
    """

    config: ViTConfig

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.stem = nn.Identity() if config.stem is None else ResNetStem(config)
        self.patch = PatchEmbedding(config)
        self.class_token = nn.Parameter(torch.empty(config.width)) if config.class_token else None
        self.registers = None
        if config.registers:
            self.registers = nn.Parameter(torch.empty(config.registers, config.width))
        self.position = build_position(config)
        self.later_positions = build_later_positions(config)
        dropout = config.embedding_dropout
        self.dropout = nn.Dropout(config.dropout if dropout is None else dropout)
        self.embedding_norm: nn.Module = nn.Identity()
        if config.embedding_norm:
            self.embedding_norm = nn.LayerNorm(config.width, config.norm_eps)
        self.patch_dropout: nn.Module = nn.Identity()
        if config.patch_dropout:
            self.patch_dropout = PatchDropout(config.patch_dropout, config.prefix)
        self.encoder = Encoder(config)
        self.pool = build_pool(config)
        self.pooled_norm: nn.Module = nn.Identity()
        if config.final_norm == "pooled":
            self.pooled_norm = nn.LayerNorm(config.pooled_width, config.norm_eps)
        self.pre_logits = nn.Sequential()
        if config.pre_logits is not None:
            linear = nn.Linear(config.pooled_width, config.pre_logits)
            self.pre_logits = nn.Sequential(linear, nn.Tanh())
        self.head = build_head(config)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """The paper's initial values: see each part; class token and head start at zero."""
        # Parts before wholes: a whole overrules the defaults of PyTorch's layers inside it.
        for module in reversed(list(self.modules())):
            reset = getattr(module, "reset_parameters", None)
            if module is not self and callable(reset):
                reset()
        if self.class_token is not None:
            nn.init.zeros_(self.class_token)
        if self.registers is not None:
            nn.init.normal_(self.registers, std=1e-6)
        for linear in self.pre_logits:
            if isinstance(linear, nn.Linear):
                nn.init.xavier_uniform_(linear.weight)
                nn.init.zeros_(linear.bias)

    def embed(
        self, images: Float[Tensor, "B C H W"], recording: Recording | None = None
    ) -> Float[Tensor, "B R"]:
        """What the head reads: pooled and, where the model has it, through the pre-logits layer.

        On images of another size than the config's, positions are resampled on the way.

        Raises:
            UserError: A side of the images is no multiple of the patch side, the number of
                channels is not the model's, or their size is not where the config has
                `fixed_size`.
        """
        grid = self.grid_of(images)
        if recording is not None:
            recording.begin(self.config.depth, grid, self.config.prefix)
        x = self.tokens(self.patches(images), grid)
        x = self.encode(x, grid, self.pool.read, recording)  # (B, 1 or S, D)
        return self.pre_logits(self.pooled_norm(self.pool(x)))

    def features(
        self,
        images: Float[Tensor, "B C H W"],
        layers: Layers = (-1,),
        *,
        as_grid: bool = True,
        norm: bool = False,
    ) -> list[Float[Tensor, "B ..."]]:
        """What blocks make of the patches, as detection and segmentation read it.

        >>> maps = model.features(images, layers=[2, 5, 8, 11])  # four of (B, D, h, w)

        No block beyond the last one asked for is run. Gradients flow.

        Args:
            images: Normalised pixels, of any size that the patch side divides.
            layers: Blocks, counted from 0, or from the end where negative; or `all`.
            as_grid: Maps (B, D, h, w) of the patches alone; else all tokens (B, S, D), the class
                token first, then registers, then patches row by row.
            norm: Put each through the final layer norm, as the last one is before the head.

        Returns:
            One tensor per layer, in the order asked for.

        Raises:
            UserError: No such layer, no layer at all, images that do not fit, or `norm` where the
                final norm is of the pooled vector.
        """
        asked = resolve_layers(layers, self.config.depth, "give features")
        if not asked:
            raise UserError("features of no layer: give layers=, such as [-1], or 'all'")
        if norm and self.config.final_norm != "tokens":
            raise UserError("this model's final norm is of the pooled vector: leave norm out")
        grid = self.grid_of(images)
        x = self.tokens(self.patches(images), grid)
        kept = self.encoder.outputs(x, set(asked), self._placed_again(grid))
        if norm:
            kept = {layer: self.encoder.norm(x) for layer, x in kept.items()}
        if as_grid:
            prefix = self.config.prefix
            kept = {
                layer: x[:, prefix:].mT.unflatten(2, grid).contiguous()  # (B, D, h, w)
                for layer, x in kept.items()
            }
        return [kept[layer] for layer in asked]

    def grid_of(self, images: Float[Tensor, "B C H W"]) -> tuple[int, int]:
        """The grid (h, w) of the patches of images that this model takes.

        Raises:
            UserError: As `embed`, or positions are of another grid only.
        """
        self.config.check_channels(images.shape[1])
        grid = self.config.grid_of((images.shape[2], images.shape[3]))
        check_grid(self.config, grid)
        return grid

    def patches(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N D"]:
        """The embedded patches row by row, before positions; what an objective may corrupt."""
        embedded: Tensor = self.patch(self.stem(images))
        return embedded

    def tokens(
        self, patches: Float[Tensor, "B N D"], grid: tuple[int, int]
    ) -> Float[Tensor, "B S D"]:
        """What the first block reads: patches behind their prefix, with positions.

        Args:
            patches: All of an image's, as `patches` gives them.
            grid: (h, w) of them.
        """
        # Autocast gives products of half the digits, and FSDP weights: what blocks are added to is
        # float32 under it, and else has the weights' own precision.
        kind = patches.device.type
        cast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
        x = patches.to(torch.float32 if cast else self.patch.weight.dtype)
        if self.config.prefix:
            x = torch.cat([*self._prefix(x), x], dim=1)  # (B, S, D)
        x = self.patch_dropout(self.dropout(self.position(x, grid)))
        tokens: Tensor = self.embedding_norm(x)
        return tokens

    def encode(
        self,
        tokens: Float[Tensor, "B S D"],
        grid: tuple[int, int],
        read: int | None = None,
        recording: Recording | None = None,
    ) -> Float[Tensor, "B R D"]:
        """The encoder's output; see `Encoder.forward`.

        Args:
            tokens: As `tokens` gives them.
            grid: (h, w) of the patches.
            read: How many leading tokens are read afterwards.
            recording: What to keep on the way.
        """
        out: Tensor = self.encoder(tokens, read, recording, self._placed_again(grid))
        return out

    def _placed_again(self, grid: tuple[int, int]) -> Placing | None:
        """Adds the positions of later layers; None where the first's are all."""
        match self.config.position_at:
            case "stem":
                return None
            case "layers":
                return lambda x, layer: self.later_positions[layer - 1](x, grid)
            case "layers_shared":
                return lambda x, layer: self.position(x, grid)

    def tensors_for(self, config: ModelConfig) -> dict[str, Tensor]:
        """The state dict, made for another image size, patch side and number of channels."""
        assert isinstance(config, ViTConfig)
        own, tensors = self.config, super().tensors_for(config)
        if own.patch_norms and (own.patch, own.channels) != (config.patch, config.channels):
            raise UserError("the layer norm over this model's patches keeps its patch and channels")
        height, width = (side // config.stem_stride for side in config.patch_size)
        tensors["patch.weight"] = resize_kernel(tensors["patch.weight"], (height, width))
        return tensors | resample_positions(tensors, own, config)

    @property
    def blocks(self) -> list[nn.Module]:
        """The encoder's."""
        return list(self.encoder.blocks)

    @property
    def pixel_kernel(self) -> str:
        """The patch projection, or the root of a stem."""
        return "patch.weight" if self.config.stem is None else "stem.root.weight"

    def _prefix(self, x: Float[Tensor, "B N D"]) -> list[Float[Tensor, "B R D"]]:
        """The class token, then the registers: those that the model has."""
        return [
            token.view(-1, x.shape[2]).expand(len(x), -1, -1).to(x.dtype)
            for token in (self.class_token, self.registers)
            if token is not None
        ]

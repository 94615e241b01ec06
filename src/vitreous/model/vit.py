"""The Vision Transformer, from images to logits (equations 1 to 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.model.config import ViTConfig
from vitreous.model.encoder import Encoder
from vitreous.model.patch import PatchEmbedding
from vitreous.model.patch_dropout import PatchDropout
from vitreous.model.pool import ClassTokenPool, MeanPool
from vitreous.model.position import LearnedPosition
from vitreous.model.recording import Recording
from vitreous.model.stem import ResNetStem


class VisionTransformer(nn.Module):
    """(stem ->) patches -> class token -> positions -> encoder -> pool -> head.

    Source: the paper, section 3.1; the order and the initial values are vit_jax's. With a class
    token the last block computes only what the head reads, which gives identical logits.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.passport: object | None = None  # set by whoever loads or trains: weights/passport.py
        self.stem = nn.Identity() if config.stem is None else ResNetStem(config)
        self.patch = PatchEmbedding(config)
        self.class_token = nn.Parameter(torch.empty(config.width)) if config.class_token else None
        self.registers = None
        if config.registers:
            self.registers = nn.Parameter(torch.empty(config.registers, config.width))
        self.position = LearnedPosition(config)
        self.dropout = nn.Dropout(config.dropout)
        self.patch_dropout: nn.Module = nn.Identity()
        if config.patch_dropout:
            self.patch_dropout = PatchDropout(config.patch_dropout, config.prefix)
        self.encoder = Encoder(config)
        self.pool = ClassTokenPool() if config.pooling == "token" else MeanPool(config.prefix)
        self.pooled_norm: nn.Module = nn.Identity()
        if config.final_norm == "pooled":
            self.pooled_norm = nn.LayerNorm(config.width, config.norm_eps)
        self.pre_logits = nn.Sequential()
        features = config.width
        if config.pre_logits is not None:
            features = config.pre_logits
            self.pre_logits = nn.Sequential(nn.Linear(config.width, features), nn.Tanh())
        self.head = nn.Linear(features, config.num_classes) if config.num_classes else nn.Identity()

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
        if isinstance(self.head, nn.Linear):
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(
        self, images: Float[Tensor, "B C H W"], recording: Recording | None = None
    ) -> Float[Tensor, "B K"]:
        """Classify.

        Args:
            images: Normalised pixels. H and W may differ from the config's size: positions are
                resampled on the way.
            recording: What to keep of the inside; see `Recording`.

        Returns:
            Logits (B, K), or features (B, D) of a model without a head.

        Raises:
            UserError: A side of the images is no multiple of the patch side, or the number of
                channels is not the model's.
        """
        return self.head(self.embed(images, recording))

    def embed(
        self, images: Float[Tensor, "B C H W"], recording: Recording | None = None
    ) -> Float[Tensor, "B R"]:
        """What the head reads: pooled and, where the model has it, through the pre-logits layer."""
        self.config.check_channels(images.shape[1])
        grid = self.config.grid_of((images.shape[2], images.shape[3]))
        if recording is not None:
            recording.begin(self.config.depth, grid, self.config.prefix)
        x = self.patch(self.stem(images))  # (B, N, D)
        if self.config.prefix:
            x = torch.cat([*self._prefix(x), x], dim=1)  # (B, S, D)
        x = self.patch_dropout(self.dropout(self.position(x, grid)))
        x = self.encoder(x, self.pool.read, recording)  # (B, 1 or S, D)
        return self.pre_logits(self.pooled_norm(self.pool(x)))

    def _prefix(self, x: Float[Tensor, "B N D"]) -> list[Float[Tensor, "B R D"]]:
        """The class token, then the registers: those that the model has."""
        return [
            token.view(-1, x.shape[2]).expand(len(x), -1, -1).to(x.dtype)
            for token in (self.class_token, self.registers)
            if token is not None
        ]

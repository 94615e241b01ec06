"""The masked autoencoder: an encoder of what is visible, and a light decoder of all."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vitreous.data.preprocessing import Preprocessing
from vitreous.model.classifier import Classifier
from vitreous.model.config import ViTConfig
from vitreous.model.encoder import Encoder
from vitreous.model.head import Head
from vitreous.model.sine_cosine import sine_cosine
from vitreous.model.vit import VisionTransformer
from vitreous.objective.config import MAEConfig, MaskedPatchConfig
from vitreous.objective.masked_patch import MaskedLearner, MaskedPatch
from vitreous.objective.masking import pick
from vitreous.objective.patch_target import PatchTarget, PixelTarget

_HEAD_WIDTH = 32


class MAELearner(MaskedLearner):
    """Only visible patches go through the encoder; masks join them in the decoder.

    Decoder positions are fixed sines and cosines of row and column; the tokens before the patches
    have none.
    """

    def __init__(self, backbone: VisionTransformer, config: MAEConfig, outputs: int) -> None:
        decoder = decoder_config(config, backbone.config)
        super().__init__(backbone, decoder.width)
        with torch.device(self.mask.device):
            self.bridge = nn.Linear(backbone.config.width, decoder.width)
            self.decoder = Encoder(decoder)
            self.head = Head(decoder.width, outputs)
        nn.init.xavier_uniform_(self.bridge.weight)
        nn.init.zeros_(self.bridge.bias)
        for module in reversed(list(self.decoder.modules())):
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The encoder's, then the decoder's."""
        return [*self.backbone.blocks, *self.decoder.blocks]

    def forward(
        self,
        images: Float[Tensor, "B C H W"],
        hidden: Int64[Tensor, "B M"],
        source: Int64[Tensor, "B N"],
    ) -> Float[Tensor, "B M O"]:
        """Predictions for the hidden patches."""
        model = self.backbone
        grid = model.grid_of(images)
        prefix, N = model.config.prefix, source.shape[1]
        # Places in ascending order: visible ones first, since they are not the mask's.
        order = (source == N).int().argsort(dim=1, stable=True)
        visible = order[:, : N - hidden.shape[1]]
        x = model.tokens(model.patches(images), grid)
        x = torch.cat([x[:, :prefix], pick(x[:, prefix:], visible)], dim=1)  # (B, R + V, D)
        x = self.bridge(model.encoder(x))
        masks = self.mask.to(x.dtype).expand(*hidden.shape, -1)
        rows = torch.cat([x[:, prefix:], masks], dim=1).take_along_dim(
            order.argsort(1)[..., None], 1
        )  # (B, N, E), each patch at its place again
        rows = rows + sine_cosine(grid, rows.shape[2], rows.device)
        x = self.decoder(torch.cat([x[:, :prefix], rows], dim=1))[:, prefix:]
        predictions: Tensor = self.head(pick(x, hidden))
        return predictions


class MaskedAutoencoder(MaskedPatch):
    """Reconstruct the pixels of hidden patches from a few visible ones; labels are not read.

    Source: He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners", arXiv 2111.06377;
    facebookresearch/mae, models_mae.py. The encoder's positions are what its config says, and the
    head starts at zero.

    Args:
        config: Share, decoder and target.
        rule: Normalisation.
        patch: (height, width) of a patch, pixels.
    """

    def __init__(self, config: MAEConfig, rule: Preprocessing, patch: tuple[int, int]) -> None:
        self.mae = config
        every = MaskedPatchConfig(share=config.share, masked=1.0, swapped=0.0, target="pixels")
        super().__init__(every, rule, patch)

    def build_target(self) -> PatchTarget:
        """Pixels, of scaled patches where the config says so."""
        return PixelTarget(self.rule, self.patch, scaled=self.mae.scaled)

    def learner(self, model: Classifier) -> MaskedLearner:
        """The model with a mask, a decoder and a linear layer."""
        assert isinstance(model, VisionTransformer)
        return MAELearner(model, self.mae, self.target.outputs)


def decoder_config(config: MAEConfig, encoder: ViTConfig) -> ViTConfig:
    """The decoder as a Transformer's config: heads of 32, as the official ones."""
    width = config.decoder_width or min(512, encoder.width // 4 * 4)
    return ViTConfig(
        name="decoder",
        image_size=encoder.image_size,
        patch=encoder.patch,
        width=width,
        depth=config.decoder_depth or min(8, max(encoder.depth * 2 // 3, 1)),
        mlp_width=4 * width,
        heads=max(width // _HEAD_WIDTH, 1),
        head_width=_HEAD_WIDTH,
        activation=encoder.activation,
        norm_eps=encoder.norm_eps,
        drop_remainder=encoder.drop_remainder,
    )

"""The network that all ResNets share: root -> stages -> mean -> head."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from vitreous.errors import UserError
from vitreous.model.classifier import Classifier
from vitreous.model.recording import Layers, Recording, resolve_layers
from vitreous.model.residual_config import ResidualConfig


class ResidualNetwork(Classifier):
    """Stages of residual units between a root and the mean over the last map.

    Each stage doubles the width; the first unit of every stage but the first has a stride of 2.
    """

    config: ResidualConfig

    def __init__(
        self,
        config: ResidualConfig,
        root: nn.Module,
        pool: nn.Module,
        unit: Callable[[int, int, int], nn.Module],
    ) -> None:
        """Build the stages and the head.

        Args:
            config: Gives the sizes.
            root: Reads the pixels.
            pool: Stands behind the root.
            unit: Makes a residual unit from the channels that come in, its width and its stride;
                it gives `config.expansion` times its width.
        """
        super().__init__(config)
        self.root, self.pool = root, pool
        self.stages = nn.Sequential()
        channels = config.root_width
        for stage, units in enumerate(config.units):
            width = config.root_width * 2**stage
            blocks = nn.Sequential()
            for number in range(units):
                blocks.append(unit(channels, width, 2 if stage and not number else 1))
                channels = config.expansion * width
            self.stages.append(blocks)
        self.head = nn.Linear(channels, config.num_classes) if config.num_classes else nn.Identity()

    def finish(self, x: Float[Tensor, "B D h w"]) -> Float[Tensor, "B D h w"]:
        """Make the last stage's output ready for the mean; nothing, unless a kind says more."""
        return x

    @property
    def blocks(self) -> list[nn.Module]:
        """The residual units of all stages."""
        return [unit for stage in self.stages for unit in stage.children()]

    def embed(
        self, images: Float[Tensor, "B C H W"], recording: Recording | None = None
    ) -> Float[Tensor, "B R"]:
        """The mean of the last map (B, D); images may have any size.

        Raises:
            UserError: Images of another number of channels, or a recording.
        """
        if recording is not None:
            raise UserError(
                f"{self.config.name} is a ResNet and has no attention or tokens to record: ask a "
                "Vision Transformer"
            )
        self.config.check_channels(images.shape[1])
        return self.finish(self.stages(self.pool(self.root(images)))).mean((2, 3))

    def features(
        self, images: Float[Tensor, "B C H W"], layers: Layers = (-1,), *, norm: bool = False
    ) -> list[Float[Tensor, "B D2 h2 w2"]]:
        """Return the maps of stages, as detection and segmentation read them.

        >>> maps = model.features(images, layers="all")  # of a stride of 4, 8, 16 and 32

        Args:
            images: Normalised pixels, of any size.
            layers: Stages, counted from 0, or from the end where negative; or `all`.
            norm: Put the last one through `finish`, as it is before the head.

        Returns:
            One map per stage, in the order asked for.

        Raises:
            UserError: No such stage, or images of another number of channels.
        """
        asked = resolve_layers(layers, len(self.stages), "give features")
        self.config.check_channels(images.shape[1])
        maps = []
        x = self.pool(self.root(images))
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        if norm:
            maps[-1] = self.finish(x)
        return [maps[layer] for layer in asked]

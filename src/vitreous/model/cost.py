"""What a model costs: parameters, and multiply-adds of one image, by formula."""

from math import prod

from vitreous.model.build import empty_model
from vitreous.model.config import ViTConfig


def count_parameters(config: ViTConfig) -> int:
    """Learned numbers; nothing is allocated."""
    return sum(parameter.numel() for parameter in empty_model(config).parameters())


def multiply_adds(config: ViTConfig, image_size: tuple[int, int] | None = None) -> int:
    """Multiplications with an addition in the products of one forward pass, the unit of the field.

    Twice as many floating-point operations. Counted as the literature counts: all tokens through
    all blocks, though ours computes less of the last block; without norms, softmax and additions.
    A block of S tokens takes S (4 D k d + 2 D F) + 2 S^2 k d.

    Args:
        config: The architecture.
        image_size: (H, W), pixels; the config's where not given.
    """
    assert config.head_width is not None
    size = image_size or config.image_size
    patches = prod(config.grid_of(size))
    tokens, inner = patches + config.prefix, config.heads * config.head_width
    side = config.patch // config.stem_stride
    patch = patches * config.width * config.stem_channels * side**2
    block = tokens * config.width * (4 * inner + 2 * config.mlp_width) + 2 * tokens**2 * inner
    hidden = config.width if config.pre_logits is None else config.pre_logits
    head = hidden * config.num_classes + config.width * (config.pre_logits or 0)
    return _stem(config, size) + patch + config.depth * block + head


def _stem(config: ViTConfig, size: tuple[int, int]) -> int:
    """Of the ResNet: each convolution's kernel at every place of its output."""
    if config.stem is None:
        return 0
    channels, places = config.stem_width, prod(size) // 4
    total = places * 7 * 7 * config.channels * channels
    places //= 4  # behind the max-pool
    for stage, units in enumerate(config.stem):
        width = config.stem_width * 2**stage
        for unit in range(units):
            before, stride = places, 2 if stage and not unit else 1
            places //= stride**2
            total += before * channels * width + places * width * (9 * width + 4 * width)
            if not unit:
                total += places * channels * 4 * width
            channels = 4 * width
    return total

"""What the machine could do: its matrix products at the model's shapes, and its memory."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.dense import dense

_BUFFER = 2**26  # float32 numbers: 256 MiB, more than any cache holds
_TRIES = 5


@dataclass(frozen=True)
class Products:
    """The products of a forward pass with weights, and nothing between them.

    Attributes:
        run: All of them, one after the other, each layer with weights of its own.
        operations: Floating-point operations of one call.
    """

    run: Callable[[], Tensor]
    operations: int


def product_shapes(config: ViTConfig, batch: int) -> list[tuple[int, int, int]]:
    """(Rows, numbers in, numbers out) of every product with weights, in order.

    All tokens go through all blocks, as `multiply_adds` counts; products of attention, which have
    no weights, are not among them.
    """
    patches = batch * math.prod(config.grid)
    tokens = patches + batch * config.prefix
    inner = config.heads * config.head_dim
    gate = 2 if config.activation == "swiglu" else 1
    block = [
        (tokens, config.width, 3 * inner),
        *[(tokens, inner, config.width)] * config.output_projection,
        (tokens, config.width, gate * config.mlp_width),
        (tokens, config.mlp_width, config.width),
    ]
    height, width = (side // config.stem_stride for side in config.patch_size)
    pixels = height * width * config.stem_channels
    embedding = (patches, pixels, config.width)
    return [embedding, *block * config.depth, (batch, config.pooled_width, config.num_classes)]


def bare_products(
    config: ModelConfig, batch: int, dtype: torch.dtype, device: str
) -> Products | None:
    """The model's products in a precision, each by the fastest way that we know.

    None for a model that mostly convolves.
    """
    if not isinstance(config, ViTConfig) or config.stem is not None:
        return None
    shapes = [shape for shape in product_shapes(config, batch) if 0 not in shape]
    inputs = {shape[:2]: torch.randn(shape[:2], device=device).to(dtype) for shape in set(shapes)}
    weights = [torch.randn(n, k, device=device).to(dtype) for _, k, n in shapes]

    @torch.inference_mode()
    def run() -> Tensor:
        for shape, weight in zip(shapes, weights, strict=True):
            out = dense(inputs[shape[:2]], weight, None)
        return out

    return Products(run, sum(2 * m * k * n for m, k, n in shapes))


def memory_bandwidth(device: str) -> float:
    """Bytes a second, the best of a few readings and copies of a large buffer."""
    buffer = torch.ones(_BUFFER, device=device)
    other = torch.empty_like(buffer)
    size = buffer.numel() * buffer.element_size()
    reading = size / _best_seconds(buffer.sum, device)
    copying = 2 * size / _best_seconds(lambda: other.copy_(buffer), device)
    del buffer, other
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()  # for the subjects
    return max(reading, copying)


def _best_seconds(run: Callable[[], Tensor], device: str) -> float:
    best = float("inf")
    for _ in range(_TRIES):
        _wait(device)
        begin = time.perf_counter()
        run()
        _wait(device)
        best = min(best, time.perf_counter() - begin)
    return best


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()

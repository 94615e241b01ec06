"""How much memory a training step keeps, told before it is run."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from vitreous.data.cache import free_memory
from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.parallel.device import Engine
from vitreous.parallel.environment import ranks
from vitreous.parallel.host_memory import return_freed_memory

# Temporaries of the backward pass and the allocator's slack, over what autograd keeps.
_SLACK = 1.3
# Weights, gradient, two averages of Adam and the running average, in float32.
_BYTES_PER_PARAMETER = 5 * 4


def activation_bytes(config: ModelConfig, engine: Engine, size: tuple[int, int]) -> int:
    """Bytes that autograd keeps of one image until the backward pass.

    Args:
        config: The model.
        engine: Gives the precision of the products and the device.
        size: (H, W) of the training images, pixels.
    """
    return int(_ESTIMATES[config.kind](config, engine, size)) + 2 * _pixels(config, size)


def _pixels(config: ModelConfig, size: tuple[int, int]) -> int:
    return 4 * config.channels * size[0] * size[1]


def _transformer(config: ViTConfig, engine: Engine, size: tuple[int, int]) -> int:
    """By arithmetic, and what the ResNet of a hybrid keeps.

    Per token and block: the float32 inputs of two norms, and in the precision of the products the
    norms' outputs, q, k, v, the heads' outputs, and the MLP's hidden layer before and after its
    activation; and, where attention keeps its k S x S weights (with dropout or offsets, in bfloat16
    on the CPU), those.
    """
    h, w = config.grid_of(size)
    tokens = config.prefix + max(h * w - round(config.patch_dropout * h * w), 1)
    inner = config.heads * config.head_dim
    item = 2 if engine.precision == "bfloat16" else 4
    per_token = 2 * 4 * config.width + item * (2 * config.width + 4 * inner + 2 * config.mlp_width)
    per_block = tokens * per_token
    explicit = config.attention_dropout or config.position.startswith("relative")
    if explicit and engine.device.type == "cpu" and engine.precision == "bfloat16":
        per_block += item * config.heads * tokens**2
    if config.position.startswith("relative"):
        per_block += 2 * item * config.heads * tokens**2  # scores of offsets, and their logits
    stem = empty_model(config).get_submodule("stem")
    return config.depth * per_block + _convolutions(stem, config, engine, size)


def _resnet(config: ModelConfig, engine: Engine, size: tuple[int, int]) -> int:
    return _convolutions(empty_model(config), config, engine, size)


def _convolutions(
    module: nn.Module, config: ModelConfig, engine: Engine, size: tuple[int, int]
) -> int:
    """By a forward pass without numbers, which says what autograd would keep.

    In bfloat16 a CPU keeps all maps so; a GPU computes norms in float32, and is counted in it.
    """
    halved = engine.precision == "bfloat16" and engine.device.type == "cpu"
    dtype = torch.bfloat16 if halved else torch.float32
    module.to(dtype)
    two, three = (
        _kept(module, torch.empty(batch, config.channels, *size, dtype=dtype, device="meta"))
        for batch in (2, 3)  # norms over images need two
    )
    return three - two  # standardised kernels are kept once, whatever the batch


def _kept(module: nn.Module, images: Tensor) -> int:
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        module(images)
    return sum(storage.nbytes() for storage in storages.values())


_ESTIMATES: dict[str, Any] = {"vit": _transformer, "bit": _resnet, "resnet": _resnet}


def free_for_training(engine: Engine) -> int:
    """Bytes that a process of the run may fill; on a CPU the machine's processes share them."""
    if engine.device.type == "cuda":
        return torch.cuda.mem_get_info(engine.device)[0]
    return_freed_memory()
    return free_memory() // 2 // ranks().local_size  # the other half: pixels, other programs


def free_for_activations(parameters: int, engine: Engine) -> int:
    """Bytes left for activations once weights and optimiser are there.

    Args:
        parameters: Of the model.
        engine: Gives the device.
    """
    free = free_for_training(engine) - parameters * _BYTES_PER_PARAMETER
    return max(int(free / _SLACK), 0)


def micro_batch_that_fits(bytes_per_image: int, free: int, batch_size: int) -> int:
    """The largest even share of a batch whose activations fit into the memory.

    Args:
        bytes_per_image: Activations kept for the backward pass.
        free: Bytes at hand.
        batch_size: B.

    Raises:
        UserError: Not even one image fits.
    """
    most = free // max(bytes_per_image, 1)
    if most < 1:
        raise UserError(
            f"one image needs about {bytes_per_image / 2**30:.1f} GiB for its activations and "
            f"{free / 2**30:.1f} GiB are free: take a smaller model or image size"
        )
    pieces = -(-batch_size // most)
    return int(-(-batch_size // pieces))

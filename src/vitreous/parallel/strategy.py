"""A model over several processes: checkpointing, then compilation, then DDP or FSDP2.

The order is torchtitan's: a compiled block sees its own recomputation, and what is wrapped is
already compiled. All but DDP work in place, so parameters keep their names.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MethodType
from typing import Any, Literal

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from vitreous.parallel.device import Engine

Strategy = Literal["one", "ddp", "fsdp"]


def recompute(blocks: Iterable[nn.Module], every: int) -> None:
    """Keep only the input of every n-th block; its inside is computed again on the way back.

    Random draws are repeated too, so the results are the same bits. Buffers, such as BatchNorm's
    running statistics, are left as the first pass made them.

    Source: Chen et al. 2016, arXiv 1604.06174.
    """
    for block in list(blocks)[every - 1 :: every] if every else ():
        # Bound to the block, so that a copy of it is given a method of its own.
        counts = next(block.buffers(), None) is not None
        block.forward = MethodType(_recomputed_on_copies if counts else _recomputed, block)


def _recomputed(block: nn.Module, *arguments: Any) -> Tensor:
    """A function, not a partial: the compiler skips `checkpoint` unless a caller is compiled."""
    out: Tensor = checkpoint(type(block).forward, block, *arguments, use_reentrant=False)
    return out


def _recomputed_on_copies(block: nn.Module, *arguments: Any) -> Tensor:
    """The same for a block with buffers, which the second pass leaves alone; not for compilers."""
    out: Tensor = checkpoint(
        type(block).forward,
        block,
        *arguments,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _on_copied_buffers(block)),
    )
    return out


@contextmanager
def _on_copied_buffers(block: nn.Module) -> Iterator[None]:
    """Within the context the block's buffers are copies, which are thrown away with it."""
    held = [
        (module, name, buffer)
        for module in block.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    for module, name, buffer in held:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in held:
            setattr(module, name, buffer)


def compile_blocks(blocks: Iterable[nn.Module]) -> None:
    """Compile each block by itself: equal blocks share one compilation."""
    for block in blocks:
        block.compile(dynamic=False)


def fully_shard_blocks(model: nn.Module, blocks: Iterable[nn.Module], engine: Engine) -> None:
    """FSDP2: parameters, gradients and optimiser spread over all ranks; gathered block by block.

    In bfloat16, GPUs exchange parameters and multiply them in bfloat16; each rank's share of the
    weights that the optimiser moves, the sum of gradients, and what goes from block to block stay
    in float32, as without FSDP. On a CPU autocast alone makes the difference: its layer norm takes
    no weights of fewer digits than its input has.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(engine.device.type, (distributed.get_world_size(),))
    policy = MixedPrecisionPolicy()
    if engine.precision == "bfloat16" and engine.device.type != "cpu":
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
    for block in blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # The root's few parameters are given back too: between steps all are as the optimiser knows
    # them, whatever ran last.
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=True)


def replicate(model: nn.Module, engine: Engine) -> nn.Module:
    """DDP around the model, on the engine's device; buffers are the training loop's to exchange."""
    gpu = engine.device.type == "cuda"
    return DistributedDataParallel(
        model,
        device_ids=[torch.cuda.current_device()] if gpu else None,
        gradient_as_bucket_view=True,
        broadcast_buffers=False,
    )


@contextmanager
def unsharded(model: nn.Module) -> Iterator[None]:
    """For calls that go past a model's own forward: what FSDP gathers there is whole meanwhile."""
    from torch.distributed.fsdp import FSDPModule

    if not isinstance(model, FSDPModule):
        yield
        return
    model.unshard()
    try:
        yield
    finally:
        model.reshard()


def unsynced(model: nn.Module) -> AbstractContextManager[object]:
    """For all but the last piece of a step: gradients add up here and are not exchanged yet.

    FSDP exchanges after each piece, since keeping whole gradients is what it is there to avoid.
    """
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()

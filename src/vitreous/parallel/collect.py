"""What processes tell one another: sums, gathers, and one decision for all.

Each function is for all ranks at once, and alone in a process gives what it was given. Only
tensors travel: text and JSON go as bytes, and nothing is pickled.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, distributed

from vitreous.errors import UserError


class ToldElsewhereError(Exception):
    """The first rank has refused, and says why."""


def together() -> bool:
    """Whether there are other processes to talk to."""
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Number of this process."""
    return distributed.get_rank() if together() else 0


def world_size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if together() else 1


def total(values: Sequence[float]) -> list[float]:
    """Sums over the ranks, in double precision."""
    if not together():
        return list(values)
    summed = torch.tensor(values, dtype=torch.float64)
    distributed.all_reduce(summed)
    numbers: list[float] = summed.tolist()
    return numbers


def average_over_ranks(tensors: Sequence[Tensor]) -> None:
    """Put the mean over the ranks into each tensor, all of them in one exchange.

    Args:
        tensors: Whole on each rank, of one dtype and device, and as many everywhere.
    """
    if not together():
        return
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    parts = (flat / world_size()).split([tensor.numel() for tensor in tensors])
    with torch.no_grad():
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def first_says(answer: bool) -> bool:
    """The first rank's answer, for all."""
    return bool(total([answer and rank() == 0])[0])


def decide(make: Callable[[], Any]) -> Any:
    """One decision for all ranks, made by the first.

    Args:
        make: Gives a value that JSON can hold; called on the first rank only.

    Raises:
        UserError: On the first rank, as `make` raised it.
        ToldElsewhereError: On the others, when it did.
    """
    if not together():
        return make()
    refused: UserError | None = None
    text = ""
    if rank() == 0:
        try:
            text = json.dumps(["", make()])
        except UserError as error:
            refused, text = error, json.dumps([str(error), None])
    data = torch.tensor(bytearray(text.encode()), dtype=torch.uint8)
    length = torch.tensor(len(data))
    distributed.broadcast(length, 0)
    if rank():
        data = torch.empty(int(length), dtype=torch.uint8)
    distributed.broadcast(data, 0)
    if refused is not None:
        raise refused
    reason, value = json.loads(bytes(data.numpy()))
    if reason:
        raise ToldElsewhereError(reason)
    return value


def gather_rows(rows: Tensor) -> Tensor:
    """Rows of all ranks, one rank's after the other's; each gives as many.

    Args:
        rows: On the host, (n, ...).

    Returns:
        (ranks x n, ...).
    """
    if not together():
        return rows
    parts = [torch.empty_like(rows) for _ in range(world_size())]
    distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def gather_texts(text: str) -> list[str]:
    """A text from each rank, in order."""
    if not together():
        return [text]
    data = text.encode("utf-8", "surrogatepass")
    lengths = gather_rows(torch.tensor([len(data)])).tolist()
    padded = torch.zeros(max(lengths), dtype=torch.uint8)
    padded[: len(data)] = torch.tensor(bytearray(data), dtype=torch.uint8)
    rows = gather_rows(padded[None]).numpy()
    return [
        bytes(row[:length]).decode("utf-8", "surrogatepass")
        for row, length in zip(rows, lengths, strict=True)
    ]


def whole(tensor: Tensor) -> Tensor:
    """The full tensor of one that is spread over the ranks; any other as it is."""
    if not together():
        return tensor
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shard(tensor: Tensor) -> Tensor:
    """This rank's part of a tensor that is spread over the ranks, in place; any other as it is."""
    if not together():
        return tensor
    from torch.distributed.tensor import DTensor

    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def is_spread(tensor: Tensor) -> bool:
    """Whether each rank holds a part of it."""
    if not together():
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def blank(shape: Sequence[int], dtype: torch.dtype, like: Tensor) -> Tensor:
    """A tensor to be filled, on the device of `like`, and held as it is where the shapes agree.

    One of another shape (a counter of the optimiser) is held whole.
    """
    if list(like.shape) == list(shape):
        return torch.empty_like(like, dtype=dtype, requires_grad=False)
    return torch.empty(tuple(shape), dtype=dtype, device=like.device)


def spread(tensor: Tensor, like: Tensor) -> Tensor:
    """The first rank's full tensor, held on all ranks as `like` is held.

    Args:
        tensor: Full on the first rank; elsewhere any of the same shape and dtype.
        like: Gives the device, and how it is spread.
    """
    tensor = tensor.to(like.device)
    if not together():
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    if isinstance(like, DTensor):
        return distribute_tensor(tensor, like.device_mesh, like.placements)
    tensor = tensor.contiguous()
    distributed.broadcast(tensor, 0)
    return tensor

"""The processes of a run: who this one is, as torchrun tells it, and how they meet."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from vitreous.errors import UserError
from vitreous.parallel.collect import ToldElsewhereError
from vitreous.parallel.device import choose_engine

# A process that does not answer for so long is given up: the first one alone may be fetching
# weights, or waiting for a disk. One that dies is known at once.
_PATIENCE = timedelta(minutes=10)


class LostRankError(Exception):
    """Another process of the run is gone; what it was has been said where it ran."""


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run.

    Attributes:
        rank: Number of this process in the whole run.
        size: Processes in the whole run.
        local_rank: Number of this process on its machine; its GPU's too.
        local_size: Processes on this machine.
        restarts: How often torchrun has started the run anew after a process died.
        launched: Whether torchrun started it.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    restarts: int = 0
    launched: bool = False

    @property
    def first(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.rank == 0


def ranks() -> Ranks:
    """What torchrun tells by environment variables; one process where it tells nothing."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Ranks()
    rank, size = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE"))
    return Ranks(
        rank,
        size,
        local_rank=int(os.environ.get("LOCAL_RANK", rank)),
        local_size=int(os.environ.get("LOCAL_WORLD_SIZE", size)),
        restarts=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)),
        launched="TORCHELASTIC_RUN_ID" in os.environ,
    )


@contextmanager
def process_group(device: str = "auto") -> Iterator[Ranks]:
    """Join the other processes of the run, for as long as the context lasts.

    Numbers on the host go over gloo, tensors on GPUs over NCCL. One process alone joins nothing.

    Args:
        device: As `choose_engine` takes it. A GPU by its number becomes this process's own, which
            `cuda` means from here on.

    Raises:
        UserError: This machine has fewer GPUs than processes, or several are to share one; on its
            first process.
        ToldElsewhereError: The same, on its others.
        LostRankError: Another process died or did not answer in ten minutes.
    """
    here = ranks()
    if device.startswith("cuda:"):
        _take(device, here)
    if here.size == 1:
        yield here
        return
    gpu = device.startswith(("auto", "cuda")) and torch.cuda.is_available()
    if gpu:
        _check_gpus(here)
        torch.cuda.set_device(here.local_rank)
    try:
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if gpu else "gloo",
            store=_store_of_this_attempt(here),
            rank=here.rank,
            world_size=here.size,
            timeout=_PATIENCE,
        )
        yield here
    except RuntimeError as error:
        if not _tells_of_a_lost_rank(error):
            raise
        raise LostRankError(
            f"rank {here.rank} of {here.size}: another process of the run is gone; the states on "
            "disk are whole: start the same command again with --resume"
        ) from error
    finally:
        # Gloo's threads must end before the process does, or they abort it. After a fault NCCL
        # would wait for ranks that do not come.
        if distributed.is_initialized() and not (gpu and sys.exc_info()[0]):
            distributed.destroy_process_group()


def _take(device: str, here: Ranks) -> None:
    if here.size > 1:
        raise _told_once(
            here, f"{here.size} processes cannot share {device}: give --device cuda, one GPU each"
        )
    torch.cuda.set_device(choose_engine(device, "float32").device)


def _check_gpus(here: Ranks) -> None:
    """Two processes on one GPU would wait for one another for ever."""
    gpus = torch.cuda.device_count()
    if here.local_size <= gpus:
        return
    raise _told_once(
        here,
        f"{here.local_size} processes on a machine with {gpus} GPUs: give torchrun "
        f"--nproc-per-node {gpus}, or train with --device cpu",
    )


def _told_once(here: Ranks, words: str) -> Exception:
    return ToldElsewhereError(words) if here.local_rank else UserError(words)


def _store_of_this_attempt(here: Ranks) -> Store:
    """Where processes find one another, apart for each start of the run.

    On one machine torchrun keeps one store for all attempts, in which a new attempt would read
    the addresses of the dead one and hang (pytorch#135712). Across machines the counts may
    differ: there TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 has the same effect.
    """
    shared = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    if not shared or os.environ.get("GROUP_WORLD_SIZE") != "1":
        return TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            here.size,
            is_master=here.first and not shared,
            timeout=_PATIENCE,
        )
    store = TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=False,
        timeout=_PATIENCE,
    )
    return PrefixStore(f"attempt-{here.restarts}", store)


def _tells_of_a_lost_rank(error: RuntimeError) -> bool:
    """Gloo's transport raises plain RuntimeErrors, known by their words."""
    words = ("gloo", "Connection closed by peer", "Connection reset by peer", "NCCL")
    return isinstance(error, distributed.DistError) or any(word in str(error) for word in words)

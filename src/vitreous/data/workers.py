"""How many read ahead, and whether they are threads of this process or processes of their own."""

import os
import shutil
from dataclasses import dataclass
from typing import Literal, get_args

from vitreous.errors import UserError

Kind = Literal["auto", "threads", "processes"]

# From so many readers on, the moments in which a thread holds Python's lock add up to more than
# half of the time (benchmarks/loading.md), and the model's own thread waits with them.
_PROCESSES_FROM = 8
# A process takes a second to start, which so many images must repay.
_IMAGES_WORTH_A_PROCESS = 10_000
_SHARED_MEMORY = "/dev/shm"


@dataclass(frozen=True, kw_only=True)
class Workers:
    """How batches are read ahead.

    Attributes:
        kind: `threads` share this process: nothing is started and nothing copied, and decoding
            leaves Python's lock alone. `processes` hand over batches in shared memory: for many
            cores, and for work that holds the lock. `auto`: processes for 8 readers or more of at
            least 10,000 image files that are not cached, or go through an augmentation policy,
            where /dev/shm has room; else threads.
        count: Readers; one per core where None, shared with the run's other processes.
        timeout: Seconds after which a batch that does not come is given up.
        local_size: Processes of the run on this machine that each read so.
        pin: Put batches into page-locked memory, from which a GPU copies on its own.
    """

    kind: Kind = "auto"
    count: int | None = None
    timeout: float = 600.0
    local_size: int = 1
    pin: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UserError(f"workers is {self.kind!r}: choose {', '.join(get_args(Kind))}")
        if self.count is not None and self.count < 1:
            raise UserError(f"readers is {self.count}: give at least 1")

    @property
    def readers(self) -> int:
        """How many there are."""
        return self.count or max(available_cores() // self.local_size, 1)

    def chosen(self, *, images: int, decodes: bool, batch_bytes: int) -> Kind:
        """`threads` or `processes`.

        Args:
            images: How many will be read.
            decodes: Whether they are image files that each process would decode.
            batch_bytes: Of one batch.
        """
        if self.kind != "auto":
            return self.kind
        many = images >= _IMAGES_WORTH_A_PROCESS and self.readers >= _PROCESSES_FROM
        # Each process holds two batches ready, and one is with the model.
        held = self.local_size * (2 * self.readers + 1) * batch_bytes
        return "processes" if decodes and many and _shared_room() > held else "threads"


def available_cores() -> int:
    """Cores that this process may run on, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shared_room() -> int:
    """Bytes free in shared memory; 0 where there is no such place to be looked at."""
    return shutil.disk_usage(_SHARED_MEMORY).free if os.path.isdir(_SHARED_MEMORY) else 0

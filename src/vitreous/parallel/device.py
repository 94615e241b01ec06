"""Which device runs the work, and the precision it is best at, by capability and measurement."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch.compiler import is_compiling
from torch.nn import functional as F

from vitreous.errors import UserError
from vitreous.parallel.host_memory import keep_freed_memory

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Engine:
    """A device and the precision of the products on it.

    Attributes:
        device: Where tensors live.
        precision: `bfloat16` runs matrix products in bfloat16 under autocast, with float32
            weights and sums; `float32` is that in full, without the TF32 of GPUs.
        reason: Why this precision, to be said once.
    """

    device: torch.device
    precision: Precision
    reason: str

    def autocast(self) -> AbstractContextManager[object]:
        """The context to run a forward pass in."""
        if self.precision == "float32":
            return self.exact()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def exact(self) -> AbstractContextManager[object]:
        """The context to run a backward pass in: float32, where it is the precision, in full."""
        # What compiles sees the flags of its callers, and cannot follow their change.
        if self.precision != "float32" or self.device.type != "cuda" or is_compiling():
            return nullcontext()
        return _without_tf32()


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Products and convolutions of GPUs with all bits of float32; TF32 reads 10 of the 23.

    PyTorch lets cuDNN convolve in TF32 unasked. What is off already stays untouched, so that one
    such context may stand in another.
    """
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    # Asked by the newer name, which answers whichever one was set; Inductor reads the older.
    found = ((cudnn, cudnn.conv.fp32_precision), (matmul, matmul.fp32_precision))
    rounding = [place for place, precision in found if precision == "tf32"]
    for place in rounding:
        place.allow_tf32 = False
    try:
        yield
    finally:
        for place in rounding:
            place.allow_tf32 = True


def choose_engine(device: str = "auto", precision: str = "auto") -> Engine:
    """The device and precision to use.

    For a CPU this process keeps the memory that it frees from then on; see `keep_freed_memory`.

    Args:
        device: `auto` (a GPU where there is one), or a name torch knows.
        precision: `auto`, `float32` or `bfloat16`.

    Raises:
        UserError: No such device or precision here.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen).cpu()  # not of meta, which holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"device {device!r} is not to be had here: try device auto") from error
    if chosen.type == "cpu":
        keep_freed_memory()
    match precision:
        case "float32" | "bfloat16":
            return Engine(chosen, precision, "as asked")
        case "auto":
            return Engine(chosen, *_best_precision(chosen.type))
        case _:
            raise UserError(f"precision {precision!r}: choose auto, float32 or bfloat16")


@lru_cache
def _best_precision(device_type: str) -> tuple[Precision, str]:
    if device_type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bfloat16", "this GPU multiplies bfloat16 in its matrix units"
        return "float32", "this GPU has no bfloat16 matrix units"
    if device_type != "cpu":
        return "float32", "not measured on this kind of device"
    ratio = _bfloat16_speed_ratio()
    # Well above noise: a clear gain stays a clear gain when the run is repeated.
    if ratio > 1.4:
        return "bfloat16", f"its products measured {ratio:.1f} x float32 on this CPU"
    return "float32", f"bfloat16 products measured only {ratio:.2g} x float32 on this CPU"


def _bfloat16_speed_ratio() -> float:
    """Time of a float32 product over that of the same one in bfloat16; a few milliseconds.

    A small product goes first: where bfloat16 has no kernel of its own it takes a hundred times as
    long as float32, and the large one whole seconds.
    """
    small = _ratio_of_products(rows=128, width=256, rounds=2)
    return small if small < 0.5 else _ratio_of_products(rows=1024, width=512, rounds=9)


def _ratio_of_products(rows: int, width: int, rounds: int) -> float:
    """The best of a few, by processor time, in turns: other programs hardly change it."""
    operands = {
        dtype: [torch.ones(n, width, dtype=dtype, device="cpu") for n in (rows, width)]
        for dtype in (torch.float32, torch.bfloat16)
    }
    best = dict.fromkeys(operands, float("inf"))
    with torch.autocast("cpu", enabled=False):  # the caller's would make both the same
        for _ in range(rounds):
            for dtype, (x, weight) in operands.items():
                begin = time.process_time()
                F.linear(x, weight)
                best[dtype] = min(best[dtype], time.process_time() - begin)
    return best[torch.float32] / best[torch.bfloat16]

"""Fixed tables, made once for each set of arguments."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")


def keep(most: int) -> Callable[[Callable[Arguments, Tensor]], Callable[Arguments, Tensor]]:
    """As `functools.lru_cache`, but for calls that are traced: those neither keep nor are given.

    A compiler, an exporter and every other mode that looks on makes tensors of its own kind, which
    an ordinary call cannot use.

    Args:
        most: Tables kept.
    """

    def around(make: Callable[Arguments, Tensor]) -> Callable[Arguments, Tensor]:
        kept = lru_cache(maxsize=most)(make)

        @wraps(make)
        def table(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
            if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack():
                return make(*args, **kwargs)
            return kept(*args, **kwargs)  # type: ignore[arg-type]

        return table

    return around

"""Names of a million images without a million Python objects."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import overload

import numpy as np
from jaxtyping import Int64


class PackedNames(Sequence[str]):
    """Strings in one buffer; equal to any sequence of the same strings.

    Worker processes share its few pages, where a list's reference counts would copy every page
    that a worker looks at.

    Args:
        buffer: All names one after the other, UTF-8; bytes of file names that are not UTF-8 are
            kept as Python keeps them (surrogateescape).
        starts: Where each name begins, bytes.
        stops: Where each name ends, bytes.
    """

    def __init__(
        self, buffer: bytes, starts: Int64[np.ndarray, " n"], stops: Int64[np.ndarray, " n"]
    ) -> None:
        self.buffer, self.starts, self.stops = buffer, starts, stops

    @classmethod
    def pack(cls, names: Iterable[str]) -> "PackedNames":
        """Put strings into one buffer."""
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        edges = np.fromiter(accumulate(map(len, encoded), initial=0), np.int64, len(encoded) + 1)
        return cls(b"".join(encoded), edges[:-1], edges[1:])

    @classmethod
    def join(cls, pieces: Sequence["PackedNames"]) -> "PackedNames":
        """All names of several, in order."""
        shifts = accumulate((len(piece.buffer) for piece in pieces), initial=0)
        shifted = [
            (piece.starts + shift, piece.stops + shift)
            for piece, shift in zip(pieces, shifts, strict=False)
        ]
        empty = np.zeros(0, np.int64)
        return cls(
            b"".join(piece.buffer for piece in pieces),
            np.concatenate([empty, *(starts for starts, _ in shifted)]),
            np.concatenate([empty, *(stops for _, stops in shifted)]),
        )

    def take(self, positions: Int64[np.ndarray, " m"]) -> "PackedNames":
        """Some of the names in a given order; the buffer is shared."""
        return PackedNames(self.buffer, self.starts[positions], self.stops[positions])

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return PackedNames(self.buffer, self.starts[index], self.stops[index])
        data = self.buffer[self.starts[index] : self.stops[index]]
        return data.decode("utf-8", "surrogateescape")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"PackedNames({shown}{', ...' if len(self) > 3 else ''})"

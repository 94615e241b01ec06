"""Damage of a PNG file that Pillow passes over: wrong checksums, a stream of rows that ends early.

Source: https://www.w3.org/TR/png-3/ (chunks: 5.3; interlacing: 8.2; filtering: 9.2).
"""

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = 8
_DATA, _END = b"IDAT", b"IEND"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type
# First row and column, and steps of both, of the seven passes of Adam7.
_PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
_BLOCK = 1 << 16
_MAX_CHUNKS = 1_000_000


def check_chunks(data: bytes) -> None:
    """Refuse a PNG whose image data are not as they were written.

    Raises:
        ValueError: A chunk of the image is cut short or has another checksum than it says, or the
            chunks never end.
    """
    seen = False
    for number, (kind, start, length) in enumerate(_chunks(data)):
        if number > _MAX_CHUNKS:
            raise ValueError(f"the file has over {_MAX_CHUNKS:,} chunks")
        if kind != _DATA:
            continue
        seen = True
        stated = data[start + length : start + length + 4]
        if len(stated) < 4:
            raise ValueError("the file ends within its image data")
        body = memoryview(data)[start - 4 : start + length]
        if zlib.crc32(body) != int.from_bytes(stated, "big"):
            raise ValueError("its image data were changed: a checksum is wrong")
    if not seen:
        raise ValueError("it has no image data")


def check_rows(data: bytes) -> None:
    """Refuse a PNG whose stream ends before its last row; unpacks it once, a block at a time.

    Pillow leaves the rows that are missing black.

    Raises:
        ValueError: It ends early.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    needed = _row_bytes(width, height, depth * _SAMPLES.get(colour, 4), bool(interlaced))
    stream, there = zlib.decompressobj(), 0
    for kind, start, length in _chunks(data):
        if kind != _DATA:
            continue
        rest: bytes | memoryview = memoryview(data)[start : start + length]
        while len(rest) and there < needed and not stream.eof:
            there += len(stream.decompress(rest, _BLOCK))
            rest = stream.unconsumed_tail
    while there < needed and not stream.eof and (more := stream.decompress(b"", _BLOCK)):
        there += len(more)
    if there < needed:
        raise ValueError(f"its image data end after {there:,} of {needed:,} bytes")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte and length of each chunk, up to the last one."""
    at = _SIGNATURE
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        yield kind, at + 8, length
        if kind == _END:
            return
        at += length + 12


def _row_bytes(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Bytes of all rows, each with its filter's number before it."""
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for top, left, down, right in passes:
        rows, columns = max(0, -((top - height) // down)), max(0, -((left - width) // right))
        if rows and columns:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total

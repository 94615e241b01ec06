"""Bytes that were something valid, changed in a few places; the same seed gives the same ones."""

import random
import struct

# Numbers at the edges of what headers are read into.
_EDGES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**62, 2**64 - 1]
_FORMS = ["<B", "<H", ">H", "<I", ">I", "<Q", ">Q"]


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Change a few places: flip, overwrite, cut, repeat, insert, or put an edge number there."""
    held = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        if not held:
            return bytes(held)
        # Headers are where decisions are made.
        at = draw.randrange(len(held) if draw.random() < 0.6 else min(len(held), 160))
        size = draw.choice((1, 2, 4, 16, 64))
        how = draw.randrange(8)
        if how == 0:
            held[at] ^= 1 << draw.randrange(8)
        elif how == 1:
            held[at : at + size] = draw.randbytes(len(held[at : at + size]))
        elif how == 2:
            del held[at:]
        elif how == 3:
            del held[at : at + size]
        elif how == 4:
            held[at:at] = held[at : at + size] * draw.choice((1, 1, 4, 1000))
        elif how == 5:
            held[at:at] = draw.choice((b"\0", b"\xff")) * draw.choice((1, 4, 512, 100_000))
        elif how == 6:
            form = draw.choice(_FORMS)
            width = struct.calcsize(form)
            number = struct.pack(form, draw.choice(_EDGES) % (1 << 8 * width))
            held[at : at + width] = number
        else:
            digits = [place for place, byte in enumerate(held[:4096]) if 0x30 <= byte <= 0x39]
            if digits:
                place = draw.choice(digits)
                held[place : place + 1] = draw.choice((b"9" * 20, b"-1", b"0", b"1e999", b"9"))
    return bytes(held)

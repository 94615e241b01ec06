"""How much of the damage of JPEG files is named: cut, 64 random bytes, one changed byte.

python benchmarks/jpeg_damage.py PHOTOS [SEED]
"""

import random
import sys
from pathlib import Path

import numpy as np
import simplejpeg

from vitreous.data.decode import decode
from vitreous.data.jpeg_damage import is_rotten
from vitreous.errors import BadImageError

VISIBLE = 8.0  # mean error, grey levels


def damaged(data: bytes, how: int, draw: random.Random) -> bytes:
    """Cut a file, or change 64 bytes or one."""
    held = bytearray(data)
    if how == 0:
        return data[: draw.randrange(len(data))]
    if how == 1:
        at = draw.randrange(len(held) - 64)
        held[at : at + 64] = draw.randbytes(64)
    else:
        at = draw.randrange(len(held))
        held[at] ^= draw.randrange(1, 256)
    return bytes(held)


def named(data: bytes) -> bool:
    """True where `data check` names a file."""
    try:
        return is_rotten(data, decode(data, "x"))
    except BadImageError:
        return True


def error(data: bytes, whole: bytes) -> float:
    """Mean difference of what a lenient decoder gives; 255 where it gives nothing like it."""
    wanted = simplejpeg.decode_jpeg(whole, "RGB").astype(int)
    try:
        found = simplejpeg.decode_jpeg(data, "RGB", strict=False)
    except ValueError:
        return 255.0
    return float(np.abs(found - wanted).mean()) if found.shape == wanted.shape else 255.0


def main() -> None:
    """Damage 1,000 files, and look at all of them whole."""
    files = sorted(Path(sys.argv[1]).rglob("*.jp*g"))
    draw = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    visible = found = 0
    for number in range(1000):
        whole = draw.choice(files).read_bytes()
        data = damaged(whole, number % 3, draw)
        if error(data, whole) > VISIBLE:
            visible += 1
            found += named(data)
    sound = sum(named(file.read_bytes()) for file in files)
    print(f"{found} of {visible} that differ visibly are named ({found / visible:.1%})")
    print(f"{sound} of {len(files):,} sound ones are")


if __name__ == "__main__":
    main()

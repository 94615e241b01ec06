"""Data sets that claim more than they hold: refused in one line, before the memory is taken."""

import gzip
import io
import json
import struct
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.data.exclude import read_exclusion
from vitreous.data.open import open_dataset
from vitreous.data.sources.cifar import is_cifar_archive, open_cifar
from vitreous.data.sources.tar_listing import list_tar
from vitreous.errors import UserError

MOST_MEMORY, MOST_SECONDS = 100 * 2**20, 10


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """Neither time nor memory, in any of these."""
    tracemalloc.start()
    begin = time.process_time()
    yield
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MOST_MEMORY
    assert time.process_time() - begin < MOST_SECONDS


def image(fill: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (fill, fill, fill)).save(file, "PNG")
    return file.getvalue()


def idx(*shape: int, values: bytes) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values


def zeros(file: io.BufferedIOBase, megabytes: int) -> None:
    for _ in range(megabytes):
        file.write(bytes(2**20))


@pytest.mark.parametrize(
    ("head", "more"),
    [
        (idx(4, 4, 4, values=b""), 300),  # four images, and then without end
        (idx(4, 4, 4, values=bytes(63)), 0),  # one value less
        (idx(2**31, 28, 28, values=b""), 1),  # more than a file of this size can hold
        (idx(2**32 - 1, 2**32 - 1, 2**32 - 1, values=b""), 0),
        (idx(4, 2**16, 2**16, values=b""), 1),
        (idx(5, 4, 4, values=bytes(80)), 0),  # an image more than labels
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_idx_files(tmp_path: Path, head: bytes, more: int, packed: bool) -> None:
    suffix, opened = (".gz", gzip.open) if packed else ("", open)
    with opened(tmp_path / f"train-images-idx3-ubyte{suffix}", "wb") as file:
        file.write(head)
        zeros(file, more)
    labels = idx(4, values=b"\0\1\0\1")
    with opened(tmp_path / f"train-labels-idx1-ubyte{suffix}", "wb") as file:
        file.write(labels)
    with pytest.raises(UserError):
        open_dataset(tmp_path)


def npy(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    text = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


LABELS = npy((6,), "<i8") + np.array([0, 1] * 3, "<i8").tobytes()


@pytest.mark.parametrize(
    ("x", "megabytes", "y"),
    [
        (npy((2**28 // 64, 8, 8)), 256, LABELS),  # six labels
        (npy((6, 8, 8)), 0, LABELS),  # no pixels
        (npy((10**12, 8, 8)), 0, npy((10**12,), "<i8")),
        (npy((6, 2**40, 1)), 0, LABELS),
        (npy((-6, 8, 8)), 0, LABELS),
        (b"\x93NUMPY\1\0\xff\xff", 0, LABELS),
        (b"", 0, LABELS),
    ],
)
def test_npz_files(tmp_path: Path, x: bytes, megabytes: int, y: bytes) -> None:
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("y.npy", y)
        with archive.open("x.npy", "w", force_zip64=True) as file:
            file.write(x)
            zeros(file, megabytes)
    with pytest.raises(UserError):
        open_dataset(path)


def test_an_npz_without_arrays(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "set.npz", "w").close()
    with pytest.raises(UserError, match="holds nothing"):
        open_dataset(tmp_path / "set.npz")


def tar_of_images() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in "ab":
            for number in range(3):
                member = tarfile.TarInfo(f"{name}/{number}.png")
                member.size = len(data := image(number))
                archive.addfile(member, io.BytesIO(data))
    body = out.getvalue().rstrip(b"\0")
    return body + bytes(-len(body) % 512)


def header(size: bytes, kind: bytes = b"0") -> bytes:
    head = bytearray(tarfile.TarInfo("a/n.png").tobuf(tarfile.GNU_FORMAT)[:512])
    head[124:136], head[156:157] = size, kind
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def pax(**fields: str) -> bytes:
    body = b""
    for name, value in fields.items():
        rest = f" {name}={value}\n".encode()
        length = len(rest) + 1
        length = len(str(length + len(str(length)) - 1)) + len(rest)
        body += str(length).encode() + rest
    return header(b"%011o\0" % len(body), b"x") + body + bytes(-len(body) % 512)


def base256(size: int) -> bytes:
    if size < 0:
        return b"\xff" + (256**11 + size).to_bytes(11, "big")
    return b"\x80" + size.to_bytes(11, "big")


BAD_TARS: dict[str, bytes] = {
    "back to itself": header(base256(-512)),
    "back to the beginning": header(base256(-4096)),
    "far back": header(base256(-(2**80))),
    "beyond all": header(base256(2**70)),
    "long name": header(base256(2**62), b"L"),
    "long link": header(base256(2**40), b"K"),
    "pax header": header(base256(40 * 2**30), b"x"),
    "global header": header(base256(40 * 2**30), b"g"),
    "pax size below zero": pax(size="-512") + header(b"%011o\0" % 512),
    "pax size beyond all": pax(size="9" * 30) + header(b"%011o\0" % 512),
}


@pytest.mark.parametrize("name", BAD_TARS)
def test_tar_headers(tmp_path: Path, name: str) -> None:
    path = tmp_path / "set.tar"
    path.write_bytes(tar_of_images() + BAD_TARS[name] + b"x" * 512 + bytes(1024))
    listing = list_tar(path)
    assert listing.damage
    assert len(listing.names) <= 7
    with pytest.raises(UserError, match="not a whole tar archive"):
        open_dataset(path)


@pytest.mark.parametrize("name", BAD_TARS)
def test_compressed_tar_headers(tmp_path: Path, name: str) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    first = tarfile.TarInfo("cifar-10-batches-py/batches.meta").tobuf()
    path.write_bytes(gzip.compress(first + BAD_TARS[name] + bytes(2048)))
    if is_cifar_archive(path):
        with pytest.raises(UserError, match=r"whole archive|missing"):
            open_cifar(path, "x")


def test_a_download_that_unpacks_without_end(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(tarfile.TarInfo("cifar-10-batches-py/readme").tobuf())
        large = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        large.size = 2**29
        file.write(large.tobuf())
        zeros(file, 300)
    with pytest.raises(UserError, match="no download is so large"):
        open_cifar(path, "x")


def stream(table: object) -> bytearray:
    pa = pytest.importorskip("pyarrow")
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return bytearray(out.getvalue())


def arrow_folder(folder: Path, data: bytes) -> Path:
    (folder / "x.arrow").write_bytes(data)
    listed = {"_data_files": [{"filename": "x.arrow"}], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(listed))
    return folder


OFFSETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "outside": lambda o: np.array([o[0], 2**31 - 99, *o[2:]], "<i4"),
    "below zero": lambda o: np.array([-(2**30), *o[1:]], "<i4"),
    "falling": lambda o: np.array([*o[:2], 0, *o[3:]], "<i4"),
    "last one": lambda o: np.array([*o[:-1], o[-1] * 1000], "<i4"),
}


@pytest.mark.parametrize("how", OFFSETS)
@pytest.mark.parametrize("column", ["image", "label"])
def test_arrow_offsets(tmp_path: Path, how: str, column: str) -> None:
    """Unseen, each of these would end the process when a row is read."""
    pa = pytest.importorskip("pyarrow")
    cells = {"image": [image(n) for n in range(6)], "label": ["cat", "dogs"] * 3}
    data = stream(pa.table(cells))
    lengths = [len(cell) for cell in cells[column]]
    offsets = np.cumsum([0, *lengths]).astype("<i4")
    at = bytes(data).index(offsets.tobytes())
    data[at : at + offsets.nbytes] = OFFSETS[how](offsets).tobytes()
    with pytest.raises(UserError, match="no whole Arrow file"):
        open_dataset(arrow_folder(tmp_path, bytes(data)))


@pytest.mark.parametrize(
    "text",
    ["[]", '{"_data_files": 3}', '{"_data_files": [3]}', '{"_data_files": [{}]}', "[" * 99_999],
)
def test_arrow_listings(tmp_path: Path, text: str) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(UserError):
        open_dataset(tmp_path)


def test_parquet_footers(tmp_path: Path) -> None:
    """A billion rows of one value are a few bytes, and no images."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "set.parquet"
    run = pa.array(np.zeros(3_000_000, np.int64))
    nothing = pa.nulls(3_000_000, pa.binary())
    pq.write_table(pa.table({"image": nothing, "label": run}), path)
    with pytest.raises(UserError, match="claims 3,000,000 rows"):
        open_dataset(path)


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_lists_that_never_end(tmp_path: Path, name: str) -> None:
    import os

    if name == "pipe":
        os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="not a regular file"):
        read_exclusion(str(tmp_path / name))

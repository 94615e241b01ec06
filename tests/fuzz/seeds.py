"""Small valid inputs of every kind, made in place, and what reads each."""

import gzip
import io
import json
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from vitreous.errors import BadImageError, UserError

Check = Callable[[Path], None]


def picture(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """A file of one kind, 24 x 20 pixels."""
    levels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).convert(mode).save(file, kind, **options)
    return file.getvalue()


def pictures() -> Iterator[tuple[str, bytes]]:
    """Ending and bytes of every format that is decoded."""
    yield "jpg", picture("JPEG")
    yield "progressive.jpg", picture("JPEG", progressive=True)
    yield "grey.jpg", picture("JPEG", "L")
    yield "cmyk.jpg", picture("JPEG", "CMYK")
    yield "restarts.jpg", picture("JPEG", restart_marker_blocks=1)
    for mode in ("RGB", "L", "P", "RGBA", "1"):
        yield f"{mode}.png", picture("PNG", mode)
    yield "gif", picture("GIF", "P")
    yield "bmp", picture("BMP")
    yield "ppm", picture("PPM")
    yield "text.ppm", b"P3 4 2 255 " + b"1 2 3 " * 8
    yield "webp", picture("WEBP")
    yield "lossless.webp", picture("WEBP", lossless=True)
    yield "avif", picture("AVIF")
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits"):
        yield f"{compression}.tif", picture("TIFF", compression=compression)


def samples() -> Iterator[tuple[str, bytes, str]]:
    """Name in an archive, bytes and class of six images."""
    for number in range(6):
        name = "cat" if number % 2 else "dog"
        yield f"{name}/{number}.png", picture("PNG"), name


def tar() -> bytes:
    """A tree of classes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data, _ in samples():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def npz(compressed: bool, **arrays: np.ndarray) -> bytes:
    """An archive of arrays."""
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)
    return out.getvalue()


PIXELS = {"x": np.zeros((6, 5, 4, 3), np.uint8), "y": np.arange(6) % 2}


def table(kind: str) -> bytes:
    """Six image files and their labels, in a Parquet or Arrow file."""
    import pyarrow as pa
    from pyarrow import parquet

    _, images, names = zip(*samples(), strict=True)
    content, out = pa.table({"image": list(images), "label": list(names)}), io.BytesIO()
    if kind == "parquet":
        parquet.write_table(content, out, row_group_size=2)
    else:
        with pa.ipc.new_stream(out, content.schema) as writer:
            writer.write_table(content)
    return out.getvalue()


def weights() -> Iterator[tuple[str, bytes]]:
    """A small model in every container."""
    import tempfile

    import torch

    import vitreous
    from vitreous.weights.convert import convert

    config = vitreous.ViTConfig(
        image_size=16, patch=8, width=8, depth=1, heads=2, mlp_width=8, num_classes=2
    )
    torch.manual_seed(0)
    model = vitreous.create_model(config)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vitreous.save(model, folder / "a.safetensors")
        yield "safetensors", (folder / "a.safetensors").read_bytes()
        convert(model, folder / "b.npz", "google")
        yield "npz", (folder / "b.npz").read_bytes()
        for zipped in (True, False):
            file = folder / f"{zipped}.pth"
            torch.save(model.state_dict(), file, _use_new_zipfile_serialization=zipped)
            yield f"{'zipped' if zipped else 'old'}.pth", file.read_bytes()


def inputs() -> dict[str, tuple[bytes, str, Check]]:
    """By name: bytes, the file's name, and what reads it."""
    found: dict[str, tuple[bytes, str, Check]] = {}
    for ending, data in pictures():
        found[f"image {ending}"] = data, f"a.{ending}", read_image
    labels = "path,label\n" + "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(6))
    lines = "".join(json.dumps({"path": f"{n}.png", "label": "ab"[n % 2]}) + "\n" for n in range(6))
    jpeg = picture("JPEG")
    files = {"jpeg": np.frombuffer(jpeg * 6, np.uint8), "offsets": np.arange(7) * len(jpeg)}
    idx = struct.pack(">HBB3I", 0, 8, 3, 6, 4, 5) + bytes(120)
    sets = {
        "set.tar": tar(),
        "set.csv": labels.encode(),
        "set.jsonl": lines.encode(),
        "stored.npz": npz(False, **PIXELS),
        "packed.npz": npz(True, **PIXELS),
        "files.npz": npz(False, **files, y=np.arange(6) % 2),
        "train-images-idx3-ubyte.gz": gzip.compress(idx),
        "train-images-idx3-ubyte": idx,
        "set.parquet": table("parquet"),
        "set.arrow": table("arrow"),
    }
    for name, data in sets.items():
        found[f"data {name}"] = data, name, read_data
    for ending, data in weights():
        found[f"weights {ending}"] = data, f"w.{ending}", read_weights
    return found


def check_line(error: Exception) -> None:
    """Errors of this package are one line each."""
    if "\n" in str(error):
        raise AssertionError(f"several lines: {error!r}")


def read_image(path: Path) -> None:
    """Decode a file in all ways."""
    from vitreous.data.decode import decode, image_size
    from vitreous.data.examine import examine
    from vitreous.data.jpeg_damage import is_rotten
    from vitreous.data.region import decode_region

    data = path.read_bytes()
    examine(data, "x")
    is_rotten(data, np.zeros((1, 1, 3), np.uint8))
    ways: tuple[Callable[[], object], ...] = (
        lambda: decode(data, "x"),
        lambda: decode(data, "x", 1, 8),
        lambda: decode_region(data, "x", 3, lambda h, w: (0, 0, h, w), (4, 4)),
        lambda: image_size(data, "x"),
    )
    for way in ways:
        try:
            way()
        except BadImageError as error:
            check_line(error)


def read_data(path: Path) -> None:
    """Open a data set and read its first images."""
    from vitreous.data.open import open_dataset

    if path.name.startswith("train-images"):
        name = path.name.replace("images-idx3", "labels-idx1")
        held = struct.pack(">HBBI", 0, 8, 1, 6) + b"\0\1" * 3
        (path.parent / name).write_bytes(gzip.compress(held) if name.endswith(".gz") else held)
    place = path
    if path.suffix == ".arrow":
        listed = {"_data_files": [{"filename": path.name}], "_split": "train"}
        (path.parent / "state.json").write_text(json.dumps(listed))
        place = path.parent
    try:
        dataset = open_dataset(place)
    except UserError as error:
        check_line(error)
        return
    for part in dataset.parts.values():
        for index in range(min(len(part.labels), 6)):
            try:
                part.read(index)
            except BadImageError as error:
                check_line(error)


def read_weights(path: Path) -> None:
    """Load a checkpoint; what loads must answer."""
    import torch

    import vitreous

    try:
        model = vitreous.load(path)
    except UserError as error:
        check_line(error)
        return
    with torch.no_grad(), warnings.catch_warnings():
        model(torch.zeros(1, model.config.channels, *model.config.image_size))


def zip_names(data: bytes) -> list[str]:
    """Members of an archive, for a look at a finding."""
    return zipfile.ZipFile(io.BytesIO(data)).namelist()

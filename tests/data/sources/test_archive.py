import gzip
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from vitreous.data.sources.archive import open_archive
from vitreous.data.sources.folder import open_folder
from vitreous.errors import BadImageError, UserError

NAMES = ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "LICENSE.txt"]


def pack(path: Path, root: Path, prefix: str = "", mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for file in sorted(root.rglob("*")):
            archive.add(file, prefix + file.relative_to(root).as_posix(), recursive=False)
    return path


def add(archive: tarfile.TarFile, name: str, data: bytes, **fields) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("prefix", ["", "./", "set/"])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_same_as_the_folder(plant, tmp_path, prefix, form, monkeypatch):
    root = plant(NAMES)
    monkeypatch.setattr(tarfile.TarFile, "format", form)
    packed = open_archive(pack(tmp_path / "a.tar", root, prefix), "a.tar")
    loose = open_folder(root, "root")
    assert packed.class_names == loose.class_names
    assert packed.notes == loose.notes
    wrapper = prefix.removeprefix("./")
    for part in ("train", "test"):
        a, b = packed.parts[part], loose.parts[part]
        assert a.names == [wrapper + name for name in b.names]
        np.testing.assert_array_equal(a.labels, b.labels)
        for index in range(len(b.names)):
            np.testing.assert_array_equal(a.read(index), b.read(index))


def test_long_and_foreign_names(plant, tmp_path):
    names = [f"{'long' * 40}/{'name' * 20}.png", "größe/ü 1.png"]
    dataset = open_archive(pack(tmp_path / "a.tar", plant(names)), "a.tar")
    assert sorted(dataset.parts["train"].names) == sorted(names)


def test_nothing_unsafe_is_listed(plant, tmp_path):
    data = (plant(["cat/1.png", "dog/2.png"]) / "cat/1.png").read_bytes()
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("cat/1.png", "dog/2.png", "/cat/3.png", "../cat/4.png", "cat/../../5.png"):
            add(archive, name, data)
        add(archive, "cat/6.png", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(archive, "cat/7.png", b"", type=tarfile.LNKTYPE, linkname="cat/1.png")
        add(archive, "cat/8.png", b"", type=tarfile.CHRTYPE)
        add(archive, "cat/9.png", b"", type=tarfile.FIFOTYPE)
    dataset = open_archive(path, "a.tar")
    assert dataset.parts["train"].names == ["cat/1.png", "dog/2.png"]
    assert dataset.notes["unsafe members"].startswith("ignored 7 ")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.tar", "root"]


def test_last_member_of_a_name_counts(plant, tmp_path):
    root = plant(["a/1.png", "b/2.png", "b/3.png"])
    path = pack(tmp_path / "a.tar", root)
    with tarfile.open(path, "a") as archive:
        archive.add(root / "b/3.png", "a/1.png")
    part = open_archive(path, "a.tar").parts["train"]
    assert part.names == ["a/1.png", "b/2.png", "b/3.png"]
    assert (part.read(0) == 2).all()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_threads_forks_and_pickles_read_the_same(plant, tmp_path, send):
    root = plant([f"{'ab'[i % 2]}/{i:02d}.png" for i in range(40)])
    part = open_archive(pack(tmp_path / "a.tar", root), "a.tar").parts["train"]
    expected = [part.read(i).tobytes() for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        order = list(range(40)) * 10
        for index, pixels in zip(order, pool.map(part.read, order), strict=True):
            assert pixels.tobytes() == expected[index]
    copy, _ = send(part)
    del part
    assert [copy.read(i).tobytes() for i in range(40)] == expected
    child = os.fork()
    if child == 0:
        same = all(copy.read(i).tobytes() == expected[i] for i in reversed(range(40)))
        os._exit(0 if same else 1)
    assert [copy.read(i).tobytes() for i in range(40)] == expected
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("name", ["a.tar", "it's a set.tar.gz"])
def test_compressed_archives_name_the_fix(plant, tmp_path, mode, name):
    path = pack(tmp_path / name, plant(NAMES), mode=mode)
    with pytest.raises(
        UserError, match=r"unpack it once with `(gunzip|bunzip2|unxz) .*`"
    ) as caught:
        open_archive(path, "DATA")
    assert "\n" not in str(caught.value)


def test_damage_is_found_and_not_taken_for_the_end(plant, tmp_path):
    path = pack(tmp_path / "a.tar", plant(NAMES))
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1]
    for broken in (
        b"",
        b"no archive" * 100,
        whole[: last.offset_data + 10],  # inside the last file
        whole[: last.offset + 100],  # inside its header
        whole[: last.offset + 148] + b"x" * 8 + whole[last.offset + 156 :],  # its checksum
    ):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"DATA: not a whole tar archive \("):
            open_archive(path, "DATA")


def test_file_cut_after_opening_is_a_bad_image(plant, tmp_path):
    path = pack(tmp_path / "a.tar", plant(NAMES))
    part = open_archive(path, "a.tar").parts["train"]
    os.truncate(path, 600)
    with pytest.raises(BadImageError):
        part.read(1)


def test_flower_photos(shared_data):
    path = shared_data / "flower_photos_240.tar"
    dataset = open_archive(path, str(path))
    assert dataset.class_names == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert list(dataset.parts) == ["train"]
    train = dataset.parts["train"]
    assert np.bincount(train.labels).tolist() == [633, 898, 641, 699, 799]
    assert dataset.channels == 3
    assert dataset.notes == {"other files": "ignored 1 .txt"}
    assert len(set(train.names)) == 3670
    with tarfile.open(path) as archive:
        for index in (0, 1000, 3669):
            data = archive.extractfile(train.names[index]).read()
            offset, size = train.store.offsets[index], train.store.sizes[index]
            assert path.read_bytes()[offset : offset + size] == data
            assert min(train.read(index).shape[:2]) <= 240


def test_gzip_of_something_else_is_no_archive(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress(b"hello"))
    with pytest.raises(UserError, match="compressed"):
        open_archive(path, "a.tar")

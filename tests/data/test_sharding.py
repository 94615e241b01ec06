import json
import os
import signal
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.data import sharding
from vitreous.data.indexing import index_shards
from vitreous.data.open import open_dataset
from vitreous.data.packing import Packing, pack_image
from vitreous.data.sharding import verify_shards, write_shards
from vitreous.data.sources.shard_index import read_set_index, read_shard_index
from vitreous.errors import BadImageError, UserError

RNG = np.random.default_rng(0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """24 photos of two classes to train, 6 to test; one cannot be read."""
    for number in range(30):
        part, name = ("train", "test")[number >= 24], ("cat", "dog")[number % 2]
        path = tmp_path / "photos" / part / name / f"{number:02d}.{('jpg', 'png')[number % 3 == 0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = RNG.integers(0, 256, (3, 4, 3), np.uint8)
        Image.fromarray(noise).resize((40, 30 + number), Image.Resampling.BICUBIC).save(path)
    (tmp_path / "photos/train/dog/07.jpg").write_bytes(b"\xff\xd8\xff junk")
    return tmp_path / "photos"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_shards_hold_the_same_images(photos, tmp_path):
    source = open_dataset(photos)
    index = write_shards(source, tmp_path / "out", size=12_000)
    assert index.complete
    assert len(index.shards["train"]) > 2
    assert index.totals["train"]["images"] == 23
    assert index.totals["train"]["left_out"] == 1
    shards = open_dataset(tmp_path / "out")
    assert shards.class_names == source.class_names
    assert shards.notes == {"left out": "1 images that could not be read when the shards were made"}
    for name, part in source.parts.items():
        place = {own: index for index, own in enumerate(part.names)}
        copied = shards.parts[name]
        expected = set(part.names) - {"train/dog/07.jpg"}
        assert set(copied.names) == expected
        for index_, own in enumerate(copied.names):
            assert copied.labels[index_] == part.labels[place[own]]
            assert copied.file(index_) == part.file(place[own])
    assert verify_shards(tmp_path / "out") == []
    left_out = [
        line
        for path in sorted((tmp_path / "out").glob("*.tar"))
        for line in read_shard_index(path).left_out
    ]
    assert [line.partition(":")[0] for line in left_out] == ["train/dog/07.jpg"]


def test_the_tars_are_webdataset(photos, tmp_path):
    index = write_shards(open_dataset(photos), tmp_path / "out", size=12_000)
    indexed = open_dataset(tmp_path / "out")
    for path in (tmp_path / "out").glob("*.index"):
        path.unlink()
    (tmp_path / "out/index.json").unlink()
    scanned = open_dataset(tmp_path / "out")
    for name in index.shards:
        a, b = indexed.parts[name], scanned.parts[name]
        np.testing.assert_array_equal(a.labels, b.labels)
        assert [a.file(i) for i in range(len(a.names))] == [b.file(i) for i in range(len(a.names))]
    made, _ = index_shards(str(tmp_path / "out"))
    again = open_dataset(tmp_path / "out")
    assert made.totals["train"]["images"] == 23
    for name, part in scanned.parts.items():
        assert again.parts[name].names == part.names
        np.testing.assert_array_equal(again.parts[name].labels, part.labels)
    assert verify_shards(tmp_path / "out") == []
    with pytest.raises(UserError, match="has an index of"):
        index_shards(str(tmp_path / "out"))


def test_same_bytes_with_any_workers_and_after_any_stop(photos, tmp_path):
    source = open_dataset(photos)
    write_shards(source, tmp_path / "one", size=12_000)
    expected = contents(tmp_path / "one")
    write_shards(source, tmp_path / "two", size=12_000, workers=2)
    assert contents(tmp_path / "two") == expected

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done > 8:
            raise Stop

    with pytest.raises(Stop):
        write_shards(source, tmp_path / "three", size=12_000, on_shard=stop)
    assert not read_set_index(tmp_path / "three").complete
    with pytest.raises(UserError, match="not all written: give the same"):
        open_dataset(tmp_path / "three")
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "three").glob("*.tar")}
    assert 0 < len(written) < len(list((tmp_path / "one").glob("*.tar")))
    os.truncate(min(written), 100)  # a shard that lost its end is written again
    seen = []
    write_shards(source, tmp_path / "three", size=12_000, on_shard=lambda *s: seen.append(s))
    assert contents(tmp_path / "three") == expected
    assert 0 < seen[0][0] < seen[-1][0] == seen[-1][1] == 30
    kept = [path for path, time in written.items() if path.stat().st_mtime_ns == time]
    assert len(kept) == len(written) - 1


def test_resized_to_the_shorter_side(photos, tmp_path):
    write_shards(open_dataset(photos), tmp_path / "out", packing=Packing(max_side=32))
    source, small = open_dataset(photos), open_dataset(tmp_path / "out")
    place = {name: index for index, name in enumerate(source.parts["train"].names)}
    resized = 0
    for index, name in enumerate(small.parts["train"].names):
        whole, pixels = source.parts["train"].read(place[name]), small.parts["train"].read(index)
        if min(whole.shape[:2]) <= 32:
            np.testing.assert_array_equal(pixels, whole)
            continue
        resized += 1
        assert min(pixels.shape[:2]) == 32
        H, W = pixels.shape[:2]
        expected = np.asarray(Image.fromarray(whole).resize((W, H), Image.Resampling.BICUBIC))
        assert np.abs(pixels.astype(float) - expected).mean() < 3
    assert resized > 15


def test_pixels_that_never_were_a_file(tmp_path):
    source = open_dataset("digits")
    write_shards(source, tmp_path / "out")
    copy = open_dataset(tmp_path / "out")
    assert copy.channels == 1
    assert copy.image_size == (8, 8)
    part, own = copy.parts["test"], source.parts["test"]
    assert part.names == own.names
    np.testing.assert_array_equal(part.read(7), own.read(7))


def test_a_very_long_strip_stays_as_it_is(tmp_path):
    for name, size in (("a/1.png", (4000, 2)), ("b/2.png", (2, 2))):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", size).save(tmp_path / name)
    part = open_dataset(tmp_path).parts["train"]
    data, suffix = pack_image(part, 0, Packing(max_side=1))
    assert suffix == "jpg"
    (tmp_path / "a/1.png").write_bytes(b"")
    with pytest.raises(BadImageError):
        pack_image(part, 0, Packing())


def test_several_labels_survive(tmp_path):
    (tmp_path / "set").mkdir()
    with tarfile.open(tmp_path / "set/a.tar", "w") as archive:
        for number, labels in enumerate((["b", "a"], ["b"], [])):
            image = tmp_path / f"{number}.png"
            Image.new("L", (3, 3), number).save(image)
            text = tmp_path / f"{number}.json"
            text.write_text(json.dumps({"labels": labels}))
            archive.add(image, image.name)
            archive.add(text, text.name)
    source = open_dataset(tmp_path / "set")
    write_shards(source, tmp_path / "out")
    copy = open_dataset(tmp_path / "out")
    assert copy.multi_label
    assert copy.class_names == ("a", "b")
    rows = dict(zip(copy.parts["train"].names, copy.parts["train"].labels.tolist(), strict=True))
    assert rows == {"a/0.png": [1, 1], "a/1.png": [0, 1], "a/2.png": [0, 0]}
    for path in (tmp_path / "out").glob("*.index"):
        path.unlink()
    (tmp_path / "out/index.json").unlink()
    assert open_dataset(tmp_path / "out").multi_label


@pytest.fixture
def shards(photos, tmp_path) -> Path:
    write_shards(open_dataset(photos), tmp_path / "out", size=12_000)
    return tmp_path / "out"


def test_images_of_a_damaged_shard_are_bad_images(shards):
    whole = len(open_dataset(shards).parts["train"].names)
    first, second = sorted(shards.glob("train-*.tar"))[:2]
    os.truncate(first, 3000)
    second.unlink()
    dataset = open_dataset(shards)
    part = dataset.parts["train"]
    assert len(part.names) == whole
    words = dataset.notes["damaged shards"]
    assert f"{first.name}: 3,000 bytes instead of" in words
    assert f"{second.name}: No such file or directory" in words
    bad = 0
    for index in range(whole):
        try:
            part.read(index)
        except BadImageError as error:
            bad += first.name in error.reason or second.name in error.reason
    lost = len(read_shard_index(first).names) + len(read_shard_index(second).names)
    assert lost - 2 <= bad <= lost
    assert len(verify_shards(shards)) == 2


def test_one_flipped_byte_is_found(shards):
    path = min(shards.glob("*.tar"))
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    (fault,) = verify_shards(shards)
    assert "its SHA-256 is not the one in its index" in fault


def test_an_index_of_something_else(shards):
    index = json.loads((shards / "index.json").read_text())
    first = min(shards.glob("*.index"))
    whole = first.read_bytes()
    for broken in (whole[:200], b"", b"junk"):
        first.write_bytes(broken)
        with pytest.raises(UserError, match=rf"{first.name}: cannot be read"):
            open_dataset(shards)
    first.write_bytes(whole)
    for key, value, message in (
        ("class_names", ["cat"], "label 1 and index.json names 1 classes"),
        ("shards", {"train": ["../x.tar"]}, r"'\.\./x\.tar' is no tar beside it"),
        ("shards", {"extra": ["x.tar"]}, "parts extra"),
        ("format", "vitreous shards 9", "'vitreous shards 9', not"),
        ("surplus", 1, "cannot be read"),
    ):
        (shards / "index.json").write_text(json.dumps({**index, key: value}))
        with pytest.raises(UserError, match=message):
            open_dataset(shards)


def test_folders_that_are_taken(photos, shards, tmp_path):
    source = open_dataset(photos)
    with pytest.raises(UserError, match="other data or with other options"):
        write_shards(source, shards, size=13_000)
    with pytest.raises(UserError, match="holds other files: give a new folder"):
        write_shards(source, photos)
    with pytest.raises(UserError, match="is a file"):
        write_shards(source, next(photos.rglob("*.png")))
    with pytest.raises(UserError, match="holds no index.json"):
        verify_shards(photos)
    for name in source.parts["test"].names:
        (photos / name).write_bytes(b"")
    with pytest.raises(UserError, match="none of the images looked at can be read"):
        write_shards(source, tmp_path / "new")


@pytest.mark.parametrize(("side", "quality"), [(0, 92), (-1, 92), (None, 0), (None, 101)])
def test_options_out_of_range(side, quality):
    with pytest.raises(UserError, match=r"give (at least 1 pixel|1 to 100)"):
        Packing(side, quality)


@pytest.mark.parametrize("name", ["index.json", "train-000000.index"])
def test_an_index_of_another_program_is_never_written_over(photos, tmp_path, name):
    write_shards(open_dataset(photos), tmp_path / "out")
    for path in [*(tmp_path / "out").glob("*.index"), tmp_path / "out/index.json"]:
        path.unlink()
    (tmp_path / "out" / name).write_text('{"shards": "of another program"}')
    before = contents(tmp_path / "out")
    with pytest.raises(UserError, match=f"{name} is .*of another program: move it elsewhere"):
        index_shards(str(tmp_path / "out"))
    assert contents(tmp_path / "out") == before


def test_a_process_that_is_killed_is_one_line(photos, tmp_path, monkeypatch):
    work = sharding._Work(open_dataset(photos), tmp_path / "out", Packing())
    monkeypatch.setattr(sharding, "_write", signal.raise_signal)
    with pytest.raises(UserError, match=r"killed while it wrote a shard.*fewer --workers"):
        list(sharding._run([signal.SIGKILL, signal.SIGKILL], work, 2))


def test_ctrl_c_is_for_the_first_process_alone(photos, tmp_path, monkeypatch):
    work = sharding._Work(open_dataset(photos), tmp_path / "out", Packing())
    heeded = []
    monkeypatch.setattr(signal, "signal", lambda *pair: heeded.append(pair))
    sharding._receive(work)
    assert heeded == [(signal.SIGINT, signal.SIG_IGN)]

import io
import json
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from vitreous.data.open import open_dataset
from vitreous.errors import BadImageError, UserError


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (level, level, level)).save(file, "PNG")
    return file.getvalue()


def pack(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def samples(first: int, count: int, label: str = "cls", text: str | None = None):
    for number in range(first, first + count):
        yield f"{number:04d}.png", png(number)
        yield f"{number:04d}.{label}", (text or str(number % 2)).encode()


@pytest.fixture
def folder(tmp_path):
    """Three shards of ten images; image n is grey n, of class n % 2."""
    for shard in range(3):
        pack(tmp_path / "set" / f"a-{shard:02d}.tar", samples(10 * shard, 10))
    return tmp_path / "set"


@pytest.mark.parametrize("form", ["set", "set/a-{00..02}.tar", "set/a-{00,01,02}.tar"])
def test_a_folder_or_a_pattern(folder, form):
    dataset = open_dataset(str(folder.parent / form))
    part = dataset.parts["train"]
    assert dataset.class_names == ("0", "1")
    assert part.names[11] == "a-01/0011.png"
    assert part.labels.tolist() == [0, 1] * 15
    assert [int(part.read(i)[0, 0, 0]) for i in range(30)] == list(range(30))
    assert dataset.notes == {}


def test_one_tar_of_samples_is_a_shard(folder):
    assert len(open_dataset(folder / "a-01.tar").parts["train"].names) == 10


def test_tars_beside_class_folders_are_other_files(folder):
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        (folder / name / "1.png").write_bytes(png(0))
    assert open_dataset(folder).class_names == ("cat", "dog")


def test_parts_by_words_of_the_name(tmp_path):
    for name in ("x-train-0.tar", "x-train-1.tar", "x-validation-0.tar", "x_test.tar"):
        pack(tmp_path / "set" / name, samples(0, 4))
    counts = {name: len(part.names) for name, part in open_dataset(tmp_path / "set").parts.items()}
    assert counts == {"train": 8, "validation": 4, "test": 4}


@pytest.mark.parametrize(
    ("ending", "texts", "names"),
    [
        ("cls", ["2", "0"], ("0", "1", "2")),
        ("cls", ["cat", "dog\n"], ("cat", "dog")),
        ("txt", ["cat", "dog"], ("cat", "dog")),
        ("json", ['{"label": "cat"}', '{"class": "dog"}'], ("cat", "dog")),
        ("json", ["1", '{"label": 0}'], ("0", "1")),
    ],
)
def test_labels_of_every_form(tmp_path, ending, texts, names):
    members = []
    for number, text in enumerate(texts):
        members += [(f"{number}.png", png(number)), (f"{number}.{ending}", text.encode())]
    pack(tmp_path / "set" / "a.tar", members)
    dataset = open_dataset(tmp_path / "set")
    assert dataset.class_names == names
    words = [dataset.class_names[label] for label in dataset.parts["train"].labels]
    assert all(word in text for word, text in zip(words, texts, strict=True))


def test_several_labels(tmp_path):
    members = []
    for number, labels in enumerate((["cat", "dog"], [], ["emu"])):
        members.append((f"{number}.png", png(number)))
        members.append((f"{number}.json", json.dumps({"labels": labels}).encode()))
    pack(tmp_path / "set" / "a.tar", members)
    dataset = open_dataset(tmp_path / "set")
    assert dataset.multi_label
    assert dataset.class_names == ("cat", "dog", "emu")
    assert dataset.parts["train"].labels.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_nothing_is_unpickled_and_all_else_is_counted(tmp_path):
    ran = tmp_path / "ran"
    trap = f"cos\nmkdir\n(S'{ran}'\ntR.".encode()
    members = []
    for number in range(4):
        members += [(f"{number}.png", png(number)), (f"{number}.cls", str(number % 2).encode())]
        members += [(f"{number}.pkl", trap), (f"{number}.pyd", trap), (f"{number}.second.png", b"")]
    members += [("4.png", png(4)), ("5.cls", b"1"), ("../6.png", png(6)), ("../6.cls", b"0")]
    pack(tmp_path / "set" / "a.tar", members)
    dataset = open_dataset(tmp_path / "set")
    assert len(dataset.parts["train"].names) == 4
    words = dataset.notes["other members"]
    for what in ("4 members that end in .pkl", "4 members that end in .pyd"):
        assert what in words
    assert "2 links, devices or names that climb out" in words
    dataset.parts["train"].read(0)
    assert not ran.exists()


def test_keys_keep_folders_and_end_at_the_first_dot(tmp_path):
    members = [("v1.0/a.b.png", png(1)), ("v1.0/a.cls", b"1"), ("v1.0/b.png", png(2))]
    members += [("v1.0/b.cls", b"0")]
    pack(tmp_path / "set" / "a.tar", members)
    part = open_dataset(tmp_path / "set").parts["train"]
    assert part.names == ["a/v1.0/a.b.png", "a/v1.0/b.png"]
    assert part.labels.tolist() == [1, 0]


def test_a_shard_that_ends_early_gives_what_it_has(folder):
    path = folder / "a-01.tar"
    os.truncate(path, 5 * 2048 + 100)
    dataset = open_dataset(folder)
    assert len(dataset.parts["train"].names) == 25
    assert dataset.notes["damaged shards"].startswith("a-01.tar: ")
    assert "5 images before that are used" in dataset.notes["damaged shards"]


def test_an_unreadable_shard_in_the_middle(folder):
    (folder / "a-01.tar").write_bytes(b"junk" * 1000)
    dataset = open_dataset(folder)
    assert len(dataset.parts["train"].names) == 20
    assert "0 images before that are used" in dataset.notes["damaged shards"]


def test_a_shard_that_goes_away_makes_bad_images(folder, send):
    part, _ = send(open_dataset(folder).parts["train"])
    (folder / "a-01.tar").unlink()
    with pytest.raises(BadImageError, match=r"a-01/0010\.png: a-01\.tar: No such file"):
        part.read(10)
    assert part.read(20)[0, 0, 0] == 20


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "no images with labels in 1 shards .*the tars are empty"),
        ([("1.png", b"x")], "1 images without a label"),
        ([("1.cls", b"1")], "1 samples without an image"),
        ([("1.png", b"x"), ("1.json", b"{")], "1 images without a label"),
        ([("1.png", b"x"), ("1.txt", b"a cat\non a mat")], "1 images without a label"),
        ([("1.png", b"x"), ("1.json", b"[" * 50_000)], "1 images without a label"),
    ],
)
def test_shards_without_samples(tmp_path, members, message):
    pack(tmp_path / "set" / "a.tar", members)
    with pytest.raises(UserError, match=message) as caught:
        open_dataset(tmp_path / "set")
    assert "\n" not in str(caught.value)


def test_a_class_that_training_never_saw(tmp_path):
    pack(tmp_path / "set" / "train-0.tar", samples(0, 4))
    pack(tmp_path / "set" / "test-0.tar", samples(0, 1, text="2"))
    with pytest.raises(UserError, match="the test part has images of class '2', which the train"):
        open_dataset(tmp_path / "set")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://host/a-{000..127}.tar", "fetch its files once"),
        ("pipe:cat a.tar", "fetch its files once"),
        ("none/a-{0..3}.tar", r"none/a-0\.tar is missing \(4 of 4 are\)"),
    ],
)
def test_addresses_that_are_refused(address, message):
    with pytest.raises(UserError, match=message):
        open_dataset(address)


def test_many_shards_need_few_descriptors(tmp_path, send):
    for shard in range(300):
        pack(tmp_path / "set" / f"a-{shard:03d}.tar", samples(shard % 200, 1, text=str(shard % 2)))
    part, _ = send(open_dataset(tmp_path / "set").parts["train"])
    before = len(os.listdir("/proc/self/fd"))
    for index in range(300):
        assert part.read(index)[0, 0, 0] == index % 200
    assert len(os.listdir("/proc/self/fd")) - before <= 128

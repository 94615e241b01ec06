import os

import pytest

from vitreous.data.sources.folder import FileStore, open_folder
from vitreous.errors import BadImageError, UserError


def test_parts_names_and_pixels(plant):
    root = plant(["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "train/dog/note.txt"])
    dataset = open_folder(root, "DATA")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.parts["train"].names == ["train/cat/1.png", "train/dog/2.png"]
    assert dataset.parts["test"].names == ["test/cat/3.png"]
    assert (dataset.parts["train"].read(1) == 1).all()
    assert dataset.parts["test"].read(0).shape == (5, 6, 3)
    assert dataset.notes == {"other files": "ignored 1 .txt"}


def test_grey_folder_has_one_channel(plant):
    dataset = open_folder(plant(["cat/1.png", "dog/2.png"], mode="L"), "DATA")
    assert dataset.channels == 1
    assert dataset.parts["train"].read(1).shape == (5, 6, 1)


def test_links_are_followed_and_loops_are_not(plant, tmp_path):
    root = plant(["cat/1.png", "dog/2.png"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "3.png").write_bytes((root / "cat/1.png").read_bytes())
    (root / "emu").symlink_to(elsewhere)
    (root / "dog" / "loop").symlink_to(root)
    (root / "dog" / "gone.png").symlink_to(tmp_path / "nothing")
    names = open_folder(root, "DATA").parts["train"].names
    assert names == ["cat/1.png", "dog/2.png", "emu/3.png"]


def test_a_link_to_itself_is_left_out_as_other_broken_links_are(plant):
    root = plant(["cat/1.png", "dog/2.png"])
    (root / "cat" / "self.png").symlink_to("self.png")
    (root / "self").symlink_to("self")
    assert open_folder(root, "DATA").parts["train"].names == ["cat/1.png", "dog/2.png"]


def test_pipes_are_not_images(plant):
    root = plant(["cat/1.png", "dog/2.png"])
    os.mkfifo(root / "cat" / "pipe.png")
    assert len(open_folder(root, "DATA").parts["train"].names) == 2
    with pytest.raises(OSError, match="not a regular file"):
        FileStore(root, ["cat/pipe.png"]).fetch(0)


def test_file_that_vanished_is_a_bad_image(plant):
    root = plant(["cat/1.png", "dog/2.png"])
    part = open_folder(root, "DATA").parts["train"]
    (root / "cat/1.png").unlink()
    with pytest.raises(BadImageError, match="cat/1.png: No such file"):
        part.read(0)


def test_folder_that_cannot_be_listed(plant, monkeypatch):
    root = plant(["cat/1.png", "dog/2.png"])

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"cannot list .*root \(Permission denied\)"):
        open_folder(root, "DATA")


def test_part_survives_pickling_and_a_change_of_folder(plant, send, monkeypatch):
    root = plant(["cat/1.png", "dog/2.png"])
    monkeypatch.chdir(root.parent)
    part = open_folder(type(root)("root"), "root").parts["train"]
    monkeypatch.chdir("/")
    assert (send(part)[0].read(1) == 1).all()


@pytest.mark.parametrize("inside", [[], ["val/note.txt"], ["val/flat.png"]])
def test_an_empty_part_is_told(plant, inside):
    root = plant(["train/cat/1.png", "train/dog/2.png", *inside])
    (root / "val").mkdir(exist_ok=True)
    dataset = open_folder(root, "DATA")
    assert list(dataset.parts) == ["train"]
    assert dataset.notes["empty parts"] == "val/ without images in class folders"

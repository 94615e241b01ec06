import json
from pathlib import Path

import pytest

from vitreous.data.open import open_dataset
from vitreous.errors import BadImageError, UserError

pa = pytest.importorskip("pyarrow")


def cells(levels):
    return [{"bytes": b"P6 1 1 255\n" + bytes([level] * 3), "path": None} for level in levels]


def save(folder: Path, labels: list[list[int]], split: str = "train", names=("cat", "dog")) -> Path:
    """As `Dataset.save_to_disk` lays it out, one file a list of labels."""
    folder.mkdir(parents=True)
    features = {"label": {"names": list(names), "_type": "ClassLabel"}}
    files, level = [], 0
    for number, rows in enumerate(labels):
        content = pa.table({"image": cells(range(level, level + len(rows))), "label": rows})
        level += len(rows)
        about = json.dumps({"info": {"features": features}}).encode()
        content = content.replace_schema_metadata({b"huggingface": about})
        files.append({"filename": f"data-{number:05d}-of-{len(labels):05d}.arrow"})
        with pa.ipc.new_stream(str(folder / files[-1]["filename"]), content.schema) as writer:
            writer.write_table(content, max_chunksize=2)
    state = {"_data_files": files, "_fingerprint": "f", "_split": split}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def test_one_split_in_several_files(tmp_path, send):
    dataset = open_dataset(save(tmp_path / "set", [[0, 1, 1], [1, 0]], split="validation"))
    assert dataset.class_names == ("cat", "dog")
    part = dataset.parts["validation"]
    assert part.labels.tolist() == [0, 1, 1, 1, 0]
    assert part.names[3] == "validation/0000003"
    first = part.read(4)
    part, size = send(part)
    assert size < 3000
    assert [int(part.read(index)[0, 0, 0]) for index in range(5)] == list(range(5))
    assert (first == 4).all()


def test_a_dictionary_of_splits(tmp_path):
    save(tmp_path / "set/train", [[0, 1, 0]])
    save(tmp_path / "set/test", [[1, -1]], split="test")
    save(tmp_path / "set/validation", [[]], split="validation")
    splits = {"splits": ["train", "test", "validation"]}
    (tmp_path / "set/dataset_dict.json").write_text(json.dumps(splits))
    dataset = open_dataset(tmp_path / "set")
    assert {name: part.labels.tolist() for name, part in dataset.parts.items()} == {
        "train": [0, 1, 0],
        "test": [1],
    }
    assert dataset.notes == {
        "without a label": "left out 1 of 5 images",
        "empty splits": "validation has no rows",
    }
    assert dataset.parts["test"].read(0)[0, 0, 0] == 0


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", ".."])
def test_files_outside_are_refused(tmp_path, name):
    folder = save(tmp_path / "set", [[0, 1]])
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(UserError, match="that is not inside it"):
        open_dataset(folder)


def test_damage(tmp_path):
    folder = save(tmp_path / "set", [[0, 1, 0, 1]])
    file = folder / "data-00000-of-00001.arrow"
    whole = file.read_bytes()
    for content in (b"", b"junk" * 30, whole[:300]):
        file.write_bytes(content)
        with pytest.raises(UserError, match="no whole Arrow file") as caught:
            open_dataset(folder)
        assert "\n" not in str(caught.value)
    file.unlink()
    with pytest.raises(UserError, match="no whole Arrow file"):
        open_dataset(folder)
    (folder / "state.json").write_text("{")
    with pytest.raises(UserError, match=r"state\.json cannot be read"):
        open_dataset(folder)


def test_files_that_go_away_make_bad_images(tmp_path, send):
    folder = save(tmp_path / "set", [[0, 1]])
    part, _ = send(open_dataset(folder).parts["train"])
    (folder / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(BadImageError):
        part.read(0)

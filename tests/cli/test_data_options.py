"""How data is read: decided on the command line, kept with the run, and used again by it."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.cli.main import main
from vitreous.data.reading import ReadingOptions, option
from vitreous.weights.load import read_passport

QUICK = ["--steps", "2", "--batch_size", "8", "--model.depth", "1", "--model.width", "12",
         "--model.image_size", "16,16"]  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs named by animal and number, and a run that was told so."""
    here = tmp_path_factory.mktemp("here")
    draw = np.random.default_rng(0)
    (here / "photos").mkdir()
    (here / "plain").mkdir()
    rows = ["path,what,whose"]
    for number in range(20):
        pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        name = f"photos/{('cat', 'dog')[number % 2]}.{number}.png"
        Image.fromarray(pixels).save(here / name)
        Image.fromarray(pixels).save(here / "plain" / f"IMG_{number}.png")
        rows.append(f"{name},{'ab'[number % 2]},{number // 4}")
    (here / "table.csv").write_text("\n".join(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        named = ["--label-from-name", "^(cat|dog)"]
        assert main(["train", "photos", "--out", "run", *named, *QUICK]) == 0
        grouped = ["--label-column", "what", "--group-column", "whose"]
        assert main(["train", "table.csv", "--out", "grouped", *grouped, *QUICK]) == 0
    return here


def test_the_run_keeps_its_reading(here):
    config = json.loads((here / "run/config.json").read_text())
    assert config["reading"]["label_from_name"] == "^(cat|dog)"
    assert config["read_as"][0].startswith("classes: 2 (cat, dog), by --label-from-name ^(cat|dog)")
    assert len(config["read_as"]) == 3
    origin = read_passport(here / "run").origin
    assert origin["reading"]["lines"] == config["read_as"]
    assert origin["reading"]["options"] == {"label_from_name": "^(cat|dog)"}
    assert "by --label-from-name ^(cat|dog)" in (here / "run/report.html").read_text()


def test_groups_are_kept_together_and_named(here):
    config = json.loads((here / "grouped/config.json").read_text())
    assert "5 groups of up to 4 by column whose" in config["read_as"][1]
    parts = json.loads((here / "grouped/split.json").read_text())["parts"]
    groups = {part: {int(n.split(".")[1]) // 4 for n in names} for part, names in parts.items()}
    assert not groups["train"] & groups["validation"]
    assert "column whose" in (here / "grouped/report.html").read_text()


def test_the_run_reads_its_own_data_as_it_was_told(here, monkeypatch, capsys):
    monkeypatch.chdir(here)
    for typed in ([], ["photos"], ["./photos/"]):
        assert main(["evaluate", "run", *typed, "--json", "-"]) == 0
        assert json.loads(capsys.readouterr().out)["num_images"] == 4
    assert main(["evaluate", "run", "plain"]) == 2
    assert "no class folders" in capsys.readouterr().err


def test_a_run_is_gone_on_with_as_it_was_read(here, monkeypatch, capsys):
    monkeypatch.chdir(here)
    line = ["train", "photos", "--out", "run", "--resume", *QUICK]
    assert main(line) == 0
    assert main([*line, "--label-from-name", "^(cat|dog)"]) == 0
    capsys.readouterr()
    assert main([*line, "--label-from-name", "^(c|d)"]) == 2
    assert "was begun with reading.label_from_name" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [["train", "--dry-run"], ["data", "check"]])
def test_the_reading_is_printed(here, monkeypatch, capsys, verb):
    monkeypatch.chdir(here)
    verb, quick = (verb, []) if verb[0] == "data" else (verb, QUICK)
    grouped = ["--label-column", "what", "--group-column", "whose"]
    assert main([*verb, "table.csv", *grouped, *quick]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "classes: 2 (a, b), by column what; one label an image"
    assert lines[1].startswith("parts:   train ")
    assert "5 groups of up to 4 by column whose" in lines[1]
    assert lines[2].startswith("ignored: ")


def test_doubt_is_refused_with_the_option(here, monkeypatch, capsys):
    monkeypatch.chdir(here)
    for verb in (["data", "check", "photos"], ["train", "photos", "--out", "none", *QUICK]):
        assert main(verb) == 2
        told = capsys.readouterr().err
        assert "--label-from-name" in told
        assert len(told.splitlines()) == 1
    assert not (here / "none").exists()


def test_images_without_labels_wherever_labels_are_not_needed(here, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(here)
    pretrain = ["--objective", "mae", "--out", str(tmp_path / "mae"), "--dry-run"]
    assert main(["train", "plain", *pretrain, *QUICK]) == 0
    assert main(["train", "photos", *pretrain, *QUICK]) == 0
    assert main(["data", "duplicates", "plain"]) == 0
    assert main(["data", "duplicates", "photos", "plain"]) == 0
    assert "20 pairs" in capsys.readouterr().out
    assert main(["data", "check", "plain", "--strict"]) == 1
    assert "mend: no labels to train a classifier on: 20 images" in capsys.readouterr().out
    assert main(["embed", "run", "plain", "--out", str(tmp_path / "f.parquet")]) == 0
    from pyarrow import parquet

    table = parquet.read_table(tmp_path / "f.parquet")
    assert table.column("label").null_count == 20
    assert main(["data", "shard", "plain", str(tmp_path / "shards")]) == 2
    assert main(["train", "plain", "--out", str(tmp_path / "run"), *QUICK]) == 2


@pytest.mark.parametrize(
    "verb",
    [["train"], ["evaluate"], ["embed"], ["probe"], ["explain"], ["data", "check"],
     ["data", "preview"], ["data", "duplicates"], ["data", "shard"]],
)  # fmt: skip
def test_every_verb_that_opens_data_has_the_options(capsys, verb):
    with pytest.raises(SystemExit):
        main([*verb, "--help"])
    told = capsys.readouterr().out
    for one in fields(ReadingOptions):
        assert option(one.name) in told

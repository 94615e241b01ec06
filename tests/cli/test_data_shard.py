import json

import pytest
from PIL import Image

from vitreous.cli.main import main


@pytest.fixture
def photos(tmp_path):
    for number in range(12):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), (number, 0, 0)).save(path)
    (tmp_path / "photos/a/0.png").write_bytes(b"junk")
    return tmp_path / "photos"


def test_write_verify_and_find_damage(photos, tmp_path, capsys):
    out = str(tmp_path / "out")
    command = ["data", "shard", str(photos), out, "--max-side", "16", "--workers", "1"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "1 images could not be read and were left out:\n  a/0.png: not an image" in printed
    assert main([*command, "--verify", "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["totals"]["train"]["images"] == 11
    assert results["faults"] == []
    (tmp_path / "out/train-000000.tar").write_bytes(b"x")
    assert main(["data", "shard", out, "--verify"]) == 2
    assert "its SHA-256 is not the one in its index: delete" in capsys.readouterr().err
    assert main([*command, "--verify"]) == 0


def test_index(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["data", "shard", str(photos), str(out), "--workers", "1"]) == 0
    for path in [*out.glob("*.index"), out / "index.json"]:
        path.unlink()
    capsys.readouterr()
    assert main(["data", "index", str(out)]) == 0
    assert "indexed 11 images of 2 classes in 1 shards" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "where to? give a folder"),
        (["OUT", "--size", "many"], "--size is many: give bytes, such as 256MB"),
        (["OUT", "--size", "0MB"], "--size is 0MB"),
        (["OUT", "--workers", "0"], "--workers is 0"),
        (["OUT", "--max-side", "0"], "max_side is 0"),
        (["OUT", "--max-sides", "1"], "did you mean --max-side?"),
    ],
)
def test_slips(photos, tmp_path, capsys, arguments, message):
    given = [str(tmp_path / "out") if word == "OUT" else word for word in arguments]
    try:
        code = main(["data", "shard", str(photos), *given])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_the_group(capsys):
    assert main(["data"]) == main(["data", "--help"]) == 0
    assert "usage: vitreous data VERB" in capsys.readouterr().out
    assert main(["data", "shrad"]) == 2
    assert "did you mean shard?" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "count"), [("7", 7), ("1.5kB", 1500), ("1 MiB", 2**20)])
def test_sizes(text, count):
    from vitreous.cli.data_shard import _bytes

    assert _bytes(text) == count

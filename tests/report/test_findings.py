"""What an explanation leaves on the disk."""

import csv
import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from vitreous.errors import UserError
from vitreous.report.document import section
from vitreous.report.findings import Findings


def made() -> Findings:
    findings = Findings("<b>rose</b>.jpg", ["ViT", "5 parameters"])
    findings.reading.append("It is a rose.")
    drawing = findings.draw("some_curve", Figure((2, 1)), "A caption.")
    findings.sections.append(section("curve", "Curve", "", drawing))
    findings.keep("only_a_file", Figure((2, 1)))
    findings.tables["rows"] = [{"layer": 1, "value": 0.123456789}]
    findings.numbers["answer"] = 42
    findings.facts["Model"] = "ViT"
    return findings


def test_everything_is_written(tmp_path: Path) -> None:
    names = made().write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names)
    assert names[0] == "explain.html"
    page = (tmp_path / "out" / "explain.html").read_text()
    assert "&lt;b&gt;rose&lt;/b&gt;.jpg" in page
    assert 'aria-label="some curve"' in page
    assert "only a file" not in page
    assert json.loads((tmp_path / "out" / "explain.json").read_text()) == {"answer": 42}
    with open(tmp_path / "out" / "rows.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{"layer": "1", "value": "0.123457"}]
    with Image.open(tmp_path / "out" / "some_curve.png") as image:
        assert image.size == (400, 200)
    assert "<svg" in (tmp_path / "out" / "only_a_file.svg").read_text()


def test_it_repeats_itself(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        made().write(tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        made().write(tmp_path / "file")

import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitreous.data.inspect import Inspection, inspect
from vitreous.data.open import open_dataset
from vitreous.evaluate.suspects import Suspect
from vitreous.report.inspection import write_inspection

NASTY = "<b>roses & tulips"


@pytest.fixture
def found(tmp_path: Path) -> Inspection:
    """Two classes in two parts, with a leak under another label, and a file that is none."""
    draw = np.random.default_rng(0)
    pictures = [
        Image.fromarray(draw.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((90, 70), 3)
        for _ in range(6)
    ]
    for number, picture in enumerate(pictures):
        folder = tmp_path / "data" / ("test" if number > 3 else "train") / ("x", NASTY)[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{number}.png")
    pictures[0].resize((60, 60)).save(tmp_path / "data" / "test" / NASTY / "leak.jpg")
    (tmp_path / "data" / "train" / "x" / "none.jpg").write_text("<i>no image</i>")
    return inspect(open_dataset(tmp_path / "data"))


def test_the_page_says_what_was_found(tmp_path: Path, found: Inspection) -> None:
    page = tmp_path / "page.html"
    write_inspection(page, found)
    text = page.read_text()
    assert NASTY not in text
    for problem in found.problems:
        assert escape(problem) in text
    assert '<b class="miss">train and test</b>' in text
    assert f'<b class="miss">x and {escape(NASTY)}</b>' in text
    assert "none.jpg" in text
    assert 'id="suspects"' not in text
    assert len(re.findall("<img", text)) == 2


def test_suspect_labels_stand_beside_what_contradicts_them(
    tmp_path: Path, found: Inspection
) -> None:
    page = tmp_path / "page.html"
    write_inspection(page, found, [Suspect(0, 1, 0, 0.875, 3)])
    text = page.read_text()
    assert 'id="suspects"' in text
    assert re.search(r"or rather\s*<b>", text)
    assert "88" in text
    assert len(re.findall("<img", text)) == 4


def test_in_a_browser(
    tmp_path: Path, browse: Callable[[Path], dict[str, Any]], found: Inspection
) -> None:
    page = tmp_path / "page.html"
    write_inspection(page, found, [Suspect(0, 1, 0, 0.875, 3)])
    for seen in browse(page).values():
        assert seen["errors"] == []
        assert seen["loaded"] == []
        assert seen["width"] <= seen["space"], "the page scrolls sideways"
        assert {figure["name"] for figure in seen["figures"]} == {"images a class", "sizes"}
        assert len(seen["images"]) == 4
        assert all(image["natural"] > 0 for image in seen["images"])

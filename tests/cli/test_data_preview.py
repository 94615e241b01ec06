from pathlib import Path

import pytest
from PIL import Image

from vitreous.cli.main import main


def preview(*arguments: object) -> int:
    return main(["data", "preview", *map(str, arguments)])


def test_the_page_and_the_transforms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    options = ("--augmentation.policy", "trivialaugment", "--augmentation.cutmix", "1")
    assert preview("digits", "--out", page, "--images", 3, *options) == 0
    said = capsys.readouterr().out
    assert "TrivialAugment: one operation of 14, wide ranges" in said
    assert "testing:\n  resize" in said
    html = page.read_text()
    assert html.count("original, 8 x 8") == 3
    assert html.count("training, epoch") == 15
    assert "Cutmix" in html
    assert "TrivialAugment" in html


def test_images_of_several_labels(tmp_path: Path) -> None:
    rows = ["path,labels"]
    for number, labels in enumerate(("cat;dog", "dog", "", "cat")):
        Image.new("RGB", (30, 20), (40 * number, 9, 90)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{labels}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    page = tmp_path / "page.html"
    assert preview(tmp_path / "table.csv", "--out", page, "--augmentation.mixup", "1") == 0
    html = page.read_text()
    for words in ("<h3>cat, dog <", "<h3>no label <", "Mixup"):
        assert words in html


def test_unreadable_images_are_passed_over(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (30, 20), (40 * number, 9, 90)).save(
                tmp_path / "data" / name / f"{number}.jpg"
            )
        (tmp_path / "data" / name / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    page = tmp_path / "page.html"
    assert preview(tmp_path / "data", "--out", page) == 0
    assert page.read_text().count("original, 30 x 20") == 6


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("nowhere",), "nowhere: no such file"),
        (("digits", "--images", "0"), "--images is 0"),
        (("digits", "--augmentation.policy", "auto"), "randaugment"),
        (("digits", "--augmentation.windo", "2"), "did you mean --augmentation.window"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], line: str
) -> None:
    page = tmp_path / "page.html"
    try:
        code = preview(*options, "--out", page)
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr().err
    assert code == 2
    assert line in said
    assert said.count("\n") == 1
    assert not page.exists()


def test_an_existing_page_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    assert preview("digits", "--out", page) == 2
    assert page.read_text() == "mine"
    assert "exists: choose another" in capsys.readouterr().err

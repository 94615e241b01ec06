"""The page of one run, as text."""

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.evaluate.classification import classification_report
from vitreous.report.page import write_report
from vitreous.report.pictures import AttentionView, Mistake

_VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Tags, text and attributes of a page whose every tag must be closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def test_full_page(
    tmp_path: Path,
    report: dict[str, Any],
    history: list[dict[str, float]],
    mistakes: list[Mistake],
    views: list[AttentionView],
) -> None:
    path = tmp_path / "report.html"
    write_report(path, report, history, mistakes, views)
    page = Page(path)
    assert page.tags["section"] == 7
    assert page.tags["img"] == len(mistakes) + 2 * len(views)
    for name in ("accuracy", "loss", "learning rate", "speed"):
        assert f"training {name}" in page.values("aria-label")
    for text in ("Macro F1", "Top 5", "32 × 48 pixels", "1,234,567", "1 min 15 s", "75"):
        assert text in page.text
    # What users wrote is on the page as they wrote it, and never as markup.
    for text in (report["run"], report["data"], "<u>Seed</u>", "<s>0</s>", "<i>broken</i>.jpg"):
        assert text in page.text
    assert {row["name"] for row in report["classes"]} <= set(
        re.findall(r"class \d|<b>.*?</b>|向日葵 🌻", page.text)
    )
    assert not {"em", "u", "s"} & set(page.tags)


def test_very_many_classes_have_a_page_without_their_confusion(
    tmp_path: Path, make_report: Callable[..., dict[str, Any]]
) -> None:
    path = tmp_path / "report.html"
    write_report(path, make_report(1001), [], [], [])
    page = Page(path)
    assert "confusion" not in page.values("id")
    assert "#confusion" not in page.values("href")
    assert "calibration" in page.values("id")


def test_needs_no_other_file(
    tmp_path: Path,
    report: dict[str, Any],
    history: list[dict[str, float]],
    mistakes: list[Mistake],
    views: list[AttentionView],
) -> None:
    path = tmp_path / "report.html"
    write_report(path, report, history, mistakes, views)
    page = Page(path)
    links = page.values("src") + page.values("href") + page.values("xlink:href")
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    for target in page.values("href"):
        if target.startswith("#"):
            assert target[1:] in page.values("id")
    text = path.read_text("utf-8")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert max(Counter(page.values("id")).values()) == 1


def test_bare_page_shows_no_empty_section(
    tmp_path: Path, make_report: Callable[..., dict[str, Any]]
) -> None:
    path = tmp_path / "report.html"
    write_report(path, make_report(2, num_images=3))
    page = Page(path)
    assert page.values("id")[0] == "classes"
    titles = re.findall(r"<h2>(.*?)</h2>", path.read_text("utf-8"))
    assert titles == ["Classes", "Confusion", "Calibration", "Facts"]
    assert "Top 5" not in page.text
    assert page.tags["img"] == 0


def test_nothing_wrong_lists_no_mistake(tmp_path: Path) -> None:
    labels = np.array([0, 1, 2, 1])
    report = classification_report(9 * np.eye(3)[labels], labels, ["a", "b", "c"])
    write_report(tmp_path / "report.html", report)
    text = Page(tmp_path / "report.html").text
    assert "All 4 images were named right." in text
    assert "Most frequent mistakes" not in text


def test_thousand_classes(tmp_path: Path, make_report: Callable[..., dict[str, Any]]) -> None:
    path = tmp_path / "report.html"
    write_report(path, make_report(1000, num_images=3000))
    page = Page(path)
    assert "class 999" in page.text
    assert "search" in page.values("type")
    assert path.stat().st_size < 1_500_000


def test_lists_the_skipped_and_counts_the_rest(tmp_path: Path, report: dict[str, Any]) -> None:
    report["skipped"] = [f"bad-{index}.jpg" for index in range(60)]
    report["num_skipped"] = 75
    write_report(tmp_path / "report.html", report)
    text = Page(tmp_path / "report.html").text
    assert "bad-49.jpg" in text
    assert "bad-50.jpg" not in text
    assert "and 25 more" in text


def test_names_that_are_no_text(tmp_path: Path, report: dict[str, Any]) -> None:
    report["skipped"] = [b"caf\xe9.jpg".decode("utf-8", "surrogateescape")]
    write_report(tmp_path / "report.html", report)
    assert "caf\\udce9.jpg" in Page(tmp_path / "report.html").text


def test_repeats_itself(tmp_path: Path, report: dict[str, Any], history: Any) -> None:
    write_report(tmp_path / "a.html", report, history)
    write_report(tmp_path / "b.html", report, history)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_page_that_cannot_be_written_says_so(tmp_path: Path, report: dict[str, Any]) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match="cannot write .*report.html"):
        write_report(tmp_path / "report.html", report)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

"""Runs side by side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vitreous.errors import UserError
from vitreous.report.comparison import comparison_table, training_loss, write_comparison

Maker = Callable[..., dict[str, Any]]


def rename(report: dict[str, Any], names: list[str]) -> dict[str, Any]:
    classes = [row | {"name": name} for row, name in zip(report["classes"], names, strict=True)]
    return report | {"classes": classes}


def test_rows(make_report: Maker) -> None:
    reports = {"a": make_report(3), "b": make_report(3, seed=1), "c": make_report(3, seed=2)}
    rows = comparison_table(reports)
    overall = {row["name"]: row for row in rows if row["kind"] == "overall"}
    assert list(overall) == ["accuracy", "macro_f1", "top5", "loss", "ece"]
    for name, row in overall.items():
        assert row["value"] == {run: report[name] for run, report in reports.items()}
        assert row["difference"] == {
            run: reports[run][name] - reports["a"][name] for run in ("b", "c")
        }
    classes = [row for row in rows if row["kind"] == "class"]
    assert [row["name"] for row in classes] == ["class 0", "class 1", "class 2"]
    for index, row in enumerate(classes):
        for measure in ("f1", "precision", "recall", "support"):
            assert row[measure] == {
                run: report["classes"][index][measure] for run, report in reports.items()
            }
        for measure in ("f1", "precision", "recall"):
            assert row[f"{measure}_difference"].keys() == {"b", "c"}


def test_training_loss_is_of_the_last_epoch(make_report: Maker) -> None:
    lines = [{"step": step, "epoch": step / 4, "loss": float(10 - step)} for step in range(1, 9)]
    lines.insert(4, {"step": 4, "epoch": 1.0, "validation_loss": 99.0})
    assert training_loss(lines) == (5 + 4 + 3 + 2) / 4
    assert training_loss(lines[:2]) == 8.5
    assert training_loss([]) is None
    reports = {"a": make_report(3), "b": make_report(3, seed=1), "c": make_report(3, seed=2)}
    rows = comparison_table(reports, {"a": lines, "b": lines[:2]})
    row = next(row for row in rows if row["name"] == "training_loss")
    assert row["value"] == {"a": 3.5, "b": 8.5}
    assert row["difference"] == {"b": 5.0}
    first_unknown = comparison_table(reports, {"b": lines})
    row = next(row for row in first_unknown if row["name"] == "training_loss")
    assert (row["value"], row["difference"]) == ({"b": 3.5}, {})


def test_the_page_has_precision_and_training_loss(tmp_path: Path, make_report: Maker) -> None:
    path = tmp_path / "compare.html"
    reports = {"a": make_report(3), "b": make_report(3, seed=1)}
    lines = [{"step": step, "epoch": step / 4, "loss": 1.25} for step in range(1, 9)]
    write_comparison(path, reports, {"a": lines})
    text = path.read_text("utf-8")
    assert "Precision a</button>" in text
    precision = reports["b"]["classes"][1]["precision"]
    assert f'<td data-value="{precision!r}">{precision:.3f}</td>' in text
    assert '<td data-value="1.25">1.250</td>' in text
    assert "Training loss" in text


def test_classes_are_matched_by_name(make_report: Maker) -> None:
    first = rename(make_report(3), ["x", "y", "z"])
    second = first | {"classes": first["classes"][::-1]}
    for row in comparison_table({"a": first, "b": second}):
        if row["kind"] == "class":
            assert row["f1_difference"] == {"b": 0}


def test_refuses_other_classes_and_names_both(make_report: Maker) -> None:
    first = rename(make_report(3), ["daisy", "rose", "tulip"])
    second = rename(make_report(3), ["daisy", "rose", "oak"])
    message = (
        r"one and two know different classes \(only one has tulip; only two has oak\): compare"
    )
    with pytest.raises(UserError, match=message):
        comparison_table({"one": first, "two": second})
    with pytest.raises(
        UserError, match=r"only big has class 3, class 4, class 5, class 6 and 2 more"
    ):
        comparison_table({"big": make_report(9), "small": make_report(3)})


@pytest.mark.parametrize("count", [0, 1])
def test_refuses_a_lonely_run(make_report: Maker, count: int) -> None:
    with pytest.raises(UserError, match="two runs or more"):
        comparison_table({"a": make_report(2)} if count else {})


def test_page_of_many_classes_draws_those_that_changed(tmp_path: Path, make_report: Maker) -> None:
    path = tmp_path / "compare.html"
    reports = {"<a>": make_report(80, 900), "b": make_report(80, 900, seed=1)}
    write_comparison(path, reports, {})
    text = path.read_text("utf-8")
    assert "&lt;a&gt;" in text
    assert "<a>" not in text
    assert "The 15 largest gains and the 15 largest losses are drawn." in text
    assert "class 79</th>" in text
    assert 'id="curves"' not in text, "no history, no curves"
    assert text.count("<svg") == 3

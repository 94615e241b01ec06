"""`vitreous reproduce` as a person and a machine meet it."""

import json

import pytest

from vitreous.cli.main import main
from vitreous.cli.reproduce_grid import in_thousands, print_grid
from vitreous.experiments.catalogue import NAMES, find_experiment
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Setting
from vitreous.experiments.reproduce import Reproduction
from vitreous.experiments.results import Outcome, Results

FACTS = {"finetuned": "finetune"}


def test_the_list(capsys) -> None:
    assert main(["reproduce", "--list"]) == main(["reproduce"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in NAMES)
    lines = {line.split()[0]: line.split() for line in told.splitlines() if line.strip()}
    assert told.split()[:3] == ["pocket", "lab", "paper"]
    assert lines["figure3"][-5:] == ["26", "min", "1.5", "h", "counted"]
    assert lines["figure6"][-2:] == lines["fashion_mnist"][-2:] == ["-", "-"]
    assert main(["reproduce", "--json", "-"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == list(NAMES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tableau8"], "did you mean table8"),
        (["table8", "--scale", "large"], "choose pocket, lab or paper"),
        (["table8", "--seeds", "0"], "--seeds is 0"),
        (["table8", "--jobs", "0"], "--jobs is 0"),
        (["figure12", "--jobs", "2"], "measures speed: run it with --jobs 1"),
        (["table8", "--data", "nowhere"], "Fashion-MNIST is not in nowhere"),
        (["table2", "--scale", "paper", "--weights", "w.npz"], "leave out --weights w.npz"),
        (["five_flowers", "--scale", "lab"], "such as imagenet21k/ViT-B_16.npz"),
        (["five_flowers", "--weights", "absent.npz"], "absent.npz: no such file or folder"),
    ],
)
def test_mistakes_are_one_line(arguments, words, capsys, tmp_path) -> None:
    assert main(["reproduce", *arguments, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_used_or_refused_by_name(name, capsys, tmp_path) -> None:
    """An experiment without a meaning for them does not pass over them in silence."""
    absent = str(tmp_path / "absent.npz")
    out = tmp_path / "out"
    assert main(["reproduce", name, "--weights", absent, "--out", str(out)]) == 2
    told = capsys.readouterr().err
    refused = f"{name} looks at no trained models and takes no --weights" in told
    assert refused != find_experiment(name).takes_weights
    assert not refused or absent in told
    assert told.count("\n") == 1
    assert not out.exists()


def test_one_seed_is_told_to_show_nothing(capsys, tmp_path) -> None:
    """The line comes first: a run without --data ends behind it."""
    for seeds, lines in (("1", 2), ("2", 1)):
        main(
            ["reproduce", "table8", "--seeds", seeds, "--data", "no", "--out", str(tmp_path / "o")]
        )
        told = capsys.readouterr().err
        assert told.count("\n") == lines
        assert ("give --seeds 2 or more" in told) == (seeds == "1")


def test_the_papers_plan_trains_nothing(capsys) -> None:
    assert main(["reproduce", "table8", "--scale", "paper"]) == 0
    told = capsys.readouterr().out
    assert "1-D, every layer, shared" in told
    assert "nothing was trained" in told
    assert main(["reproduce", "table8", "--scale", "paper", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["exaflops"] == pytest.approx(224, rel=0.01)


TABLES = ("table2", "table5", "table6", "table9")


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("scale", ["pocket", "lab"])
def test_without_weights_the_published_table(name, scale, capsys, tmp_path) -> None:
    out = tmp_path / "out"
    assert main(["reproduce", name, "--scale", scale, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    last = told.splitlines()[-1]
    assert last == f"to measure yours: vitreous reproduce {name} --weights FOLDER --data FOLDER"
    grid = find_experiment(name).grid
    assert all(text in told for text in grid.printed.values())
    assert not out.exists()


@pytest.mark.parametrize("columns", ["80", "100"])
def test_table2_as_published(columns, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["reproduce", "table2", "--scale", "paper"]) == 0
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert max(map(len, lines)) <= int(columns)
    pets = [line.split("  ") for line in lines if line.startswith("Pets")]
    values = [cell.strip() for line in pets for cell in line[1:] if cell.strip()]
    assert values == ["97.56 ± 0.03", "97.32 ± 0.11", "94.67 ± 0.15", "96.62 ± 0.23", "–"]
    assert "ViT-L/16 I21k      90       412               0.22k      0.23k" in lines
    assert "88.4 / 88.5*" in told
    assert "Touvron et al. 2020" in " ".join(told.split())


def test_the_published_table_for_machines(capsys) -> None:
    assert main(["reproduce", "table2", "--scale", "paper", "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    entries = {(one["row"], one["column"]): one for one in told["published_table"]}
    assert len(entries) == 35
    assert entries["ViT-H/14 JFT", "ImageNet"] == {
        "row": "ViT-H/14 JFT",
        "column": "ImageNet",
        "printed": "88.55 ± 0.04",
        "value": pytest.approx(0.8855),
        "deviation": pytest.approx(0.0004),
    }
    assert {one["row"]: one["published_core_days"] for one in told["counted"]} == {
        "ViT-H/14 JFT": 2500,
        "ViT-L/16 JFT": 680,
        "ViT-L/16 I21k": 230,
    }


def test_own_values_in_the_grid(capsys, monkeypatch, tmp_path) -> None:
    """Two seeds of one model with a row, one seed of one without."""
    monkeypatch.setenv("COLUMNS", "120")
    results = Results(
        [
            ("large", Outcome({"Pets": 0.95}, facts=FACTS | {"architecture": "ViT-L/16"})),
            ("large", Outcome({"Pets": 0.96}, facts=FACTS | {"architecture": "ViT-L/16"})),
            ("mine", Outcome({"Pets": 0.5}, facts=FACTS | {"architecture": "ViT-photo"})),
        ]
    )
    setting = Setting(scale="lab", seeds=2, data=Collection(tmp_path))
    experiment = find_experiment("table2")
    done = Reproduction(experiment, setting, results, (), 3, 1.0, 0.0, {})
    print_grid(done)
    lines = capsys.readouterr().out.splitlines()
    (pets, alone) = [line for line in lines if line.startswith("Pets")]
    assert "94.67 ± 0.15  95.50 ± 0.71" in pets
    assert alone.split() == ["Pets", "50.00"]
    assert "large stands beside ViT-L/16 I21k, the nearest row of its architecture" in lines
    told = done.to_dict()
    assert told["twins"] == {"large": "ViT-L/16 I21k"}
    assert len(told["published_table"]) == 35
    assert {row["column"] for row in told["rows"]} >= {"Pets", "VTAB (19 tasks)"}


def test_costs_in_the_papers_form() -> None:
    costs = {2500: "2.5k", 680: "0.68k", 230: "0.23k", 12300: "12.3k", 0.0000031: "3.1e-06"}
    assert {value: in_thousands(value) for value in costs} == costs


def test_five_digits_where_the_paper_has_five() -> None:
    experiment = find_experiment("table8")
    assert experiment.format_published("stem", 0.61382) == "61.382%"
    assert experiment.format("stem", 0.61382) == "61.38%"

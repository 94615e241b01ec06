"""`vitreous reproduce` as a person and a machine meet it."""

import json

import pytest

from vitreous.cli.main import main
from vitreous.experiments.catalogue import NAMES, find_experiment


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
    takes = find_experiment(name).takes_weights
    assert ("no such file or folder" if takes else f"{name} looks at no trained models") in told
    assert absent in told
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

"""Commands that measure cases again."""

import shlex
from argparse import ArgumentParser
from typing import Any

from vitreous.bench.case import Case
from vitreous.bench.command import commands
from vitreous.bench.roster import OURS, PEERS
from vitreous.cli import bench


def result(subjects: tuple[str, ...] = (OURS, *PEERS), **case: Any) -> dict[str, Any]:
    made = Case(**{"work": "inference", "model": "ViT-B/16"} | case)
    return {"case": made.to_dict(), "rounds": 9, "subjects": dict.fromkeys(subjects)}


def test_a_command_for_each_case() -> None:
    assert commands([result(), result((OURS, "timm"), work="default", threads=2)]) == [
        "vitreous bench ViT-B/16 --task inference --precision float32 --mode eager --batch 8 "
        "--rounds 9 --device cpu",
        "vitreous bench ViT-B/16 --task default --batch 8 --subjects vitreous,timm --rounds 9 "
        "--device cpu --threads 2",
    ]


def test_they_measure_these_cases_and_no_others() -> None:
    asked = [
        *(result(batch=batch, model=model) for model in ("S/16", "B/16") for batch in (1, 8)),
        *(result(batch=batch, precision="bfloat16", model="S/16") for batch in (1, 8)),
        result((OURS,), batch=8, image_size=384, mode="compiled"),
        result(work="training", batch=16),
        result(work="default", batch=1),
        {"case": result(batch=64)["case"], "rounds": 3, "failed": "killed"},
    ]
    lines = commands(asked)
    assert len(lines) < len(asked)
    measured = []
    for line in lines:
        parser = ArgumentParser()
        bench.add_arguments(parser)
        measured += bench._plan(parser.parse_args(shlex.split(line)[2:])).cases()
    assert sorted(case.key for case in measured) == sorted(Case(**one["case"]).key for one in asked)

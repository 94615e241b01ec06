"""Run a table or a figure of the paper, and see whether its finding holds.

  vitreous reproduce --list
  vitreous reproduce table8 --data data/
  vitreous reproduce figure3 --data data/ --seeds 5 --out runs/reproduced
  vitreous reproduce table8 --scale paper
  vitreous reproduce table2 --weights checkpoints/ --data data/
  vitreous reproduce five_flowers --data data/ --weights ViT-B_16.npz --scale lab

The scale pocket is for two CPU cores, lab for one GPU; paper prints what a cluster would run, or
the whole published table, and trains nothing. --data is the folder that holds the data sets; the
message names those that are missing. --weights is a checkpoint or a folder of them, for experiments
that take trained models; the others refuse it. Tables 2, 5, 6 and 9 measure these checkpoints and
print them in the paper's grid; without --weights they print what is published. Finished trials are
kept: a stopped experiment goes on with the same command, and what another one has trained already
is not trained again. Commands that share a cache share the work, and --jobs runs several trials at
once.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from vitreous.cli.main import INTERRUPTED, TERMINATED
from vitreous.cli.output import add_json_argument, print_table, write_json
from vitreous.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitreous.experiments.cluster import ClusterLine
    from vitreous.experiments.experiment import Experiment, ScaleName
    from vitreous.experiments.reproduce import Reproduction


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="a table or figure; see --list")
    parser.add_argument("--list", action="store_true", help="list the experiments")
    parser.add_argument(
        "--scale", metavar="NAME", default="pocket", help="pocket (default), lab or paper"
    )
    parser.add_argument(
        "--data", metavar="DIR", default="data", help="the folder of data sets; data if not given"
    )
    parser.add_argument(
        "--weights",
        metavar="PATH",
        help="a checkpoint or a folder of them, for experiments that take trained models",
    )
    parser.add_argument("--seeds", metavar="INT", type=int, help="runs of each row; usually 3")
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="runs/reproduced",
        help="where results and figures go; runs/reproduced if not given",
    )
    parser.add_argument(
        "--cache", metavar="DIR", help="finished trials of all experiments; OUT/trials if not given"
    )
    parser.add_argument(
        "--jobs",
        metavar="INT",
        type=int,
        help="trials at once; usually one a core of a CPU, and one where speed is measured",
    )
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Plan, run what is new, print the table and the verdict."""
    from vitreous.experiments.catalogue import find_experiment

    if arguments.list or arguments.name is None:
        return _list(arguments.json)
    experiment = find_experiment(arguments.name)
    if arguments.seeds is not None and arguments.seeds < 1:
        raise UserError(f"--seeds is {arguments.seeds}: give at least 1")
    if arguments.jobs is not None and arguments.jobs < 1:
        raise UserError(f"--jobs is {arguments.jobs}: give at least 1")
    if arguments.scale == "paper" and arguments.weights is not None:
        raise UserError(
            f"--scale paper counts and loads nothing: leave out --weights {arguments.weights}"
        )
    if experiment.grid is not None and (arguments.scale == "paper" or arguments.weights is None):
        from vitreous.cli.reproduce_grid import show_published

        if arguments.scale != "paper":
            _check_scale(arguments.scale)
        return show_published(experiment, arguments.json, count=arguments.scale == "paper")
    if arguments.scale == "paper":
        return _plan(experiment, arguments.json)
    return _run(experiment, _check_scale(arguments.scale), arguments)


def _check_scale(name: str) -> "ScaleName":
    if name not in ("pocket", "lab"):
        raise UserError(f"--scale {name}: choose pocket, lab or paper")
    return name  # type: ignore[return-value]


def _run(experiment: "Experiment", scale: "ScaleName", arguments: Namespace) -> int:
    from vitreous.cli.terminal import console_on_stderr
    from vitreous.experiments.cache import TrialCache
    from vitreous.experiments.collection import Collection
    from vitreous.experiments.experiment import Setting
    from vitreous.experiments.reproduce import reproduce
    from vitreous.experiments.sharing import usual_jobs
    from vitreous.train.stop import StoppedError

    console = console_on_stderr()
    out = Path(arguments.out)
    setting = Setting(
        scale=scale,
        seeds=arguments.seeds or experiment.scale(scale).seeds,
        data=Collection(Path(arguments.data)),
        weights=None if arguments.weights is None else Path(arguments.weights),
    )
    cache = TrialCache(Path(arguments.cache) if arguments.cache else out / "trials")
    jobs = arguments.jobs or usual_jobs(experiment, setting)
    if jobs > 1 and experiment.timed:
        raise UserError(f"{experiment.name} measures speed: run it with --jobs 1")
    try:
        done = reproduce(experiment, setting, out, cache, console, jobs)
    except StoppedError as stopped:
        console.print(
            f"stopped; finished trials are in {cache.folder}: the same command goes on",
            highlight=False,
            soft_wrap=True,
        )
        return TERMINATED if stopped.signal.name == "SIGTERM" else INTERRUPTED
    if not write_json(arguments.json, done.to_dict()):
        _print(done)
    return 0


def _print(done: "Reproduction") -> None:
    experiment, scale = done.experiment, done.setting.scale
    print(f"{experiment.title} ({experiment.source})")
    if experiment.published_as:
        print(f"published: {experiment.published_as}")
    print(f"here:      {experiment.scale(scale).what}\n")
    if experiment.grid is not None:
        from vitreous.cli.reproduce_grid import print_grid

        print_grid(done)
    elif experiment.class_tables is not None:
        from vitreous.cli.class_table import print_class_tables

        print_class_tables(experiment, done.results)
    else:
        _print_list(done)
    print()
    for finding in done.findings:
        print(f"{finding.verdict.upper()}: {finding.claim}: {finding.why}")
    print(f"\n{done.trials} trials, {_time(done.seconds)} and {_work(done.flops)} FLOPs in all")
    print("   ".join(f"{kind}: {file}" for kind, file in done.files.items()))


def _print_list(done: "Reproduction") -> None:
    """Print a line for each value, ours and published."""
    from vitreous.cli.class_table import told

    experiment = done.experiment
    rows = []
    for place in dict.fromkeys([*done.results.cells, *experiment.published]):
        value = experiment.published.get(place)
        published = "" if value is None else experiment.format_published(place[1], value)
        printed = [*place, published]
        if place in done.results:
            cell = done.results[place]
            here = told(experiment, place, done.results)
            printed += [here, str(len(cell.values)), _time(cell.seconds), _work(cell.flops)]
        else:
            printed += ["", "", "", ""]
        rows.append(printed)
    headings = ["", "", "published", "here", "seeds", "time each", "FLOPs each"]
    kept = [place for place in range(7) if place == 0 or any(row[place] for row in rows)]
    print_table(
        [headings[place] for place in kept], [[row[place] for place in kept] for row in rows]
    )


def _plan(experiment: "Experiment", json_file: str | None) -> int:
    """What a cluster would run."""
    from dataclasses import asdict

    from vitreous.cli.class_table import print_class_tables
    from vitreous.experiments.cluster import count

    if experiment.paper is None:
        raise UserError(
            f"{experiment.name} has no --scale paper: choose {', '.join(experiment.scales)}"
        )
    lines = count(experiment.paper())
    if write_json(json_file, [asdict(line) for line in lines]):
        return 0
    whose = "as a cluster would run it" if lines[0].gpus > 1 else "as it was run"
    print(f"{experiment.title} ({experiment.source}), {whose}\n")
    if experiment.class_tables is not None:
        print(f"published: {experiment.published_as}\n")
        print_class_tables(experiment, None)
        print()
    print_table(
        [
            "",
            "data",
            "parameters",
            "images seen",
            "steps of",
            "images",
            "exaFLOPs",
            "GPU-days",
        ],
        [
            [
                line.label,
                line.data,
                f"{line.parameters / 1e6:.1f}M",
                f"{_round(line.images / 1e6)}M",
                f"{line.steps:,}",
                line.batch_size,
                _round(line.exaflops),
                _round(line.gpu_days),
            ]
            for line in lines
        ],
    )
    for gpus in dict.fromkeys(line.gpus for line in lines):
        print(f"\na step on {gpus} GPU{'s' if gpus > 1 else ''} of 80 GB:")
        for held in told_memory([line for line in lines if line.gpus == gpus]):
            print(f"  {held}")
    print(
        "\nGPU-days are of one A100 at 40 % of its peak in bfloat16, by arithmetic; fine-tuning "
        "and evaluation come on top; nothing was trained"
    )
    return 0


def told_memory(lines: "Sequence[ClusterLine]") -> list[str]:
    """How each model is held; by data set where classes make a difference."""
    plans: dict[str, dict[str, list[str]]] = {}
    for line in lines:
        plans.setdefault(line.label, {}).setdefault(line.plan, []).append(line.data)
    told = []
    for label, held in plans.items():
        for plan, data in held.items():
            named = f"{label} on {', '.join(data)}" if len(held) > 1 else label
            told.append(f"{named}: {plan}")
    return told


def _list(json_file: str | None) -> int:
    from vitreous.experiments.catalogue import NAMES, find_experiment

    experiments = [find_experiment(name) for name in NAMES]
    listed = [
        {
            "name": experiment.name,
            "title": experiment.title,
            "source": experiment.source,
            "minutes": {name: scale.minutes for name, scale in experiment.scales.items()},
            "paper": experiment.paper is not None or experiment.grid is not None,
        }
        for experiment in experiments
    ]
    if not write_json(json_file, listed):
        width = max(len(name) for name in NAMES)
        print_table(
            ["", "pocket", "lab", "paper"],
            [
                [
                    f"{one.name:{width}}  {one.title} ({one.source.partition(';')[0]})",
                    *(
                        _time(60 * one.scales[scale].minutes) if scale in one.scales else "-"
                        for scale in ("pocket", "lab")
                    ),
                    "counted" if one.paper else "printed" if one.grid else "-",
                ]
                for one in experiments
            ],
        )
    return 0


def _round(value: float) -> str:
    """A whole number, or two digits of a small one."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _work(flops: float) -> str:
    return f"{flops:.2g}" if flops else "-"

"""Measure a model on VTAB-1k: 19 tasks in three groups, 1,000 training images each.

  vitreous vtab B_16.npz --data vtab-1k/
  vitreous vtab runs/pretrained --data vtab-1k/ --tasks cifar,dtd,svhn --json -
  vitreous vtab B_16.npz --tasks eurosat=hf:OWNER/NAME
  vitreous vtab L_16.npz --data vtab-1k/ --method finetune --out runs/vtab

SETS holds a folder (or .tar, .csv, .npz...) for each task, called as in --tasks: in it train800,
val200 and test as class folders, or as the lists train800.txt, val200.txt and test.txt. Sets that
are missing are named, with where to get them, and the others are scored. All 19 are listed below.

linear: a linear probe on frozen features; its penalty is chosen on the 200 validation images and
then fitted to all 1,000. finetune: the paper's way, one setting for all tasks (2,500 steps at 0.01,
no sweep), on all 1,000; a run folder a task in RUNS, and a stopped one goes on.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitreous.cli.inference_options import add_inference_arguments
from vitreous.cli.output import add_json_argument, print_table, write_json
from vitreous.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vitreous.data.sample import Dataset
    from vitreous.evaluate.vtab_tasks import Task

    Score = Callable[[Task, Dataset], dict[str, Any]]


_BATCH = 64  # images at once, of linear


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options, and where the sets come from."""
    from vitreous.evaluate.vtab_tasks import TASKS

    homes = [(task.name, task.folder, task.home) for task in TASKS]
    parser.epilog = "\n".join(["the sets, their folders, and the images:", *_listed(homes)])
    parser.add_argument("model", metavar="MODEL", help="run folder or checkpoint")
    parser.add_argument("--data", metavar="SETS", help="the folder that holds the tasks' sets")
    parser.add_argument(
        "--tasks", metavar="TASK[=DATA],...", help="some tasks, or where their data is; else all"
    )
    parser.add_argument("--method", metavar="NAME", default="linear", help="linear or finetune")
    parser.add_argument("--out", metavar="RUNS", help="of finetune: the folder for its runs")
    parser.add_argument("--steps", metavar="INT", help="of finetune, in place of 2,500")
    parser.add_argument("--learning_rate", metavar="NUMBER", help="of finetune, in place of 0.01")
    parser.add_argument("--image_size", metavar="INT", help="of finetune, in place of 384")
    parser.add_argument(
        "--images", metavar="INT", type=int, help="test images of a task at most; else all"
    )
    add_inference_arguments(parser, batch_size=_BATCH)
    # Each method has its own: None tells that they were not typed.
    parser.set_defaults(batch_size=None, precision=None)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Find the sets, score each, print the table."""
    from vitreous.evaluate.vtab import missing, open_task, summarise

    for name in ("batch_size", "images"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            raise UserError(f"--{name} is {getattr(arguments, name)}: give at least 1")
    wanted, found = _sets(arguments)
    absent = missing(wanted, found)
    score = _scorer(arguments)
    rows, failed = list[dict[str, Any]](), list[dict[str, str]]()
    told = not arguments.json == "-"
    for task, address in found.items():
        try:
            rows.append(score(task, open_task(task, address, arguments.images)))
        except UserError as error:
            failed.append({"task": task.name, "reason": str(error)})
            continue
        if told:
            print(f"{task.name}: {_accuracy(rows[-1])}", flush=True)
    if not rows:
        raise UserError(failed[0]["reason"])
    results = {
        "model": arguments.model,
        "method": arguments.method,
        "tasks": rows,
        "groups": summarise(rows),
        "missing": absent,
        "failed": failed,
    }
    if not write_json(arguments.json, results):
        _print(results)
    return 0


def _sets(arguments: Namespace) -> "tuple[list[Task], dict[Task, str]]":
    """The tasks that are asked for, and the addresses of those that are there."""
    from vitreous.evaluate.vtab import find_sets, find_task, missing
    from vitreous.evaluate.vtab_tasks import TASKS

    found = {} if arguments.data is None else find_sets(arguments.data)
    wanted = list(TASKS)
    if arguments.tasks is not None:
        wanted = []
        for text in arguments.tasks.split(","):
            name, given, address = text.partition("=")
            wanted.append(find_task(name))
            if given:
                found[wanted[-1]] = address
    elif arguments.data is None:
        raise UserError("which data? give --data SETS, or --tasks TASK=DATA")
    found = {task: found[task] for task in wanted if task in found}
    if not found:
        # The error is one line: what it speaks of goes before it.
        print("\n".join(_to_get(missing(wanted, found))), file=sys.stderr)
        raise UserError(
            f"{arguments.data or '--tasks'}: none of the sets is there: get those listed above"
        )
    return wanted, found


def _scorer(arguments: Namespace) -> "Score":
    if arguments.method == "linear":
        from vitreous.evaluate.vtab import score_linear
        from vitreous.parallel.device import choose_engine
        from vitreous.weights.load import load

        for name in ("out", "steps", "learning_rate", "image_size"):
            if getattr(arguments, name) is not None:
                raise UserError(f"--{name} is of --method finetune: leave it out")
        engine = choose_engine(arguments.device, arguments.precision or "float32")
        model = load(arguments.model)
        return lambda task, dataset: score_linear(
            model,
            task,
            dataset,
            engine,
            batch_size=arguments.batch_size or _BATCH,
            bad_limit=arguments.bad_limit,
        )
    if arguments.method != "finetune":
        raise UserError(f"--method is {arguments.method}: choose linear or finetune")
    if arguments.out is None:
        raise UserError("--method finetune writes a run for each task: give --out RUNS")
    if arguments.batch_size is not None:
        raise UserError("--batch_size is of --method linear: leave it out")
    from vitreous.cli.terminal import console_on_stderr
    from vitreous.train.vtab import finetune_task

    fields = {"device": arguments.device, "bad_limit": str(arguments.bad_limit)}
    for name, field in (
        ("steps", "steps"),
        ("learning_rate", "optimizer.learning_rate"),
        ("image_size", "model.image_size"),
        ("precision", "precision"),
    ):
        if getattr(arguments, name) is not None:
            fields[field] = getattr(arguments, name)
    console = console_on_stderr()
    return lambda task, dataset: finetune_task(
        arguments.model, task, dataset, Path(arguments.out, task.folder), console, fields
    )


def _accuracy(row: dict[str, Any]) -> str:
    low, high = row["accuracy_interval"]
    return f"{row['accuracy']:.1%} (95 %: {low:.1%} to {high:.1%}) of {row['num_images']:,} images"


def _print(results: dict[str, Any]) -> None:
    columns = list(results["tasks"][0]["published"])
    rows: list[tuple[str, ...]] = []
    for row in results["tasks"]:
        low, high = row["accuracy_interval"]
        rows.append(
            (
                row["task"],
                f"{row['accuracy']:.1%}",
                f"{low:.1%} to {high:.1%}",
                *(f"{row['published'][column]:.1%}" for column in columns),
            )
        )
    for group in results["groups"]:
        rows.append(
            (
                f"{group['group']}, {group['tasks']} of {group['of']}",
                f"{group['accuracy']:.1%}",
                "",
                *(f"{group['published'][column]:.1%}" for column in columns),
            )
        )
    print()
    print_table(["task", "accuracy", "95 % interval", *columns], rows)
    print("\nbeside it: the paper's Table 9, by fine-tuning; means are of the tasks that are here")
    for row in results["tasks"]:
        for words in (row["notes"].get(key) for key in ("protocol", "train", "classes", "test")):
            if words:
                print(f"{row['task']}: {words}")
        if row["skipped"]:
            print(f"{row['task']}: {len(row['skipped'])} unreadable left out: {row['skipped'][0]}")
    for failure in results["failed"]:
        print(f"{failure['task']}: not scored: {failure['reason']}")
    if results["missing"]:
        print("\n" + "\n".join(_to_get(results["missing"])))


def _to_get(absent: "Sequence[Mapping[str, str]]") -> list[str]:
    """Lines that name the sets that are not there, and tell how to get them."""
    return [
        f"missing, {len(absent)} of 19: get the images, and put VTAB-1k's train800, val200 and "
        "test",
        "into the folder, as class folders or as lists train800.txt, val200.txt, test.txt",
        *_listed([(one["task"], one["folder"], one["images"]) for one in absent]),
    ]


def _listed(rows: "Sequence[tuple[str, str, str]]") -> list[str]:
    """Name, folder and home of each set, in columns."""
    name, folder = (max(len(row[column]) for row in rows) + 2 for column in range(2))
    return [f"  {row[0]:{name}}{row[1]:{folder}}{row[2]}" for row in rows]

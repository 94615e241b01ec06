"""How fast models run here, beside timm, transformers, torchvision and vit-pytorch.

  vitreous bench --quick
  vitreous bench ViT-B/16 --task inference,training --precision bfloat16 --batch 8
  vitreous bench runs/photos --task default
  vitreous bench --plan

MODEL is a name, a run folder or a checkpoint; ViT-Ti/16 to ViT-L/16 (on a GPU ViT-H/14 too) where
none is given. Peers that are not installed are left out, and it is said. All subjects of a case
have the same weights, must give the same logits, and are timed in turns.

Results are kept in OUT/results.json after every case: a run that was stopped goes on where it was,
and cases that were measured at this commit on this machine are not repeated. OUT/RESULTS.md and the
figures beside it say them.

Tasks: inference, training (a whole step), default (what each package does unasked), growth
(inference over image sizes, batches and models); all where none is given.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitreous.cli.output import add_json_argument, write_json
from vitreous.cli.terminal import overwrite_line
from vitreous.errors import UserError

if TYPE_CHECKING:
    from vitreous.bench.case import Case
    from vitreous.bench.plan import Plan
    from vitreous.bench.run import Store


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "models", metavar="MODEL", nargs="*", help="names, run folders, checkpoints"
    )
    lists = {
        "task": "inference, training, default, growth",
        "precision": "float32, bfloat16; int8, float8 for inference",
        "mode": "eager, compiled",
        "batch": "images at once: 1,8,64",
        "subjects": "who takes part: vitreous,timm",
    }
    for name, words in lists.items():
        parser.add_argument(f"--{name}", metavar="A,B", help=words)
    parser.add_argument("--image_size", metavar="INT", type=int, help="side, pixels")
    parser.add_argument("--rounds", metavar="INT", type=int, default=9, help="turns of each")
    parser.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--threads", metavar="INT", type=int, default=0, help="of the CPU")
    parser.add_argument("--quick", action="store_true", help="ViT-B/16, batch 8, eager")
    parser.add_argument("--plan", action="store_true", help="say what it would do and how long")
    parser.add_argument("--again", action="store_true", help="measure again what is known")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("runs/bench"), help="default: runs/bench"
    )
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Plan, measure, say."""
    from vitreous.bench.plan import config_of
    from vitreous.bench.run import Store

    if arguments.rounds < 1:
        raise UserError(f"--rounds is {arguments.rounds}: give at least 1, 7 to rely on them")
    subjects = _subjects(arguments.subjects)
    cases = _plan(arguments).cases()
    for case in cases:
        config_of(case)  # a name that is none is said before anything runs
    store = Store(arguments.out / "results.json")
    due = [
        case for case in cases if arguments.again or not store.has(case, subjects, arguments.rounds)
    ]
    if arguments.plan:
        return _say_plan(arguments, cases, due, subjects)
    _measure(arguments, due, subjects, store, len(cases))
    results = [store.results[case.key] for case in cases]
    _write(arguments.out, store)
    taken = write_json(arguments.json, results)
    if not taken:
        _print(results)
        print(f"\nwritten to {arguments.out / 'RESULTS.md'}")
    return 1 if any("failed" in result for result in results) else 0


def _plan(arguments: Namespace) -> "Plan":
    from vitreous.bench.plan import Plan
    from vitreous.parallel.device import choose_engine

    batches = _list(arguments.batch)
    if not all(batch.isdecimal() for batch in batches):
        raise UserError(f"--batch is {arguments.batch!r}: give whole numbers, as 1,8,64")
    chosen: Any = {"precisions": _list(arguments.precision), "modes": _list(arguments.mode)}
    return Plan(
        tasks=_list(arguments.task),
        models=tuple(arguments.models),
        batches=tuple(map(int, batches)),
        image_size=arguments.image_size,
        device=str(choose_engine(arguments.device, "float32").device),
        threads=arguments.threads,
        quick=arguments.quick,
        **chosen,
    )


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _subjects(text: str | None) -> list[str]:
    from vitreous.bench.roster import OURS, PEERS

    known = [OURS, *PEERS]
    chosen = _list(text) or tuple(known)
    for name in chosen:
        if name not in known:
            raise UserError(f"--subjects names {name!r}: choose from {', '.join(known)}")
    return [name for name in known if name in chosen]


def _say_plan(
    arguments: Namespace, cases: list["Case"], due: list["Case"], subjects: list[str]
) -> int:
    from vitreous.bench.plan import estimate

    seconds = [estimate(case, len(subjects), arguments.rounds) for case in due]
    rows = [{"case": case.key, "seconds": round(s)} for case, s in zip(due, seconds, strict=True)]
    if not write_json(arguments.json, rows):
        for row in rows:
            print(f"{_duration(float(str(row['seconds']))):>9}  {row['case']}")
        print(
            f"\n{len(due)} cases, about {_duration(sum(seconds))} on a quiet machine; "
            f"{len(cases) - len(due)} of {len(cases)} are known already"
        )
    return 0


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.1f} min"


def _measure(
    arguments: Namespace, due: list["Case"], subjects: list[str], store: "Store", total: int
) -> None:
    """Case by case; each is kept as soon as it is measured, and said in a line on stderr."""
    from vitreous.bench.run import run_case

    if due:
        store.write()
    watched = sys.stderr.isatty()
    for number, case in enumerate(due, total - len(due) + 1):
        heading = f"{number}/{total}  {case.key}: "

        def told(words: str, heading: str = heading) -> None:
            if watched:
                overwrite_line(heading + words)

        told("starting")
        result = run_case(case, subjects, arguments.rounds, told)
        store.keep(case, result)
        told("")
        print("" if watched else heading, _said(result), sep="", file=sys.stderr, flush=True)


def _said(result: dict[str, Any]) -> str:
    """One case in a few words."""
    from vitreous.bench.roster import OURS
    from vitreous.bench.summary import summarise
    from vitreous.bench.table import number

    if "failed" in result:
        return f"failed: {result['failed']}"
    summary = summarise(result)
    best = summary.best_peer
    if OURS not in summary.rates:
        return f"{OURS} left out: {summary.left_out.get(OURS, 'not asked for')}"
    if best is None:
        return f"{number(summary.rates[OURS])} images/s"
    return (
        f"{number(summary.rates[OURS])} images/s, {summary.ratios[best].median:.2f} x {best}, "
        "the best peer"
    )


def _write(out: Path, store: "Store") -> None:
    """The page and its figures, of all that the folder knows."""
    from vitreous.bench.growth import curves
    from vitreous.bench.roster import OURS, PEERS
    from vitreous.bench.summary import summarise
    from vitreous.bench.table import FIGURES, markdown
    from vitreous.durable import write_text
    from vitreous.report.speed import growth, speed_beside
    from vitreous.report.svg import standalone_svg

    measured = [result for result in store.results.values() if "failed" not in result]
    rows = [(s.case.key, s.rates) for s in map(summarise, measured)]
    subjects, drawn = [OURS, *PEERS], []
    if any(OURS in rates and len(rates) > 1 for _, rates in rows):
        drawn.append(FIGURES["speed"])
        write_text(out / drawn[-1], standalone_svg(speed_beside(rows, subjects)))
    if found := curves(measured):
        panels = [
            {
                "title": curve.words,
                "axis": {"pixels": "image size", "operations": "model"}.get(curve.axis, "batch"),
                "at": curve.at,
                "labels": curve.labels,
                "operations": curve.operations,
                "seconds": curve.seconds,
            }
            for curve in found[:6]
        ]
        drawn.append(FIGURES["growth"])
        write_text(out / drawn[-1], standalone_svg(growth(panels, subjects)))
    write_text(out / "RESULTS.md", markdown(store.results.values(), drawn))


def _print(results: list[dict[str, Any]]) -> None:
    from vitreous.bench.case import Case

    print("\n".join(f"{Case(**result['case']).key}: {_said(result)}" for result in results))

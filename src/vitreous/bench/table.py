"""What was measured, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vitreous.bench.case import Case
from vitreous.bench.command import commands
from vitreous.bench.growth import Curve, curves
from vitreous.bench.measure import Ratio
from vitreous.bench.roster import OURS, PEERS
from vitreous.bench.summary import Summary, summarise

FIGURES = {"speed": "speed.svg", "growth": "growth.svg"}
"""Drawn beside the table, where there is something to draw."""

_TITLES = {
    "inference": "Inference",
    "training": "A step of training",
    "default": "What a user gets by default",
}
_NOTES = """\
Cells are images a second, medians of interleaved rounds; the subjects of a line took turns in one
run, each in a process of its own where the commit is e7fb6ba or later.

- **x best**: how many times as fast as the fastest peer of the line vitreous is; the median of the
  rounds' ratios, and in brackets their middle half. **By processor**: the same by processor time,
  which other programs on the machine change less, beside the peer that takes least of it.
- **Matrix rate** (ours / best peer): the model's operations, all tokens counted through all blocks,
  over the time, as a share of the rate of its bare matrix products, which took their turns too.
- **Reading** (ours / best peer): the least time to read the weights from memory, as a share.
- **Memory** (ours / best peer): weights, what the optimiser and CUDA graphs keep, and the peak of a
  call.

All have the same weights, and the same logits to 1e-4 (float32), 5e-2 (bfloat16) or 0.2 (int8,
float8) of the largest, which is checked before the clock runs. Beside these two of ours the others
run in bfloat16. On a GPU float32 is without TF32, but for what users get by default.
vit-pytorch alone has an architecture of its own (no biases for queries, keys and values; two more
layer norms): its weights are those of a model of ours of
that architecture. Compiled: the others by `torch.compile(model)`; ours is `vitreous.optimize` in
inference, whose time has the normalisation of bytes in it and which on a GPU may replay small
batches as CUDA graphs, and is compiled block by block in training. Eager int8 and float8 are
`vitreous.optimize` uncompiled. A step: forward, cross-entropy, backward, clipping, fused AdamW;
ours is the training loop's own."""


def markdown(results: Iterable[Mapping[str, Any]], figures: Sequence[str]) -> str:
    """The page.

    Args:
        results: Of cases, measured or failed.
        figures: Names of the files beside it.
    """
    results = list(results)
    measured = [result for result in results if "failed" not in result]
    lines = ["# Speed, beside the same models elsewhere", "", *_heading(results)]
    lines += [line for name in figures for line in ("", f"![{name.split('.')[0]}]({name})")]
    summaries = [summarise(result) for result in measured]
    groups: dict[str, list[Summary]] = {}
    for summary in summaries:
        case = summary.case
        how = [] if case.work == "default" else [case.precision, case.mode]
        title = ", ".join([_TITLES[case.work], *how, case.device])
        groups.setdefault(title, []).append(summary)
    for title, rows in groups.items():
        lines += ["", f"## {title}", "", *_table(rows)]
    lines += _growth(curves(measured))
    lines += _missing(results, summaries)
    lines += _places(results)
    lines += ["", "## How to read it", "", _NOTES]
    return "\n".join(lines) + "\n"


def _heading(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Machines, each once; and whose versions."""
    versions = {
        f"{name} {subject['version']}"
        for result in results
        for name, subject in result.get("subjects", {}).items()
        if "version" in subject
    }
    rounds = sorted({result["rounds"] for result in results})
    counted = f"rounds: {' to '.join(map(str, dict.fromkeys((rounds[0], rounds[-1]))))}"
    machines = dict.fromkeys(result["where"] for result in results)
    return [*machines, "", f"{', '.join(sorted(versions))}; {counted}"]


def _places(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where, when and by what, each place once, with the commands of its cases."""
    places: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        place = f"{result['where']}; {result['date']}; {result['software']}"
        places.setdefault(place, []).append(result)
    lines = ["", "## Commits and commands"]
    for place, there in places.items():
        lines += [
            "",
            f"{place}; measured again by",
            "",
            *(f"    {command}" for command in commands(there)),
        ]
    return lines


def _table(rows: Sequence[Summary]) -> list[str]:
    names = [name for name in (OURS, *PEERS) if any(name in row.rates for row in rows)]
    headings = ["model", "pixels", "batch", "threads", *names, "x best", "by processor"]
    headings += ["matrix rate", "reading", "memory, MiB", "commit"]
    cells = [_cells(row, names) for row in rows]
    kept = [at for at in range(len(headings)) if any(row[at] for row in cells)]
    left = "|".join("---" if at == 0 else "---:" for at in kept)
    return [
        f"| {' | '.join(headings[at] for at in kept)} |",
        f"|{left}|",
        *(f"| {' | '.join(row[at] for at in kept)} |" for row in cells),
    ]


def _cells(row: Summary, names: Sequence[str]) -> list[str]:
    case, best = row.case, row.best_peer
    pair = [name for name in (OURS, best) if name is not None]
    processor = row.processor_ratio if case.device == "cpu" else None
    return [
        case.model,
        str(case.image_size or ""),
        str(case.batch),
        str(case.threads or ""),
        *(number(row.rates.get(name)) for name in names),
        spread(row.ratios.get(best or "")),
        "" if processor is None else f"{processor.median:.2f}",
        " / ".join(f"{row.shares[name]:.2f}" for name in pair if name in row.shares),
        " / ".join(f"{row.reading[name]:.0%}" for name in pair if name in row.reading)
        if case.batch == 1
        else "",
        " / ".join(f"{row.peak[name] / 2**20:,.0f}" for name in pair if name in row.peak),
        row.commit,
    ]


def number(rate: float | None) -> str:
    """Three figures that say something."""
    if rate is None:
        return ""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 10 else f"{rate:.2f}"


def spread(ratio: Ratio | None) -> str:
    """The median, and the middle half."""
    return "" if ratio is None else f"**{ratio.median:.2f}** ({ratio.low:.2f}-{ratio.high:.2f})"


_AXES = {"pixels": "image size", "batch": "batch", "operations": "model"}


def _growth(drawn: Sequence[Curve]) -> list[str]:
    if not drawn:
        return []
    lines = ["", "## As the work grows", ""]
    lines += [
        "Exponents are of the power laws that fit the time of a call best: 1 is in proportion. The",
        "arithmetic's is that of the operations.",
    ]
    for curve in drawn:
        names = [name for name in (OURS, *PEERS) if name in curve.seconds]
        exponents = [f"{name} {found:.2f}" for name in names if (found := curve.exponent(name))]
        lines += [
            "",
            f"### {_AXES[curve.axis].capitalize()} ({curve.words})",
            "",
            f"| {_AXES[curve.axis]} | {' | '.join(curve.labels)} |",
            f"|---|{'---:|' * len(curve.labels)}",
        ]
        for name in names:
            rates = " | ".join(map(number, curve.rates(name)))
            lines.append(f"| {name}, images/s | {rates} |")
        if OURS in curve.peak:
            memory = ["" if held is None else f"{held / 2**20:,.0f}" for held in curve.peak[OURS]]
            lines.append(f"| memory of ours, MiB | {' | '.join(memory)} |")
        across = "the model's operations" if curve.axis == "operations" else curve.axis
        lines += [
            "",
            f"Exponent in {across}: {', '.join(exponents)}; arithmetic {curve.arithmetic:.2f}.",
        ]
    return lines


def _missing(results: Sequence[Mapping[str, Any]], summaries: Sequence[Summary]) -> list[str]:
    """What did not take part, and why, each reason once."""
    reasons: dict[str, list[str]] = {}
    for summary in summaries:
        for name, reason in summary.left_out.items():
            reasons.setdefault(f"{name}: {reason}", []).append(summary.case.key)
    lines = [
        f"- {reason} ({'all cases' if len(keys) == len(summaries) else '; '.join(keys)})"
        for reason, keys in reasons.items()
    ]
    lines += [f"- {Case(**r['case']).key}: {r['failed']}" for r in results if "failed" in r]
    return ["", "## Not measured", "", *lines] if lines else []

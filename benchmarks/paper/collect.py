"""Take results of `vitreous reproduce` over into this folder, and write RESULTS.md anew.

python benchmarks/paper/collect.py OUT --commit HASH [--note "on a busy machine"]
python benchmarks/paper/collect.py    # RESULTS.md alone, from what lies here
"""

import argparse
import json
import shutil
from pathlib import Path

from vitreous.cli.class_table import class_rows
from vitreous.experiments.catalogue import find_experiment
from vitreous.experiments.experiment import Experiment
from vitreous.experiments.results import Outcome, Results

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", help="the --out of vitreous reproduce")
    parser.add_argument("--commit", help="of the code that ran")
    parser.add_argument("--note", default="", help="about the machine")
    arguments = parser.parse_args()
    if arguments.out and not arguments.commit:
        parser.error("--commit is missing: give that of the code that ran")
    for file in sorted(arguments.out.glob("*.json")) if arguments.out else ():
        result = json.loads(file.read_text()) | {"commit": arguments.commit}
        if arguments.note:
            result["machine"] += f", {arguments.note}"
        (HERE / file.name).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        figure = file.with_suffix(".svg")
        if figure.is_file():
            shutil.copyfile(figure, HERE / figure.name)
    (HERE / "RESULTS.md").write_text(page())


def page() -> str:
    """RESULTS.md, from the JSON that lies here."""
    results = [json.loads(file.read_text()) for file in sorted(HERE.glob("*.json"))]
    return "\n\n".join(["# Results", *map(section, results)]) + "\n"


def section(result: dict) -> str:
    """One experiment: findings, values, machine."""
    name = result["name"]
    command = f"vitreous reproduce {name} --scale {result['scale']} --seeds {result['seeds']}"
    lines = [f"## {name}: {result['title']}", "", f"{result['source']}. {result['measured_as']}."]
    if result["published_as"]:
        lines += ["", f"Published: {result['published_as']}."]
    lines += ["", "| claim | verdict | by |", "|---|---|---|"]
    lines += [
        f"| {one['claim']} | **{one['verdict']}** | {one['why']} |" for one in result["findings"]
    ]
    lines += ["", *table(result)]
    if (HERE / f"{name}.svg").is_file():
        lines += ["", f"![{result['title']}]({name}.svg)"]
    lines += [
        "",
        f"`{command}`; {result['trials']} trials, {result['seconds'] / 60:.0f} minutes of training "
        f"steps, {result['flops']:.2g} operations; {result['machine']}; {result['date']}; commit "
        f"{result['commit']}",
    ]
    return "\n".join(lines)


def table(result: dict) -> list[str]:
    """Own values, then what is published and was not measured; in the experiment's own units."""
    experiment = find_experiment(result["name"])
    if experiment.class_tables is not None:
        return class_tables(experiment, result)
    rows = sorted(result["rows"], key=lambda row: "values" not in row)
    published = any("published" in row for row in rows)
    headings = ["", "", *["published"] * published, "here", "spread", "seeds"]
    lines = [line(headings), "|---" * len(headings) + "|"]
    for row in rows:
        cells = [row["row"], row["column"]]

        def told(key: str, row: dict = row) -> str:
            return experiment.format(row["column"], row[key]) if key in row else ""

        cells += [told("published")] * published
        cells += [told("mean"), told("spread"), str(len(row["values"])) if "values" in row else ""]
        lines.append(line(cells))
    return lines


def class_tables(experiment: Experiment, result: dict) -> list[str]:
    """Own values class by class beside the published ones, a table for each model."""
    results = Results(
        (row["row"], Outcome({row["column"]: value}, facts=facts))
        for row in result["rows"]
        for value, facts in zip(row.get("values", ()), row.get("facts", ()), strict=True)
    )
    lines = []
    for table in experiment.class_tables(results):
        headings, *rows = class_rows(experiment, table, results)
        lines += [line(headings), "|---" * len(headings) + "|", *map(line, rows), ""]
    return lines[:-1]


def line(cells: list[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


if __name__ == "__main__":
    main()

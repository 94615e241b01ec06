"""Take results of `vitreous reproduce` over into this folder, and write RESULTS.md anew.

python benchmarks/paper/collect.py OUT --commit HASH [--note "on a busy machine"]
python benchmarks/paper/collect.py OUT --commit HASH --weights "what the folder of --weights held"
python benchmarks/paper/collect.py --refused table9 --data DATA --weights FOLDER --commit HASH
python benchmarks/paper/collect.py    # RESULTS.md alone, from what lies here
"""

import argparse
import base64
import io
import json
import re
from pathlib import Path

from PIL import Image

from vitreous.cli.class_table import class_rows
from vitreous.errors import UserError
from vitreous.experiments.catalogue import find_experiment
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Experiment, Setting
from vitreous.experiments.finding import Finding
from vitreous.experiments.reproduce import Reproduction
from vitreous.experiments.results import Outcome, Results

HERE = Path(__file__).parent
_FEW_COLOURS = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", help="the --out of vitreous reproduce")
    parser.add_argument("--commit", help="of the code that ran")
    parser.add_argument("--note", default="", help="about the machine")
    parser.add_argument("--weights", default="", help="what --weights held, or with --refused it")
    parser.add_argument("--refused", help="an experiment that cannot be run with what is here")
    parser.add_argument("--data", type=Path, help="with --refused: the data that are here")
    arguments = parser.parse_args()
    if (arguments.out or arguments.refused) and not arguments.commit:
        parser.error("--commit is missing: give that of the code that ran")
    if arguments.refused:
        if not (arguments.data and arguments.weights):
            parser.error("--refused needs --data and --weights")
        result = refusal(arguments.refused, arguments.data, Path(arguments.weights))
        write(result | {"commit": arguments.commit})
    for file in sorted(arguments.out.glob("*.json")) if arguments.out else ():
        result = json.loads(file.read_text()) | {"commit": arguments.commit}
        if arguments.note:
            result["machine"] += f", {arguments.note}"
        if arguments.weights:
            result["weights"] = arguments.weights
        write(result)
        figure = file.with_suffix(".svg")
        if figure.is_file():
            (HERE / figure.name).write_text(photos_as_jpeg(figure.read_text()))
    (HERE / "RESULTS.md").write_text(page())


def write(result: dict) -> None:
    """Write one experiment's JSON."""
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (HERE / f"{result['name']}.json").write_text(text)


def refusal(name: str, data: Path, weights: Path) -> dict:
    """Return the result of an experiment that the package refuses: its words, and no values.

    Raises:
        SystemExit: It is not refused, and can be run.
    """
    experiment = find_experiment(name)
    setting = Setting(scale="pocket", seeds=1, data=Collection(data), weights=weights)
    try:
        experiment.refuse(setting)
        experiment.trials(setting)
    except UserError as error:
        words = str(error).replace(str(data), "DATA").replace(str(weights), "FOLDER")
    else:
        raise SystemExit(f"{name} is not refused: run it, and collect what comes out")
    done = Reproduction(
        experiment,
        setting,
        Results(()),
        [Finding("it can be run with the data that are here", "not shown", words)],
        trials=0,
        seconds=0.0,
        flops=0.0,
        files={},
    )
    return done.to_dict() | {"seeds": setting.seeds}


def photos_as_jpeg(figure: str) -> str:
    """Return an SVG whose photographs are JPEG: a third of the size, and no different to look at.

    Pictures of few colours, maps and filters, stay as they are.
    """

    def packed(match: re.Match[str]) -> str:
        with Image.open(io.BytesIO(base64.b64decode(match[1]))) as picture:
            pixels = picture.convert("RGBA")
        if pixels.getcolors(_FEW_COLOURS) is not None or pixels.getextrema()[3][0] < 255:
            return match[0]
        file = io.BytesIO()
        pixels.convert("RGB").save(file, "JPEG", quality=90)
        return f'"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"'

    return re.sub(r'"data:image/png;base64,([^"]+)"', packed, figure)


def page() -> str:
    """RESULTS.md, from the JSON that lies here."""
    results = [json.loads(file.read_text()) for file in sorted(HERE.glob("*.json"))]
    return "\n\n".join(["# Results", *map(section, results)]) + "\n"


def section(result: dict) -> str:
    """One experiment: findings, values, machine."""
    name = result["name"]
    command = f"vitreous reproduce {name} --scale {result['scale']} --seeds {result['seeds']}"
    if result.get("weights"):
        command += " --weights FOLDER"
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
    if result.get("weights"):
        lines[-1] += f"; FOLDER held {result['weights']}"
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
            form = experiment.format_published if key == "published" else experiment.format
            return form(row["column"], row[key]) if key in row else ""

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

"""Take results of `vitreous reproduce` over into this folder, and write RESULTS.md anew.

python benchmarks/paper/collect.py OUT --commit HASH [--note "on a busy machine"]
"""

import argparse
import json
import shutil
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the --out of vitreous reproduce")
    parser.add_argument("--commit", required=True, help="of the code that ran")
    parser.add_argument("--note", default="", help="about the machine")
    arguments = parser.parse_args()
    for file in sorted(arguments.out.glob("*.json")):
        result = json.loads(file.read_text()) | {"commit": arguments.commit}
        if arguments.note:
            result["machine"] += f", {arguments.note}"
        (HERE / file.name).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        figure = file.with_suffix(".svg")
        if figure.is_file():
            shutil.copyfile(figure, HERE / figure.name)
    results = [json.loads(file.read_text()) for file in sorted(HERE.glob("*.json"))]
    (HERE / "RESULTS.md").write_text("\n\n".join(["# Results", *map(section, results)]) + "\n")


def section(result: dict) -> str:
    """One experiment: findings, values, machine."""
    name = result["name"]
    command = f"vitreous reproduce {name} --scale {result['scale']} --seeds {result['seeds']}"
    lines = [f"## {name}: {result['title']}", "", f"{result['source']}. {result['measured_as']}."]
    lines += ["", "| claim | verdict | by |", "|---|---|---|"]
    lines += [
        f"| {one['claim']} | **{one['verdict']}** | {one['why']} |" for one in result["findings"]
    ]
    lines += ["", "| | | here | spread | seeds |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['row']} | {row['column']} | {number(row['mean'])} | {number(row['spread'])} "
        f"| {len(row['values'])} |"
        for row in result["rows"]
        if "values" in row
    ]
    if (HERE / f"{name}.svg").is_file():
        lines += ["", f"![{result['title']}]({name}.svg)"]
    lines += [
        "",
        f"`{command}`; {result['trials']} trials, {result['seconds'] / 60:.0f} minutes of training "
        f"steps, {result['flops']:.2g} operations; {result['machine']}; {result['date']}; commit "
        f"{result['commit']}",
    ]
    return "\n".join(lines)


def number(value: float) -> str:
    """Shares with their digits, counts whole."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4f}"


if __name__ == "__main__":
    main()

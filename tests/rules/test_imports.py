"""The directions of the house: who may import whom (CONTRIBUTING.md)."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
FILES = sorted((SOURCE / "vitreous").rglob("*.py"))

# A room imports rooms of lower rank, and its own files.
RANKS = {
    "model": 0,
    "data": 0,
    "parallel": 0,
    "weights": 1,
    "objective": 1,
    "evaluate": 2,
    "analysis": 2,
    "export": 2,
    "report": 3,
    "train": 4,
    "serve": 4,
    "explorer": 4,
    "bench": 5,
    "experiments": 5,
    "cli": 6,
}
FREE_TO_ALL = {
    "vitreous",
    "vitreous.errors",
    "vitreous.durable",
    "vitreous.files",
    "vitreous.kept",
}


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}


def room(module: str) -> str | None:
    """None for the files beside the rooms."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RANKS else None


def imports(file: Path) -> Iterator[str]:
    """Modules of the package that a file imports anywhere, inside functions and strings too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else str(node.module) for name in within]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value] if node.value in MODULES else []
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "vitreous")


@pytest.mark.parametrize("module", MODULES)
def test_a_file_imports_only_rooms_below_its_own(module: str) -> None:
    here = room(module)
    if here is None:
        return
    for imported in imports(MODULES[module]):
        assert imported in MODULES, f"{imported} is no module"
        there = room(imported)
        assert there is not None or imported in FREE_TO_ALL, imported
        if there is not None and there != here:
            assert RANKS[there] < RANKS[here], f"{here} imports {imported}"


def test_files_beside_the_rooms() -> None:
    """What every room may import imports no room itself."""
    assert {m for m in MODULES if room(m) is None} == FREE_TO_ALL | {"vitreous.__main__"}
    for module in FREE_TO_ALL - {"vitreous"}:
        assert set(imports(MODULES[module])) <= {"vitreous.errors"}


def test_every_room_has_its_rank() -> None:
    inside = [file.relative_to(SOURCE / "vitreous").parts for file in FILES]
    assert {parts[0] for parts in inside if len(parts) > 1} <= set(RANKS)


def test_no_two_files_import_one_another() -> None:
    graph = {module: set(imports(file)) - {module} for module, file in MODULES.items()}
    graph["vitreous"] = set()  # imports nothing before it is asked for
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert set(order) >= set(MODULES)


def test_every_module_can_be_imported() -> None:
    """In any order, since none leads back to itself."""
    modules = [module for module in MODULES if module != "vitreous.__main__"]
    program = "import sys, importlib; [importlib.import_module(m) for m in sys.argv[1:]]"
    command = [sys.executable, "-W", "error", "-c", program, *modules]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_tests_run_this_source() -> None:
    assert Path(str(importlib.import_module("vitreous").__file__)) in FILES

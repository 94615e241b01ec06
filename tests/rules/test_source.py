"""What holds for every file of the package (CONTRIBUTING.md)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vitreous

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "src" / "vitreous").rglob("*.py"))
WRITTEN = [*FILES, *sorted((ROOT / "tests").rglob("*.py"))]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", WRITTEN, ids=named)
def test_a_file_is_one_idea(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400
    assert not re.search(r"utils?|helpers?|misc|common|stuff", file.stem)


@pytest.mark.parametrize("file", FILES, ids=named)
def test_nothing_unpickles(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {str(node.module).split(".")[0]}
        elif isinstance(node, ast.Call):
            names = {ast.unparse(node.func)}
            if names & {"np.load", "numpy.load"}:
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert given.get("allow_pickle") == "False", f"line {node.lineno}"
            assert not any(
                k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords
            )
        else:
            continue
        assert not names & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
        if "torch.load" in names and file.name == "pickled.py":
            # PyTorch's own unpickler, which builds tensors only: no other reads these files.
            assert "weights_only=True" in ast.unparse(node), f"line {node.lineno}"
            continue
        assert not names & {"torch.load", "eval", "exec"}, f"line {getattr(node, 'lineno', 0)}"


def public(tree: ast.Module) -> Iterator[Definition]:
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                for inside in node.body:
                    if isinstance(inside, Definition) and not inside.name.startswith("_"):
                        yield inside


@pytest.mark.parametrize("file", FILES, ids=named)
def test_everything_public_says_what_it_is(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the file"
    for definition in public(tree):
        assert ast.get_docstring(definition), definition.name


@pytest.mark.parametrize("file", WRITTEN, ids=named)
def test_nothing_is_left_for_later(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b", text)


def test_every_room_mirrors_in_the_tests() -> None:
    rooms = {file.relative_to(ROOT / "src" / "vitreous").parts[0] for file in FILES}
    folders = {room for room in rooms if not room.endswith(".py")}
    assert folders <= {path.name for path in (ROOT / "tests").iterdir()}


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[?v?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert versions[0] == vitreous.__version__
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{vitreous.__version__}"' in project


def test_types_travel_with_the_package() -> None:
    assert (ROOT / "src" / "vitreous" / "py.typed").is_file()

"""What the README says, done: every command and every line of Python in it."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vitreous.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The same commands, small enough for a test.
QUICK = shlex.split("--steps 2 --batch_size 8 --micro_batch 4")
SMALL = shlex.split("--model.depth 1 --model.width 12 --model.heads 3 --model.mlp_width 12")


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("vitreous ")]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder like the README's."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    for name in ("daisy", "tulips"):
        for number in range(6):
            path = tmp_path / "photos" / name / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = draw.integers(0, 256, (90, 120, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    for path in ("new/1.jpg", "a.jpg", "b.png"):
        Path(path).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)


def test_the_commands(photos, capsys):
    train, evaluate, predict, compare, explain, *rest = commands()
    check, preview, twice, clean, without, tune, *rest = rest
    pretrain, probe, vtab, finetune, distil, *rest = rest
    reproducible, reproduce, plan, published, convert, models, embed, bench = rest
    assert main([*train[1:], *QUICK, *SMALL]) == 0
    assert main([*train[1:3], "--out", "runs/other", *QUICK, *SMALL, "--seed", "1"]) == 0
    assert main(evaluate[1:]) == 0
    predict[predict.index("new/*.jpg")] = "new/1.jpg"  # the shell does this
    assert main(predict[1:]) == 0
    assert main(compare[1:]) == 0
    assert main(explain[1:]) == 0
    assert main(check[1:]) == 0
    assert main(preview[1:]) == 0
    assert main(twice[1:]) == 0
    assert main([*clean[1:], *QUICK, *SMALL]) == 0
    assert main(without[1:]) == 0
    assert main([*tune[1:], *QUICK]) == 0
    assert main([*pretrain[1:], *QUICK, *SMALL]) == 0
    assert main(probe[1:]) == 0
    assert main(vtab[1:]) == 2  # its data is not here
    assert main([*finetune[1:], *QUICK]) == 0
    assert main([*distil[1:], *QUICK, *SMALL]) == 0
    assert main(reproducible[1:]) == 0
    assert main(reproduce[1:]) == 2  # its data is not here
    assert main(plan[1:]) == 0
    assert main(published[1:]) == 0
    assert main(convert[1:]) == 0
    assert main(models[1:]) == 0
    assert main(embed[1:]) == 0
    assert main([*bench[1:], "--plan"]) == 0
    assert Path("runs/photos/report.html").is_file()
    assert Path("comparison.html").is_file()
    assert Path("preview.html").is_file()
    told = re.findall(r"^\| `([^|]*)` \| ", README, re.MULTILINE)
    files = {
        name for names in told for name in re.findall(r"[\w.]+(?:json|html|jsonl|tensors)\b", names)
    }
    assert files >= {"config.json", "split.json", "report.html", "model.safetensors"}
    assert all(Path("runs/photos", name).is_file() for name in files)


def test_the_python(photos, capsys):
    assert main(["train", "photos", "--out", "runs/quickstart", *QUICK, *SMALL]) == 0
    capsys.readouterr()
    block, inside, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    pixels = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    names = {"images": torch.zeros(1, 3, 224, 224), "pixels": pixels}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["a.jpg", "b.png"]
    exec(compile(inside, "README.md", "exec"), names)  # noqa: S102
    assert [row.shape for row in names["distances"].values()] == [(1, 12)] * 12
    assert names["recording"].attention[11].shape == (1, 12, 197, 197)
    assert Path("model.safetensors").is_file()


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("quickstart", "test"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)

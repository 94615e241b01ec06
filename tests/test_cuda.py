"""What only a GPU can show; skipped without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from small_models import build, bytes_for, plain
from vitreous.train.muon import BatchedMuon, _of_one_shape

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

SHAPES = {
    "token": {},
    "mean": {"pooling": "mean", "class_token": False},
    "relative": {"position": "relative"},
    "hybrid": {"stem": (1, 1), "stem_width": 32, "image_size": (32, 32), "patch": 8},
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_optimised_model_answers_as_the_plain_one(shape: str, precision: str) -> None:
    model = build(**SHAPES[shape])
    images = bytes_for(model)
    expected = plain(model, images)
    fast = model.optimize(images, precision=precision, device="cuda", compiled=False)
    near = 1e-3 if precision == "float32" else 0.05
    found = fast(images).cpu()
    torch.testing.assert_close(found, expected, rtol=near, atol=near * float(expected.abs().max()))


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the compiler cannot see through the checks of shapes in tests."""
    command = [sys.executable, "-c", code, *arguments]
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


COMPILED = """
import sys, torch
from small_models import build, bytes_for, plain
count, precision, near = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
model = build(width=128, heads=4, mlp_width=256)
images = bytes_for(model, count)
expected = plain(model, images)
fast = model.optimize(images, device="cuda", precision=precision)
assert fast.precision == ("bfloat16" if precision == "auto" else precision)
for some in (count, 1, count):
    apart = (fast(images[:some]).cpu() - expected[:some]).norm() / expected[:some].norm()
    assert 0 < apart < near, apart
kept = fast.embed(images)
before = kept.clone()
fast.embed(images.flip(0))
assert torch.equal(kept, before)
"""


@pytest.mark.parametrize("count", [3, 16], ids=["replayed", "compiled"])
def test_compiled_it_stays_near_and_takes_other_batches_too(count: int) -> None:
    done = run(COMPILED, str(count), "auto", "0.03")
    assert done.returncode == 0, done.stderr


def test_float8_stays_near() -> None:
    if torch.cuda.get_device_capability() < (8, 9):
        pytest.skip("needs a GPU of Ada's or Hopper's kind")
    done = run(COMPILED, "16", "float8", "0.2")
    assert done.returncode == 0, done.stderr


def test_matrices_of_a_shape_move_together_as_each_would() -> None:
    def moved(device: str) -> list[torch.Tensor]:
        torch.manual_seed(0)
        matrices = [
            torch.nn.Parameter(torch.randn(shape).to(device))
            for shape in ((8, 12), (12, 8), (8, 12), (8, 12))
        ]
        assert len(list(_of_one_shape(matrices))) == (2 if device == "cuda" else 4)
        optimizer = BatchedMuon(matrices, lr=0.1, adjust_lr_fn="match_rms_adamw")
        for _ in range(3):
            for matrix in matrices:
                matrix.grad = torch.randn(matrix.shape).to(device)
            optimizer.step()
        return [matrix.detach().cpu() for matrix in matrices]

    torch.testing.assert_close(moved("cuda"), moved("cpu"), rtol=1e-3, atol=1e-3)


def train(folder: Path, *options: str, code: str = "") -> subprocess.CompletedProcess[str]:
    main = f"import torch; {code}; from vitreous.cli.main import main; import sys; sys.exit(main())"
    return run(main, "train", "digits", "--out", str(folder), *options)


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_run_learns(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = train(folder, "--epochs", "12")
    assert done.returncode == 0, done.stderr
    config = json.loads((folder / "config.json").read_text())
    assert (config["device"], config["precision"]) == ("cuda", "bfloat16")
    measured = [line for line in lines(folder) if "validation_accuracy" in line]
    assert measured[-1]["validation_accuracy"] > 0.8


@pytest.mark.slow
def test_short_of_memory_it_goes_on_in_pieces(tmp_path: Path) -> None:
    done = train(
        tmp_path / "run",
        *("--steps", "2", "--model", "ViT-S/16", "--batch_size", "256"),
        code="torch.cuda.set_per_process_memory_fraction(3 * 2**30 / torch.cuda.mem_get_info()[1])",
    )
    assert done.returncode == 0, done.stderr
    assert "going on with pieces of" in done.stdout + done.stderr
    assert lines(tmp_path / "run")[-1]["step"] == 2

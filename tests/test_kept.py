import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from vitreous.kept import keep
from vitreous.model.relative_position import offsets
from vitreous.model.sine_cosine import sine_cosine


def test_a_table_is_made_once() -> None:
    made = []

    @keep(2)
    def rows(count: int) -> Tensor:
        made.append(count)
        return torch.arange(count)

    for count in (3, 4, 3, 4):
        assert len(rows(count)) == count
    assert made == [3, 4]


CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "table", [lambda: sine_cosine((5, 3), 8, CPU), lambda: offsets(15, 1, 3, CPU)]
)
def test_what_is_traced_is_neither_kept_nor_given(table: Callable[[], Tensor]) -> None:
    for _ in range(2):
        with FakeTensorMode():
            assert isinstance(table(), FakeTensor)
        assert type(table()) is Tensor


_EXPORTED = """
import torch, vitreous
for position in ("sine_cosine", "relative"):
    model = vitreous.create_model(vitreous.ViTConfig(
        image_size=16, patch=8, width=16, depth=1, heads=1, mlp_width=8, num_classes=2,
        position=position)).eval()
    torch.nn.init.normal_(model.head.weight)
    images = torch.randn(2, 3, 16, 16)
    exported = torch.export.export(model, (images,)).module()
    with torch.no_grad():
        logits = model(images)
        assert type(logits) is torch.Tensor
        torch.testing.assert_close(exported(images), logits)
        compiled = torch.compile(model, backend="eager")
        torch.testing.assert_close(compiled(images), logits)
"""


def test_a_model_that_was_exported_goes_on() -> None:
    """In a process of its own: the exporter does not see through the tests' type checks."""
    environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error:.*lru_cache", "-c", _EXPORTED]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from vitreous.cli.main import main
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.weights.save import save


@pytest.fixture
def model(tmp_path: Path) -> str:
    config = ViTConfig(
        image_size=8, patch=4, channels=1, width=12, depth=2, mlp_width=20, heads=2, num_classes=3
    )
    save(create_model(config), tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


def test_a_data_set_becomes_a_file(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of other classes than the model's."""
    out = tmp_path / "features.parquet"
    assert main(["embed", model, "digits", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"12 features of 1,437 train, 360 test images in {out}\n"
    assert captured.err == ""
    assert parquet.read_metadata(out).num_rows == 1797


def test_for_machines(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "features.parquet"
    options = ["--part", "test", "--pool", "mean", "--layer", "0", "--json", "-"]
    assert main(["embed", model, "digits", "--out", str(out), *options]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results == {"file": str(out), "images": {"test": 360}, "width": 12, "skipped": []}


def test_mistakes_are_one_line(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "features.parquet")]
    for arguments, complaint in (
        ([model, "digits", "--out", "features.csv"], "name it .parquet"),
        ([model, "digits", *out, "--pool", "max"], "choose head, token or mean"),
        ([model, "digits", *out, "--layer", "3"], "--layer goes with --pool"),
        ([model, "digits", *out, "--batch_size", "0"], "give at least 1"),
        ([model, "digits", *out, "--part", "validation"], "no part 'validation'"),
        ([model, "digts", *out], "did you mean digits?"),
        (["none", "digits", *out], "no such model"),
    ):
        assert main(["embed", *arguments]) == 2
        error = capsys.readouterr().err
        assert complaint in error
        assert error.count("\n") == 1
    assert not (tmp_path / "features.parquet").exists()

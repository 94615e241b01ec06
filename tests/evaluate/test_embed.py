import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyarrow import parquet

import vitreous.evaluate.embed
from vitreous.data.batch import normalise
from vitreous.data.sample import Dataset
from vitreous.data.transform import fit_for_test
from vitreous.errors import BadImageError, UserError
from vitreous.evaluate.embed import Features, embed_dataset
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import Engine
from vitreous.weights.passport import passport_of

CPU = Engine(torch.device("cpu"), "float32", "as asked")


class Noise:
    """Random images; some cannot be read."""

    def __init__(self, count: int, bad: tuple[int, ...] = ()) -> None:
        draw = np.random.default_rng(count)
        self.pixels = draw.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
        self.labels = np.arange(count) % 2
        self.names = [f"of {count}: {index}" for index in range(count)]
        self.bad = bad

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        if index in self.bad:
            raise BadImageError(self.names[index], "broken")
        return self.pixels[index]


@pytest.fixture
def model() -> VisionTransformer:
    torch.manual_seed(0)
    config = ViTConfig(
        image_size=8, patch=4, width=12, depth=3, mlp_width=20, heads=2, num_classes=5
    )
    model = create_model(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.fixture
def make() -> Callable[..., Dataset]:
    def make(**parts: Noise) -> Dataset:
        return Dataset(address="noise", class_names=("cat", "dog"), parts=parts, channels=3)

    return make


def images_of(model: VisionTransformer, part: Noise) -> torch.Tensor:
    rule = passport_of(model).preprocessing
    return normalise(torch.stack([fit_for_test(pixels, rule) for pixels in part.pixels]), rule)


def column(file: Path, name: str) -> Any:
    values = parquet.read_table(file)[name].to_pylist()
    return np.array(values, dtype=np.float32) if name == "features" else values


def test_rows_are_features_labels_and_names(
    model: VisionTransformer, make: Callable[..., Dataset], tmp_path: Path
) -> None:
    train, test, file = Noise(7), Noise(4), tmp_path / "a.parquet"
    dataset = make(train=train, test=test)
    told: list[int] = []
    embedding = embed_dataset(model, dataset, file, CPU, batch_size=3, advance=told.append)
    assert (embedding.images, embedding.width) == ({"train": 7, "test": 4}, 12)
    assert sum(told) == 11
    with torch.no_grad():
        expected = torch.cat([model.embed(images_of(model, part)) for part in (train, test)])
    np.testing.assert_allclose(column(file, "features"), expected, atol=1e-5)
    assert column(file, "label") == [*train.labels, *test.labels]
    assert column(file, "label_name")[:3] == ["cat", "dog", "cat"]
    assert column(file, "name") == train.names + test.names
    assert column(file, "part") == ["train"] * 7 + ["test"] * 4
    schema = parquet.read_schema(file)
    assert str(schema.field("features").type) == "fixed_size_list<element: float>[12]"
    assert json.loads(schema.metadata[b"vitreous"])["features"]["pool"] == "head"


@pytest.mark.parametrize("pool", ["token", "mean"])
@pytest.mark.parametrize("layer", [-1, 0])
def test_a_layers_token_or_mean(
    model: VisionTransformer, make: Callable[..., Dataset], tmp_path: Path, pool: Any, layer: int
) -> None:
    part, file = Noise(5), tmp_path / "a.parquet"
    embed_dataset(model, make(test=part), file, CPU, features=Features(pool=pool, layer=layer))
    with torch.no_grad():
        (tokens,) = model.features(images_of(model, part), [layer], as_grid=False, norm=True)
    expected = tokens[:, 0] if pool == "token" else tokens[:, 1:].mean(1)
    np.testing.assert_allclose(column(file, "features"), expected, atol=1e-5)


def test_row_groups_bound_the_memory(
    model: VisionTransformer,
    make: Callable[..., Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vitreous.evaluate.embed, "ROWS", 8)
    file = tmp_path / "a.parquet"
    embed_dataset(model, make(train=Noise(30)), file, CPU, batch_size=4)
    metadata = parquet.read_metadata(file)
    rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert rows == [8, 8, 8, 6]


def test_unreadable_images_are_left_out_and_named(
    model: VisionTransformer, make: Callable[..., Dataset], tmp_path: Path
) -> None:
    part, file = Noise(6, bad=(0, 4)), tmp_path / "a.parquet"
    embedding = embed_dataset(model, make(test=part), file, CPU, batch_size=2, bad_limit=0.5)
    assert embedding.images == {"test": 4}
    assert embedding.skipped == {"of 6: 0": "broken", "of 6: 4": "broken"}
    assert column(file, "name") == [part.names[index] for index in (1, 2, 3, 5)]


def test_a_run_that_stops_leaves_nothing(
    model: VisionTransformer, make: Callable[..., Dataset], tmp_path: Path
) -> None:
    part = Noise(6, bad=(0, 1, 2, 3, 4))
    with pytest.raises(UserError, match="cannot be read, over the limit"):
        embed_dataset(model, make(test=part), tmp_path / "a.parquet", CPU, batch_size=2)
    assert list(tmp_path.iterdir()) == []


def test_mistakes(
    model: VisionTransformer,
    make: Callable[..., Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset, file = make(test=Noise(4)), tmp_path / "a.parquet"
    with pytest.raises(UserError, match="noise has no part 'train': it has test"):
        embed_dataset(model, dataset, file, CPU, parts=["train"])
    with pytest.raises(UserError, match="no layer 3"):
        embed_dataset(model, dataset, file, CPU, features=Features(pool="mean", layer=3))
    (tmp_path / "plain").touch()
    with pytest.raises(UserError, match="cannot write"):
        embed_dataset(model, dataset, tmp_path / "plain" / "a.parquet", CPU)
    file.touch()
    with pytest.raises(UserError, match="exists: choose another"):
        embed_dataset(model, dataset, file, CPU)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install .*vitreous\[parquet\]"):
        embed_dataset(model, dataset, tmp_path / "b.parquet", CPU)


def test_no_class_token_to_take(make: Callable[..., Dataset], tmp_path: Path) -> None:
    config = ViTConfig(
        image_size=8,
        patch=4,
        width=12,
        depth=1,
        mlp_width=8,
        heads=2,
        class_token=False,
        pooling="mean",
        final_norm="pooled",
    )
    model = create_model(config)
    with pytest.raises(UserError, match="no class token: pool by mean"):
        embed_dataset(
            model, make(test=Noise(2)), tmp_path / "a", CPU, features=Features(pool="token")
        )
    embed_dataset(model, make(test=Noise(2)), tmp_path / "a", CPU, features=Features(pool="mean"))

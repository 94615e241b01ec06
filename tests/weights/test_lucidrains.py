import json
from pathlib import Path

import numpy as np
import pytest
import torch

import vitreous
from vitreous.data.batch import normalise
from vitreous.data.open import open_dataset
from vitreous.errors import UserError

NEWEST = {
    "patch_norms": True,
    "qkv_bias": False,
    "activation": "gelu",
    "norm_eps": 1e-5,
    "heads": 2,
}
TRAINED = ["vit_mnist_gpu.pt", "vit_mnist_gpu.safetensors"]


@pytest.mark.parametrize("name", TRAINED)
def test_a_real_model_of_the_older_layout_says_what_it_is(shared_data: Path, name: str) -> None:
    model = vitreous.load(shared_data / "vit_mnist_checkpoint" / name)
    config, passport = model.config, model.passport
    assert (config.width, config.heads, config.head_dim, config.depth) == (64, 4, 64, 6)
    assert (config.channels, config.patch, config.image_size) == (1, 4, (28, 28))
    assert (config.activation, config.norm_eps, config.qkv_bias) == ("relu", 1e-5, False)
    assert (passport.preprocessing.mean, passport.preprocessing.std) == ((0.1307,), (0.3081,))
    assert passport.origin["layout"] == "older"
    assert passport.licence == "MIT"


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_gets_9721_of_10000_right(shared_data: Path, name: str) -> None:
    model = vitreous.load(shared_data / "vit_mnist_checkpoint" / name)
    digits = open_dataset(str(shared_data / "mnist_test"))
    part = digits.parts["test"] if "test" in digits.parts else next(iter(digits.parts.values()))
    images = torch.stack([torch.from_numpy(read(part, i)) for i in range(10_000)])
    with torch.inference_mode():
        batches = normalise(images, model.passport.preprocessing).split(500)
        logits = torch.cat([model(batch) for batch in batches])
    reference = shared_data / "vit_mnist_checkpoint" / "reference_logits_mnist_test.npz"
    with np.load(reference) as archive:
        expected = torch.from_numpy(archive["logits"])
    assert float((logits - expected).abs().max()) < 1e-3
    assert int((logits.argmax(1) == torch.as_tensor(part.labels)).sum()) == 9721


def test_the_order_of_a_patchs_pixels_is_row_column_channel(make, write) -> None:
    model = make(**NEWEST)

    def check(tensors):
        kernel = tensors["to_patch_embedding.2.weight"]
        assert torch.equal(kernel[:, (1 * 4 + 2) * 3 + 1], model.patch.weight[:, 1, 1, 2])
        return tensors

    again = vitreous.load(write(model, "lucidrains", "current", check), heads=2)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_heads_as_wide_as_is_usual_there(golden: Path, tmp_path: Path) -> None:
    content = (golden / "lucidrains_vit_mean.safetensors").read_bytes()
    (tmp_path / "x.safetensors").write_bytes(content)
    model = vitreous.load(tmp_path / "x.safetensors")
    assert (model.config.heads, model.config.head_dim) == (1, 64)
    assert any("64 wide" in words for words in model.passport.assumptions)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"heads": 2, "dim_head": 64}, "dim_head 64, its tensors say 32"),
        ({"heads": 2, "pool": "max"}, "choose cls or mean"),
        ({"heads": 2, "channels": 5}, "48 numbers"),
        ({"heads": 2, "activation": "mish"}, "activation 'mish'"),
        ({"heads": 2, "patch_size": 8}, "patch_size"),
        ({"heads": 2, "patch_size": [5, 2]}, "patch_size 5x2 and its patches have 48"),
        ({"heads": 2, "dim": 65}, "dim 65, its tensors say 64"),
        ({"heads": 2, "num_classes": 4}, "num_classes 4, its tensors say 5"),
        ({"heads": 2, "frames": 4}, "frames: it is no model of images"),
        ({}, "one of 64 would have no output projection: give heads="),
    ],
)
def test_a_config_that_cannot_be(make, write, config, complaint: str) -> None:
    file = write(make(**NEWEST), "lucidrains", "current")
    file.with_suffix(".config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=complaint):
        vitreous.load(file)


def read(part, index: int) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(part.read(index), -1, 0))

from pathlib import Path

import pytest
import torch

import vitreous
from vitreous.errors import UserError


def test_its_preprocessing_and_dialect(golden: Path) -> None:
    model = vitreous.load(golden / "torchvision_vit.safetensors")
    rule = model.passport.preprocessing
    assert (rule.mean[0], rule.crop_fraction, rule.interpolation) == (0.485, 0.875, "bilinear")
    assert (model.config.resample, model.config.norm_eps) == ("torchvision", 1e-6)


def test_its_representation_layer_is_pre_logits(make, write) -> None:
    model = make(pre_logits=24, activation="gelu")
    again = vitreous.load(write(model, "torchvision", "published"))
    assert again.passport.origin["layout"] == "published"
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(again(images), model(images))


def test_a_lying_config_is_refused(make, write) -> None:
    file = write(make(), "torchvision", "numbered")
    file.with_suffix(".config.json").write_text('{"num_layers": 12}')
    with pytest.raises(UserError, match="num_layers 12, its tensors say 2"):
        vitreous.load(file)

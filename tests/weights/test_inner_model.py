from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError

GELU = {"activation": "gelu"}


@pytest.fixture
def wrapped(make, write, tmp_path: Path):
    """Writes a timm model under prefixes, with tensors beside; gives the model and the file."""

    def wrapped(*prefixes: str, beside=None, family: str = "timm", layout: str = "", **fields):
        model = make(**GELU | fields)
        tensors = load_file(write(model, family, layout))
        content = {}
        for number, prefix in enumerate(prefixes):
            content |= {f"{prefix}{name}": t * 2**number for name, t in tensors.items()}
        file = tmp_path / "wrapped.safetensors"
        save_file(content | (beside or {}), file)
        return model, file

    return wrapped


def same(file: Path, model, **options) -> bool:
    ours = vitreous.load(file, **options)
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return torch.allclose(ours(images), model(images), atol=1e-5)


@pytest.mark.parametrize("prefix", ["net.", "vit.", "feature_extractor.vit.", "encoder.backbone."])
def test_any_prefix_is_taken_off_beside_other_tensors(wrapped, prefix: str, caplog) -> None:
    beside = {"criterion.weight": torch.ones(5), "decoder.weight": torch.ones(7, 9)}
    model, file = wrapped(prefix, beside=beside)
    assert same(file, model)
    assert "left out the loss and metrics of training: criterion.weight" in caplog.text
    assert f"left out decoder.weight, outside {prefix!r}" in caplog.text


def test_a_loss_beside_plain_names_is_left_out_aloud(wrapped) -> None:
    model, file = wrapped("", beside={"val_acc.total": torch.ones(2), "loss.w": torch.ones(1)})
    assert same(file, model)
    assert any("val_acc.total" in line for line in vitreous.load(file).passport.assumptions)


def test_averaged_weights_under_another_prefix(wrapped) -> None:
    model, file = wrapped("model.", "ema_model.")
    assert same(file, model)
    assert any("wrapper='ema_model'" in x for x in vitreous.load(file).passport.assumptions)
    averaged = vitreous.load(file, wrapper="ema_model")
    assert torch.equal(averaged.head.weight, 2 * model.head.weight)


def test_two_models_are_asked_about(wrapped) -> None:
    model, file = wrapped("left.", "right.")
    with pytest.raises(UserError, match=r"each of left\., right\.: say which, by wrapper='left'"):
        vitreous.load(file)
    assert same(file, model, wrapper="left")
    with pytest.raises(UserError, match="no model known here lies under wrapper='middle'"):
        vitreous.load(file, wrapper="middle")


def test_a_linear_layer_outside_is_the_head(wrapped) -> None:
    kernel, bias = torch.randn(7, 64), torch.randn(7)
    beside = {"fc.weight": kernel, "fc.bias": bias}
    model, file = wrapped("net.", beside=beside, num_classes=0)
    ours = vitreous.load(file)
    assert any("took fc, outside 'net.', for the head" in x for x in ours.passport.assumptions)
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), model(images) @ kernel.T + bias)


def test_hugging_faces_names_keep_their_own_prefix(wrapped) -> None:
    model, file = wrapped("net.", family="huggingface", layout="version 4", norm_eps=1e-12)
    assert same(file, model)

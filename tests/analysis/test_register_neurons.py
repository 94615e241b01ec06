"""Test-time registers, on a model whose register neuron is planted by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import vitreous
from needs import needs_vnni
from planted import LAYER, NEURON, bright_images, bright_pixels, planted
from vitreous.analysis.register_neurons import find_remedy, with_test_time_register
from vitreous.errors import UserError
from vitreous.model.recording import Recording
from vitreous.model.register_neurons import RegisterNeurons


@pytest.mark.parametrize("fields", [{}, {"pooling": "mean", "class_token": False}])
def test_the_planted_neuron_is_found_and_moved(fields: dict[str, object]) -> None:
    model = planted(**fields)
    found = find_remedy(model, bright_images())
    assert found is not None
    assert found.works
    assert [(n.layer, n.index) for n in found.neurons] == [(LAYER, NEURON)]
    assert found.neurons[0].artifacts > 4
    assert abs(found.neurons[0].others) < 0.2
    assert found.before.share.tolist() == pytest.approx([0, 4 / 45, 4 / 45, 4 / 45])
    assert found.after.share.tolist() == [0, 0, 0, 0]
    assert found.before.longest[LAYER] > 10
    assert found.after.longest.max() < 3
    recording = Recording(tokens=[LAYER])
    found.model(bright_images(), recording=recording)
    place = int(model.config.class_token)
    assert recording.prefix == place + 1
    assert (recording.tokens[LAYER][:, place].norm(dim=-1) > 100).all(), "the register took it"


def test_no_artifacts_need_no_remedy() -> None:
    model = planted()
    assert find_remedy(model, torch.randn(2, 3, 24, 40)) is None


def test_trained_registers_are_left_alone() -> None:
    with pytest.raises(UserError, match=r"has trained registers \(2\)"):
        with_test_time_register(planted(registers=2), [(0, 0)])


def test_what_is_moved() -> None:
    x = torch.tensor([[[1.0, 5], [9, 2], [3, 4]]])
    moved = RegisterNeurons([0], register=1)(x)
    torch.testing.assert_close(moved, torch.tensor([[[0.0, 5], [9, 2], [0, 4]]]))
    torch.testing.assert_close(RegisterNeurons([0], 1)(x[:, :1]), torch.tensor([[[0.0, 5]]]))


def test_no_neuron_moved_still_has_its_register() -> None:
    """An untrained token alone changes little, but it is attended to."""
    model = planted()
    config = with_test_time_register(model, []).config
    assert (config.registers, config.register_neurons) == (1, ())


def test_a_remedied_model_is_a_model(tmp_path: Path) -> None:
    """It is saved, loaded and refused by formats without a place for it."""
    model = planted()
    found = find_remedy(model, bright_images())
    assert found is not None
    file = tmp_path / "remedied.safetensors"
    vitreous.save(found.model, file)
    loaded = vitreous.load(file)
    assert loaded.config.register_neurons == ((LAYER, NEURON),)
    with torch.no_grad():
        torch.testing.assert_close(loaded(bright_images()), found.model(bright_images()))


@pytest.mark.parametrize("neurons", [((4, 0),), ((0, 40),)])
def test_neurons_that_there_are_not(neurons: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(UserError, match="under 4 and a neuron under 40"):
        replace(planted().config, registers=1, register_neurons=neurons)
    with pytest.raises(UserError, match="at least one of model.registers"):
        replace(planted().config, register_neurons=((0, 0),))


@pytest.mark.parametrize("precision", ["float32", pytest.param("int8", marks=needs_vnni)])
def test_a_remedied_model_is_optimised_as_any(precision: str) -> None:
    """The activation is moved between the packed layers too."""
    found = find_remedy(planted(), bright_images())
    assert found is not None
    pixels = torch.from_numpy(bright_pixels()).permute(0, 3, 1, 2)
    fast = vitreous.optimize(found.model, pixels, precision=precision, device="cpu")
    with torch.no_grad():
        expected = found.model(bright_images())
    spread = float(expected.std())
    torch.testing.assert_close(fast(pixels), expected, rtol=0, atol=spread * 0.3)

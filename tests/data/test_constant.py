"""Numbers that a device is given once."""

import pytest
import torch

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import denormalise, normalise
from vitreous.data.colour import recolour
from vitreous.data.constant import constant
from vitreous.data.mixing import _neighbours
from vitreous.data.movement import move
from vitreous.data.preprocessing import Preprocessing

CPU = torch.device("cpu")


def test_it_is_one_tensor_for_the_same_numbers_device_and_type() -> None:
    rows = ((1, 0.5), (2, 0.25))
    kept = constant(rows, CPU)
    assert kept.dtype == torch.float32
    assert kept.tolist() == [[1, 0.5], [2, 0.25]]
    assert constant(rows, CPU) is kept
    assert constant(rows, CPU, torch.float64).dtype == torch.float64
    assert constant(rows, torch.device("meta")).is_meta


def test_who_asks_first_does_not_matter() -> None:
    with torch.inference_mode():
        assert not constant((0.125, 0.625), CPU).is_inference()


def test_what_is_traced_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    traced = constant((0.375,), CPU)
    monkeypatch.undo()
    assert constant((0.375,), CPU) is not traced


def test_a_batch_sends_a_device_no_numbers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Preprocessing(size=(4, 6), mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    images, colour = torch.rand(2, 3, 4, 6) * 255, torch.tensor([[1.1, 0.9, 1.2, 0.1]] * 2)
    movement = torch.tensor([[[0.9, 0.1, 0.0], [-0.1, 0.9, 0.2]]] * 2)

    def work() -> torch.Tensor:
        return move(denormalise(normalise(recolour(images, colour), rule), rule), movement)

    expected = work()
    for maker in (torch, torch.Tensor):
        name = "tensor" if maker is torch else "new_tensor"
        monkeypatch.setattr(maker, name, lambda *_, **__: pytest.fail("made again"))
    assert torch.equal(work(), expected)


def test_neighbours_are_found_where_the_images_are() -> None:
    assert _neighbours(5, Augmentation().repeats, torch.device("meta")).is_meta

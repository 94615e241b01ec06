import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch, normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.objective.classify import Classification
from vitreous.objective.contract import Task

RULE = Preprocessing(size=(4, 4), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
B, K = 5, 3


def batch(movement: torch.Tensor | None = None, colour: torch.Tensor | None = None) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        images=torch.randint(0, 256, (B, 3, 4, 4), dtype=torch.uint8, generator=generator),
        labels=torch.tensor([0, 1, 2, 0, 1]),
        index=torch.arange(B),
        mask=torch.ones(B, dtype=torch.bool),
        movement=movement,
        colour=colour,
    )


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


def objective(smoothing: float = 0.0, **fields: float) -> Classification:
    return Classification(K, RULE, Augmentation(**fields), smoothing)


def test_without_augmentation_pixels_are_only_normalised() -> None:
    task = objective().prepare(batch(), draw())
    assert torch.equal(task.images, normalise(batch().images, RULE))
    assert task.targets.tolist() == torch.eye(K)[batch().labels].tolist()


def test_each_augmentation_arrives() -> None:
    half_turn = torch.tensor([[-1.0, 0, 0], [0, -1, 0]]).expand(B, 2, 3)
    moved = objective().prepare(batch(movement=half_turn), draw())
    plain = normalise(batch().images, RULE)
    torch.testing.assert_close(moved.images, plain.flip(2, 3), atol=1e-5, rtol=0)
    dark = objective().prepare(batch(colour=torch.tensor([[0.0, 1, 1]]).expand(B, 3)), draw())
    torch.testing.assert_close(dark.images, normalise(torch.zeros_like(batch().images), RULE))
    mixed = objective(mixup=1.0).prepare(batch(), draw())
    assert not torch.equal(mixed.images, plain)
    assert (mixed.targets.sum(1) - 1).abs().max() < 1e-6


def test_smoothing_spreads_a_share_over_all_classes() -> None:
    targets = objective(0.3).prepare(batch(), draw()).targets
    assert targets[0].tolist() == pytest.approx([0.8, 0.1, 0.1])


def test_a_sigmoids_yes_and_no_are_smoothed_towards_one_another() -> None:
    """(1 - s) y + s (1 - y), s being half of the share; the number of classes decides nothing."""
    sigmoid = Classification(K, RULE, Augmentation(), 0.2, "sigmoid")
    assert sigmoid.prepare(batch(), draw()).targets[0].tolist() == pytest.approx([0.9, 0.1, 0.1])


def test_the_loss_is_the_cross_entropy_in_nats() -> None:
    logits = torch.randn(B, K, generator=torch.Generator().manual_seed(1), requires_grad=True)
    task = objective().prepare(batch(), draw())
    outcome = objective().measure(lambda _: logits, task)
    labels = batch().labels.numpy()
    shares = logits.detach().double().softmax(1).numpy()
    assert outcome.loss.item() == pytest.approx(log_loss(labels, shares), abs=1e-6)
    right = (logits.argmax(1).numpy() == labels).mean()
    assert outcome.measures["accuracy"].item() == pytest.approx(right)
    outcome.loss.backward()
    torch.testing.assert_close(logits.grad, (logits.detach().softmax(1) - task.targets) / B)
    assert not outcome.measures["accuracy"].requires_grad


def test_a_new_head_loses_log_k() -> None:
    task = objective(0.1, mixup=1.0).prepare(batch(), draw())
    loss = objective().measure(lambda x: torch.zeros(len(x), K, dtype=torch.bfloat16), task).loss
    assert loss.item() == pytest.approx(math.log(K), abs=1e-6)
    assert loss.dtype == torch.float32


def test_pieces_add_up_to_the_whole() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, K))
    task = objective(0.1, cutmix=1.0).prepare(batch(), draw())
    pieces = task.slices(2)
    assert [len(piece.images) for piece in pieces] == [2, 2, 1]
    assert isinstance(pieces[0], Task)
    whole = objective().measure(model, task)
    parts = [(len(p.images) / B, objective().measure(model, p)) for p in pieces]
    torch.testing.assert_close(sum(share * part.loss for share, part in parts), whole.loss)
    right = sum(share * part.measures["accuracy"] for share, part in parts)
    torch.testing.assert_close(right, whole.measures["accuracy"])


class Fixed(nn.Module):
    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits


def test_sigmoid_loss_is_the_sum_over_classes() -> None:
    logits = torch.randn(B, K, generator=torch.Generator().manual_seed(1))
    whole = Classification(K, RULE, Augmentation(), loss="sigmoid")
    task = whole.prepare(batch(), draw())
    share = logits.sigmoid()
    terms = -(task.targets * share.log() + (1 - task.targets) * (1 - share).log())
    assert float(whole.measure(Fixed(logits), task).loss) == pytest.approx(
        float(terms.sum(1).mean()), rel=1e-5
    )


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_each_image_weighs_what_its_class_does(loss: str, smoothing: float) -> None:
    logits = torch.randn(B, K, generator=torch.Generator().manual_seed(1))
    weights = torch.tensor([0.5, 1.0, 4.0])
    weighted = Classification(K, RULE, Augmentation(), smoothing, loss, weights)
    task = weighted.prepare(batch(), draw())
    if loss == "softmax":
        terms = -task.targets * logits.log_softmax(1)
    else:
        share = logits.sigmoid()
        terms = -(task.targets * share.log() + (1 - task.targets) * (1 - share).log())
    expected = float((terms.sum(1) * weights[batch().labels]).mean())
    assert float(weighted.measure(Fixed(logits), task).loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_weights_move_no_optimum_of_a_clear_image(loss: str) -> None:
    # 970 images of one class and 30 of the other: a smoothed target has a little of the rare one.
    weights = torch.tensor([1000 / 1940, 1000 / 60])
    weighted = Classification(2, RULE, Augmentation(), 0.1, loss, weights)
    targets = torch.tensor([[0.95, 0.05]])
    best = targets.logit() if loss == "sigmoid" else targets.log()
    best.requires_grad_()
    weighted.criterion(best, targets).backward()
    torch.testing.assert_close(best.grad, torch.zeros(1, 2), atol=1e-6, rtol=0)


def test_a_mixed_image_weighs_what_its_shares_do() -> None:
    weighted = Classification(2, RULE, Augmentation(), 0.1, class_weights=torch.tensor([1.0, 5.0]))
    hard = torch.tensor([[0.75, 0.25]])
    loss = weighted.criterion(torch.zeros(1, 2), hard.lerp(torch.full_like(hard, 0.5), 0.1))
    assert float(loss) == pytest.approx(2 * math.log(2), rel=1e-5)


def test_weights_go_to_a_device_once() -> None:
    weighted = Classification(2, RULE, Augmentation(), class_weights=torch.tensor([1.0, 5.0]))
    there = torch.zeros(1, 2, device="meta")
    weighted.criterion(there, there)
    assert weighted.class_weights is not None
    assert weighted.class_weights.is_meta

import numpy as np
import pytest
import torch
from torch import nn

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch
from vitreous.data.preprocessing import Preprocessing
from vitreous.objective.contract import Task
from vitreous.objective.multilabel import MultiLabel

RULE = Preprocessing(size=(4, 4))
LABELS = torch.tensor([[1, 0, 1], [0, 0, 0]], dtype=torch.uint8)


def task(smoothing: float = 0.0) -> Task:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8, generator=generator)
    batch = Batch(images, LABELS, torch.arange(2), torch.ones(2, dtype=torch.bool))
    objective = MultiLabel(RULE, Augmentation(), smoothing)
    return objective.prepare(batch, np.random.default_rng(0))


class Fixed(nn.Module):
    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits


def test_targets_are_the_rows() -> None:
    assert torch.equal(task().targets, LABELS.float())
    assert task(0.2).targets[0].tolist() == pytest.approx([0.9, 0.1, 0.9])


@pytest.mark.parametrize("weights", [None, torch.tensor([2.0, 1.0, 5.0])])
def test_loss_by_hand(weights: torch.Tensor | None) -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0], [0.1, 0.0, -4.0]])
    share = logits.sigmoid()
    presence = torch.ones(3) if weights is None else weights
    terms = torch.where(LABELS == 1, -presence * share.log(), -(1 - share).log())
    objective = MultiLabel(RULE, Augmentation(), presence_weights=weights)
    outcome = objective.measure(Fixed(logits), task())
    assert float(outcome.loss) == pytest.approx(float(terms.sum(1).mean()), rel=1e-5)
    assert float(outcome.measures["label_accuracy"]) == pytest.approx(5 / 6)


def test_weights_move_no_optimum_of_a_clear_image() -> None:
    weights = torch.tensor([100.0, 1.0, 0.01])
    objective = MultiLabel(RULE, Augmentation(), 0.1, weights)
    made = task(0.1)
    best = made.targets.logit().requires_grad_()
    objective.measure(Fixed(best), made).loss.backward()
    torch.testing.assert_close(best.grad, torch.zeros(2, 3), atol=1e-5, rtol=0)


def test_weights_go_to_a_device_once() -> None:
    objective = MultiLabel(RULE, Augmentation(), presence_weights=torch.ones(3))
    there = torch.zeros(2, 3, device="meta")
    objective.measure(Fixed(there), Task(torch.zeros(2, 3, 4, 4, device="meta"), there))
    assert objective.presence_weights is not None
    assert objective.presence_weights.is_meta

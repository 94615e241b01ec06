import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import create_model
from vitreous.objective.classify import Classification
from vitreous.objective.config import DistillationConfig
from vitreous.objective.contract import backbone_of
from vitreous.objective.distill import Distillation, Teacher

RULE = Preprocessing(size=(16, 16))
THEIRS = Preprocessing(size=(24, 24), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.2))
TOKEN = {"pooling": "distilled", "registers": 1}


def shaken(model):
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture
def teacher() -> Teacher:
    torch.manual_seed(5)
    config = BiTConfig(
        image_size=(24, 24), units=(1, 1), stem_width=8, num_classes=4, norm_groups=4
    )
    return Teacher(shaken(create_model(config)).train(), THEIRS, torch.tensor([2, 0, 3]))


def objective(teacher: Teacher, **fields) -> Distillation:
    labels = Classification(3, RULE, Augmentation())
    return Distillation(DistillationConfig(teacher="x", **fields), labels, teacher)


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_teacher_is_asked_in_its_own_terms(teacher, make_batch) -> None:
    task = objective(teacher).prepare(make_batch(), draw())
    assert not teacher.model.training
    answers = teacher.answer(task.images, RULE)
    pixels = F.interpolate(make_batch().images / 255, (24, 24), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(n).view(-1, 1, 1) for n in (THEIRS.mean, THEIRS.std))
    expected = teacher.model((pixels - mean) / std)[:, [2, 0, 3]]
    torch.testing.assert_close(answers, expected, atol=1e-4, rtol=1e-4)
    assert not answers.requires_grad


@pytest.mark.parametrize("fields", [{}, TOKEN])
@pytest.mark.parametrize("answers", ["hard", "soft"])
def test_the_loss_is_the_papers(teacher, make_model, make_batch, fields, answers) -> None:
    made = objective(teacher, answers=answers, weight=0.3, temperature=2.0)
    learner = shaken(made.learner(make_model(num_classes=3, **fields)))
    task = made.prepare(make_batch(), draw())
    outcome = made.measure(learner, task)
    z, other = learner(task.images, apart=True)
    t = teacher.answer(task.images, RULE)
    by_label = F.cross_entropy(z, make_batch().labels)
    if answers == "hard":
        by_teacher = F.cross_entropy(other, t.argmax(1))
    else:
        p, q = (t / 2).softmax(1), (other / 2).softmax(1)
        by_teacher = 4 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(outcome.loss, 0.7 * by_label + 0.3 * by_teacher)
    agreed = (other.argmax(1) == t.argmax(1)).float().mean()
    assert outcome.measures["agreement"] == agreed
    torch.testing.assert_close(learner(task.images), (z + other) / 2)
    assert torch.equal(z, other) == (fields == {})


def test_gradients_reach_every_parameter_of_the_student_alone(
    teacher, make_model, make_batch
) -> None:
    made = objective(teacher)
    learner = shaken(made.learner(make_model(num_classes=3, **TOKEN)))
    made.measure(learner, made.prepare(make_batch(), draw())).loss.backward()
    for name, parameter in learner.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    assert all(parameter.grad is None for parameter in teacher.model.parameters())
    assert backbone_of(learner).config.pooling == "distilled"


def test_the_heads_learn_from_one_each(teacher, make_model, make_batch) -> None:
    made = objective(teacher, weight=1.0)
    learner = shaken(made.learner(make_model(num_classes=3, **TOKEN)))
    made.measure(learner, made.prepare(make_batch(), draw())).loss.backward()
    head = learner.backbone.head
    assert head.distillation.weight.grad.abs().max() > 0
    assert not head.token.weight.grad.any()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"weight": 1.5}, "give a share"),
        ({"answers": "warm"}, "choose soft, hard"),
        ({"temperature": 0.0}, "over 0"),
    ],
)
def test_a_bad_config_is_refused(fields, words) -> None:
    with pytest.raises(UserError, match=words):
        DistillationConfig(teacher="x", **fields)

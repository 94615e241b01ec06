import math

import numpy as np
import pytest
import torch

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.sine_cosine import sine_cosine
from vitreous.objective.config import MAEConfig, MaskedPatchConfig
from vitreous.objective.contract import Objective, backbone_of
from vitreous.objective.mae import MaskedAutoencoder
from vitreous.objective.masked_patch import MaskedPatch
from vitreous.objective.masking import pick

RULE = Preprocessing(size=(16, 16))
KINDS = {
    "colour": lambda: MaskedPatch(MaskedPatchConfig(), RULE, (4, 4)),
    "colours": lambda: MaskedPatch(MaskedPatchConfig(target="colours"), RULE, (4, 4)),
    "pixels": lambda: MaskedPatch(MaskedPatchConfig(target="pixels"), RULE, (4, 4)),
    "mae": lambda: MaskedAutoencoder(MAEConfig(decoder_width=12), RULE, (4, 4)),
}


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(params=KINDS)
def objective(request) -> MaskedPatch:
    return KINDS[request.param]()


def shaken(learner: torch.nn.Module) -> torch.nn.Module:
    """Zeros hide gradients: nothing is zero any more."""
    torch.manual_seed(1)
    for parameter in learner.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return learner


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"registers": 2},
        {"class_token": False, "pooling": "mean"},
        {"class_token": False, "pooling": "map"},
        {"final_norm": "pooled"},
        {"pre_logits": 12},
        {"embedding_norm": True, "layer_scale": 0.1},
    ],
)
def test_gradients_reach_every_parameter(objective, make_model, make_batch, fields) -> None:
    learner = shaken(objective.learner(make_model(**fields)))
    outcome = objective.measure(learner, objective.prepare(make_batch(), draw()))
    outcome.loss.backward()
    for name, parameter in learner.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
        else:
            parts = ("backbone.pool.", "backbone.pooled_norm.", "backbone.pre_logits.")
            assert name.startswith(parts), name


def test_the_loss_is_of_hidden_patches_alone(objective, make_model, make_batch) -> None:
    """Predictions elsewhere are never made, and what is visible is no target."""
    task = objective.prepare(make_batch(), draw())
    assert task.targets.shape[:2] == task.hidden.shape
    truth = objective.target.of(task.images)
    assert torch.equal(task.targets, truth.take_along_dim(task.hidden[..., None], 1))
    learner = shaken(objective.learner(make_model()))
    told = learner(task.images, task.hidden, task.source)
    assert told.shape == (*task.hidden.shape, objective.target.outputs)
    expected = objective.target.loss(told, task.targets)
    torch.testing.assert_close(objective.measure(learner, task).loss, expected.loss)


@pytest.mark.parametrize("kind", ["colour", "mae"])
def test_masked_pixels_are_not_seen(kind, make_model, make_batch) -> None:
    objective = KINDS[kind]()
    task = objective.prepare(make_batch(), draw())
    learner = shaken(objective.learner(make_model())).eval()
    told = learner(task.images, task.hidden, task.source)
    masked = task.source == 16
    other = task.images.clone().unflatten(3, (4, 4)).unflatten(2, (4, 4))
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    for image in range(5):
        for place in masked[image].nonzero()[:, 0].tolist():
            row, column = rows.flatten()[place], columns.flatten()[place]
            assert (task.source[image] == place).sum() <= 4
            if not (task.source[image] == place).any():  # nor put in another's place
                other[image, :, row, :, column] = 9
    changed = other.flatten(4).flatten(2, 3).view_as(task.images)
    assert not torch.equal(changed, task.images)
    torch.testing.assert_close(learner(changed, task.hidden, task.source), told)


def test_a_new_head_loses_log_512(make_model, make_batch) -> None:
    objective = KINDS["colour"]()
    learner = objective.learner(make_model())
    outcome = objective.measure(learner, objective.prepare(make_batch(), draw()))
    assert outcome.loss.item() == pytest.approx(math.log(512))
    assert not outcome.measures["colour_accuracy"].requires_grad


def test_pieces_add_up_to_the_whole(objective, make_model, make_batch) -> None:
    learner = shaken(objective.learner(make_model()))
    task = objective.prepare(make_batch(), draw())
    whole = objective.measure(learner, task)
    pieces = task.slices(2)
    assert [len(piece.images) for piece in pieces] == [2, 2, 1]
    losses = [len(piece.images) / 5 * objective.measure(learner, piece).loss for piece in pieces]
    torch.testing.assert_close(sum(losses), whole.loss)


def test_the_learner_keeps_the_model(objective, make_model) -> None:
    model = make_model()
    assert backbone_of(objective.learner(model)) is model
    assert backbone_of(model) is model
    assert isinstance(objective, Objective)


def test_mae_hides_three_quarters_and_encodes_the_rest(make_model, make_batch) -> None:
    objective = KINDS["mae"]()
    task = objective.prepare(make_batch(), draw())
    assert task.hidden.shape == (5, 12)
    assert ((task.source == 16).sum(1) == 12).all()
    learner = objective.learner(make_model())
    seen = []
    learner.backbone.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    learner(task.images, task.hidden, task.source)
    assert seen[0].shape == (5, 1 + 4, 16)


def test_mae_puts_each_patch_back_in_its_place(make_model, make_batch) -> None:
    objective = KINDS["mae"]()
    learner = shaken(objective.learner(make_model())).eval()
    task = objective.prepare(make_batch(), draw())
    seen = []
    learner.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoded = []
    learner.bridge.register_forward_hook(lambda _, inputs, out: encoded.append(out))
    learner(task.images, task.hidden, task.source)
    rows = seen[0][:, 1:] - sine_cosine((4, 4), 12, torch.device("cpu"))
    visible = (task.source != 16).nonzero()[:, 1].view(5, 4)
    torch.testing.assert_close(pick(rows, visible), encoded[0][:, 1:])
    torch.testing.assert_close(
        pick(rows, task.hidden), learner.mask.expand(5, 12, -1).detach(), atol=1e-6, rtol=1e-5
    )


def test_a_reconstruction_keeps_what_was_visible(objective, make_model, make_batch) -> None:
    learner = shaken(objective.learner(make_model())).eval()
    task = objective.prepare(make_batch(), draw())
    with torch.no_grad():
        original, seen, told = objective.reconstruct(learner, task)
    torch.testing.assert_close(original, make_batch().images / 255, atol=1e-5, rtol=0)
    hidden = torch.zeros(5, 16, dtype=torch.bool).scatter(1, task.hidden, True)
    hidden = hidden.view(5, 1, 4, 1, 4, 1).expand(-1, 3, -1, 4, -1, 4).reshape(5, 3, 16, 16)
    assert torch.equal(told[~hidden], original[~hidden])
    assert torch.equal(seen[~hidden], original[~hidden])
    assert not torch.equal(told[hidden], original[hidden])
    assert (seen == 0.5).float().mean() > 0.3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MaskedPatchConfig(share=1.0), "objective.share is 1.0"),
        (lambda: MaskedPatchConfig(masked=0.8, swapped=0.3), "over 1 together"),
        (lambda: MaskedPatchConfig(target="hue"), "choose colour, colours, pixels"),
        (lambda: MAEConfig(decoder_width=30), "multiple of 4"),
        (lambda: MAEConfig(decoder_depth=0), "at least 1"),
    ],
)
def test_a_bad_config_is_refused(make, words) -> None:
    with pytest.raises(UserError, match=words):
        make()


def test_a_model_that_does_not_fit_is_refused(make_model) -> None:
    with pytest.raises(UserError, match="has none"):
        MAEConfig().check(BiTConfig(num_classes=0))
    with pytest.raises(UserError, match="num_classes is 10, give 0"):
        MAEConfig().check(make_model(num_classes=10).config)
    with pytest.raises(UserError, match="smaller model.patch"):
        MAEConfig().check(make_model(patch=16).config)
    with pytest.raises(UserError, match="give pixels"):
        MaskedPatchConfig().check(make_model(channels=5).config)
    with pytest.raises(UserError, match="colour or pixels"):
        MaskedPatchConfig(target="colours").check(make_model(patch=2).config)


def test_images_that_a_model_refuses_its_learner_refuses(make_model, make_batch) -> None:
    learner = KINDS["colour"]().learner(make_model(position="relative"))
    task = KINDS["colour"]().prepare(make_batch(side=24), draw())
    with pytest.raises(UserError, match="of a 4x4 grid and these images have 6x6"):
        learner(task.images, task.hidden, task.source)

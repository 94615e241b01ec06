import pytest
import torch

from vitreous.analysis.attention import read_by_head
from vitreous.analysis.relevance import (
    AttentionGradients,
    attention_gradients,
    class_relevance,
    gradient_rollout,
)
from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

EXACT = {"atol": 1e-6, "rtol": 0}


def found(attention: list[torch.Tensor], gradients: list[torch.Tensor]) -> AttentionGradients:
    recording = Recording(attention="all")
    recording.begin(len(attention), (1, attention[0].shape[-1]), 0)
    for layer, weights in enumerate(attention):
        recording.keep("attention", layer, weights)
    return AttentionGradients(recording, tuple(gradients), torch.zeros(1, 2), torch.zeros(1).long())


def test_two_layers_by_hand() -> None:
    """Negative products are dropped before heads are averaged; R = (I + A2)(I + A1)."""
    attention = torch.tensor([[0.5, 0.5], [1.0, 0.0]]).expand(1, 2, 2, 2)
    speaks = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    first = torch.stack([speaks, -9 * speaks])[None]
    second = torch.stack([torch.tensor([[0.0, 0], [4.0, 0]]), torch.zeros(2, 2)])[None]
    made = found([attention, attention], [first, second])
    a1, a2 = torch.tensor([[0, 0.5], [0, 0]]), torch.tensor([[0.0, 0], [2, 0]])
    eye = torch.eye(2)
    torch.testing.assert_close(class_relevance(made)[0], (eye + a2) @ (eye + a1), **EXACT)
    # Scaled rows: all of token 0's comes from 1, then all of token 1's from 0, each by half.
    steps = torch.tensor([[0.5, 0.5], [0, 1]]), torch.tensor([[1, 0], [0.5, 0.5]])
    torch.testing.assert_close(gradient_rollout(made)[0], steps[1] @ steps[0], **EXACT)


def test_nothing_speaks_for_the_class() -> None:
    attention = torch.full((1, 1, 3, 3), 1 / 3)
    made = found([attention] * 2, [-attention] * 2)
    torch.testing.assert_close(class_relevance(made)[0], torch.eye(3), **EXACT)
    torch.testing.assert_close(gradient_rollout(made)[0], torch.eye(3), **EXACT)


def test_the_gradient_is_the_logits_slope(model: VisionTransformer, pictures: torch.Tensor) -> None:
    """A small push to one head's attention moves the logit as the gradient says."""
    model, pictures = model.double(), pictures.double()
    classes = torch.tensor([3, 5])
    made = attention_gradients(model, pictures, classes)
    generator = torch.Generator().manual_seed(2)
    push = torch.randn(made.gradients[1].shape, generator=generator, dtype=torch.float64)
    attention = model.encoder.blocks[1].attention
    explicit = attention._explicit
    step = 1e-6

    def pushed(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor):
        heads, weights = explicit(q, k, v)
        return heads + step * push @ v, weights

    attention._explicit = pushed
    with torch.no_grad():
        moved = model(pictures, recording=Recording(attention=[1]))
    slope = (moved - made.logits).gather(1, classes[:, None])[:, 0] / step
    torch.testing.assert_close(
        slope, (made.gradients[1] * push).sum((1, 2, 3)), atol=1e-4, rtol=1e-4
    )


def test_every_model(model: VisionTransformer, pictures: torch.Tensor) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with torch.inference_mode():
        made = attention_gradients(model, pictures)
        torch.testing.assert_close(made.logits, model(pictures), atol=1e-4, rtol=1e-4)
    assert torch.equal(made.classes, made.logits.argmax(1))
    assert not made.recording.attention[0].requires_grad
    for flow in (class_relevance(made), gradient_rollout(made)):
        heat = read_by_head(flow, made.recording.grid, made.recording.prefix, model.config.pooling)
        assert heat.shape == (2, *model.config.grid)
        assert heat.isfinite().all()
        assert (heat >= 0).all()
        assert (heat.amax((1, 2)) > 0).all()
    torch.testing.assert_close(
        gradient_rollout(made).sum(-1), torch.ones(made.gradients[0].shape[::2])
    )


def test_parameters_gather_no_gradient(model: VisionTransformer, pictures: torch.Tensor) -> None:
    attention_gradients(model, pictures)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_without_a_head_is_refused() -> None:
    model = create_model("Ti/16", image_size=32, depth=1, num_classes=0)
    with pytest.raises(UserError, match="no head"):
        attention_gradients(model, torch.zeros(1, 3, 32, 32))

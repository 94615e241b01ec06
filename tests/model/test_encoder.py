from collections.abc import Callable

import pytest
import torch

from vitreous.model.config import ViTConfig
from vitreous.model.encoder import MLP, Block, Encoder

Tiny = Callable[..., ViTConfig]


def tokens(batch: int = 2, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(batch, 9, 24, dtype=dtype, generator=torch.Generator().manual_seed(1))


def block(config: ViTConfig, rate: float = 0.0) -> Block:
    torch.manual_seed(0)
    made = Block(config, rate).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("gelu", lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2),
        (
            "gelu_tanh",
            lambda x: x / 2 * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))),
        ),
        ("relu", lambda x: x.clamp(min=0)),
    ],
)
def test_the_mlp_is_dense_activation_dense(
    tiny: Tiny, activation: str, formula: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    mlp = MLP(tiny(activation=activation)).double()
    x = tokens(dtype=torch.float64)
    hidden = formula(x @ mlp.expand.weight.T + mlp.expand.bias)
    expected = hidden @ mlp.contract.weight.T + mlp.contract.bias
    torch.testing.assert_close(mlp(x), expected, atol=1e-12, rtol=0)


def test_mlp_initial_values(tiny: Tiny) -> None:
    mlp = MLP(tiny(mlp_width=3000))
    mlp.reset_parameters()
    bound = (6 / 3024) ** 0.5
    for linear in (mlp.expand, mlp.contract):
        assert 0.99 * bound < linear.weight.abs().max() <= bound
    assert 0.9e-6 < mlp.expand.bias.std() < 1.1e-6


def test_rates_grow_linearly_to_the_last_block(tiny: Tiny) -> None:
    encoder = Encoder(tiny(stochastic_depth=0.4))
    rates = [block.drop_rate for block in encoder.blocks]
    assert rates == pytest.approx([0, 0.2, 0.4])


def test_a_rate_of_zero_changes_nothing_in_training(tiny: Tiny) -> None:
    plain, x = block(tiny()), tokens(dtype=torch.float64)
    assert torch.equal(plain.train()(x), plain.eval()(x))


def test_the_rate_does_nothing_in_inference(tiny: Tiny) -> None:
    x = tokens(dtype=torch.float64)
    assert torch.equal(block(tiny(), 0.9).eval()(x), block(tiny()).eval()(x))


def test_each_image_draws_for_each_branch(tiny: Tiny) -> None:
    """One image's outcome is one of four; kept branches are scaled by 1 / (1 - rate)."""
    dropping = block(tiny(), 0.5).train()
    x = tokens(1, torch.float64)
    attention = dropping.attention(dropping.norm_attention(x))
    outcomes = []
    for attended in (x, x + 2 * attention):
        outcomes += [attended, attended + 2 * dropping.mlp(dropping.norm_mlp(attended))]
    seen = set()
    many = dropping(x.expand(64, -1, -1))
    for image in many:
        (match,) = [n for n, outcome in enumerate(outcomes) if torch.allclose(image, outcome[0])]
        seen.add(match)
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_the_expectation_is_the_whole_branch(tiny: Tiny, rate: float) -> None:
    torch.manual_seed(5)
    dropping = block(tiny(), rate).train()
    branch = torch.ones(20_000, 1, 1, dtype=torch.float64)
    added = dropping._residual(torch.zeros_like(branch), lambda x: x + 1, None)
    assert added.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)])
    # Four deviations of the mean of 20,000 draws.
    assert added.mean().item() == pytest.approx(1, abs=4 * (rate / (1 - rate) / 20_000) ** 0.5)


@pytest.mark.parametrize("read", [None, 1])
def test_a_batch_of_which_nothing_is_kept(tiny: Tiny, read: int | None) -> None:
    x = tokens(dtype=torch.float64).requires_grad_()
    dropping = block(tiny(), 1 - 1e-9).train()
    out = dropping(x, read)
    assert torch.equal(out, x[:, :read])
    out.sum().backward()
    assert all(not p.grad.any() for p in dropping.parameters() if p.grad is not None)


def test_dropped_images_cost_nothing(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    dropping = block(tiny(), 0.75).train()
    batches = []
    dropping.mlp.register_forward_hook(lambda _, args, __: batches.append(len(args[0])))
    dropping(tokens(64, torch.float64))
    assert 5 < batches[0] < 30


@pytest.mark.parametrize("places", ["dropout", "attention_dropout"])
def test_dropout_changes_training_only(tiny: Tiny, places: str) -> None:
    dropping, x = block(tiny(**{places: 0.5})), tokens(dtype=torch.float64)
    assert not torch.equal(dropping.train()(x), dropping(x))
    assert torch.equal(dropping.eval()(x), block(tiny()).eval()(x))


@pytest.mark.parametrize("read", [1, 4, 9])
def test_read_rows_are_those_of_the_whole_block(tiny: Tiny, read: int) -> None:
    whole, x = block(tiny()), tokens(dtype=torch.float64)
    torch.testing.assert_close(whole(x, read), whole(x)[:, :read], atol=1e-12, rtol=0)


def test_the_other_rows_are_not_computed(tiny: Tiny) -> None:
    lazy, shapes = block(tiny()), []
    for part in (lazy.attention.projection, lazy.mlp):
        part.register_forward_hook(lambda _, args, __: shapes.append(tuple(args[0].shape)))
    lazy(tokens(dtype=torch.float64), 1)
    assert shapes == [(2, 1, 24), (2, 1, 24)]

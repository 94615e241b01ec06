import math
from collections.abc import Callable
from typing import Any

import jaxtyping
import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.vit import VisionTransformer

Images = Callable[..., torch.Tensor]
Shaken = Callable[..., VisionTransformer]
Tiny = Callable[..., ViTConfig]


@pytest.mark.parametrize(
    ("fields", "shape", "out"),
    [
        ({}, (2, 3, 24, 40), 7),
        ({"channels": 1}, (1, 1, 24, 40), 7),
        ({"channels": 4}, (3, 4, 24, 40), 7),
        ({"patch": 4}, (2, 3, 24, 40), 7),
        ({"head_width": 5}, (2, 3, 24, 40), 7),
        ({"heads": 5, "head_width": 3}, (2, 3, 24, 40), 7),
        ({"qkv_bias": False}, (2, 3, 24, 40), 7),
        ({"activation": "gelu"}, (2, 3, 24, 40), 7),
        ({"activation": "relu"}, (2, 3, 24, 40), 7),
        ({"pooling": "mean"}, (2, 3, 24, 40), 7),
        ({"pooling": "mean", "class_token": False}, (2, 3, 24, 40), 7),
        ({"pre_logits": 11}, (2, 3, 24, 40), 7),
        ({"num_classes": 0}, (2, 3, 24, 40), 24),
        ({"num_classes": 0, "pre_logits": 11}, (2, 3, 24, 40), 11),
        ({"depth": 1}, (2, 3, 24, 40), 7),
        ({}, (2, 3, 8, 8), 7),
        ({}, (1, 3, 64, 24), 7),
        ({}, (0, 3, 24, 40), 7),
    ],
)
def test_shapes(
    shaken: Shaken, images: Images, fields: dict[str, Any], shape: tuple[int, ...], out: int
) -> None:
    model = shaken(**fields)
    logits = model(images(*shape))
    assert logits.shape == (shape[0], out)
    assert logits.isfinite().all()
    assert (model.encoder.blocks[0].attention.qkv.bias is None) == ("qkv_bias" in fields)


def test_it_is_the_papers_equations(shaken: Shaken, images: Images) -> None:
    """Equations 1 to 4 and 5 to 8 in loops, with nothing of the package but the parameters."""
    model, x = shaken(torch.float64, pre_logits=11).train(), images(dtype=torch.float64)
    w = model.state_dict()

    def norm(z: torch.Tensor, name: str) -> torch.Tensor:
        centred = z - z.mean(-1, keepdim=True)
        deviation = (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]

    def dense(z: torch.Tensor, name: str) -> torch.Tensor:
        return torch.einsum("...i,oi->...o", z, w[f"{name}.weight"]) + w[f"{name}.bias"]

    def gelu(z: torch.Tensor) -> torch.Tensor:
        return 0.5 * z * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))

    for image, logits in zip(x, model(x), strict=True):
        rows = [w["class_token"]]
        for i in range(3):
            for j in range(5):
                patch = image[:, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
                rows.append(torch.einsum("cij,dcij->d", patch, w["patch.weight"]) + w["patch.bias"])
        z = torch.stack(rows) + w["position.table"]  # equation 1
        for layer in range(3):
            b = f"encoder.blocks.{layer}"
            qkv = dense(norm(z, f"{b}.norm_attention"), f"{b}.attention.qkv")
            heads = []
            for h in range(3):
                q, k, v = (qkv[:, 24 * n + 8 * h : 24 * n + 8 * h + 8] for n in range(3))
                heads.append(torch.softmax(q @ k.T / math.sqrt(8), -1) @ v)
            z = z + dense(torch.cat(heads, -1), f"{b}.attention.projection")  # equation 2
            hidden = gelu(dense(norm(z, f"{b}.norm_mlp"), f"{b}.mlp.expand"))
            z = z + dense(hidden, f"{b}.mlp.contract")  # equation 3
        y = norm(z, "encoder.norm")[0]  # equation 4
        expected = dense(torch.tanh(dense(y, "pre_logits.0")), "head")
        torch.testing.assert_close(logits, expected, atol=1e-10, rtol=0)


def plain(model: VisionTransformer, x: torch.Tensor) -> torch.Tensor:
    """The same model with every block whole, and the token taken at the end."""
    tokens = model.patch(x)
    tokens = torch.cat([model.class_token.expand(len(x), 1, -1), tokens], 1)
    tokens = model.position(tokens, model.config.grid_of(tuple(x.shape[2:])))
    for block in model.encoder.blocks:
        tokens = block(tokens)
    return model.head(model.pre_logits(model.encoder.norm(tokens)[:, 0]))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("dtype", "bar"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_the_lazy_last_block_changes_no_logit(
    shaken: Shaken, images: Images, training: bool, dtype: torch.dtype, bar: float
) -> None:
    model, x = shaken(dtype).train(training), images(8, 3, 24, 40, dtype=dtype)
    # Of the size that trained models answer with; shaken weights answer larger.
    model.head.weight.data *= 3 / plain(model, x).detach().std()
    model.head.bias.data *= 0
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            whole, lazy = plain(model, x), model(x)
        assert 2 < whole.std() < 4
        torch.testing.assert_close(lazy, whole, atol=bar * whole.abs().max().item(), rtol=0)


def test_the_lazy_last_block_changes_no_gradient(shaken: Shaken, images: Images) -> None:
    x, gradients = images(dtype=torch.float64), []
    for forward in (VisionTransformer.forward, plain):
        model = shaken(torch.float64).train()
        forward(model, x).square().sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        scale = gradients[1][name].abs().max().item()
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-12 * scale, rtol=0)


@pytest.mark.parametrize(
    "fields",
    [
        {"pre_logits": 11},
        {"pooling": "mean", "class_token": False},
        {"stochastic_depth": 0.3, "dropout": 0.1, "attention_dropout": 0.1},
    ],
)
def test_a_gradient_reaches_every_parameter(
    shaken: Shaken, images: Images, fields: dict[str, Any]
) -> None:
    model = shaken(**fields).train()
    model(images(16, 3, 24, 40)).square().sum().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad != 0
        if parameter.dim() > 1:
            reached = reached.flatten(1).any(1)
        if name.endswith("qkv.bias"):
            # A bias on keys moves all scores of a row alike, and softmax does not see it.
            reached = reached.view(3, -1)[[0, 2]]
        assert reached.all(), name


def test_mean_pooling_beside_a_class_token_reads_patches_only(
    shaken: Shaken, images: Images
) -> None:
    model, x = shaken(pooling="mean").eval(), images()
    tokens = []
    model.encoder.register_forward_hook(lambda _, __, out: tokens.append(out))
    features = model.embed(x)
    assert tokens[0].shape == (2, 16, 24)
    torch.testing.assert_close(features, tokens[0][:, 1:].mean(1))


def test_logits_start_at_zero(tiny: Tiny, images: Images) -> None:
    assert not create_model(tiny())(images()).any()
    assert create_model(tiny()).embed(images()).any()


def test_initial_values_survive_the_layers_own_defaults(tiny: Tiny) -> None:
    """PyTorch's dense layers inside have initial values of their own; these must not stay."""
    torch.manual_seed(0)
    model = create_model(tiny(width=96, heads=3, mlp_width=200, pre_logits=50))
    bounds = {"attention.projection": 96 + 96, "mlp.expand": 296, "mlp.contract": 296}
    for block in model.encoder.blocks:
        for kernel in block.attention.qkv.weight.split(96):
            bound = (6 / 192) ** 0.5
            assert 0.97 * bound < kernel.abs().max() <= bound
        assert not block.attention.qkv.bias.any()
        assert not block.attention.projection.bias.any()
        for name, fans in bounds.items():
            bound = (6 / fans) ** 0.5
            assert 0.97 * bound < block.get_submodule(name).weight.abs().max() <= bound, name
        for linear in (block.mlp.expand, block.mlp.contract):
            assert 0 < linear.bias.abs().max() < 1e-5
        for norm in (block.norm_attention, block.norm_mlp):
            assert (norm.weight == 1).all()
            assert not norm.bias.any()
    assert abs(model.position.table.std().item() - 0.02) < 2e-3
    assert not model.class_token.any()
    assert not model.patch.bias.any()
    assert abs(model.patch.weight.std().item() * 192**0.5 - 1) < 0.05
    assert model.pre_logits[0].weight.abs().max() <= (6 / 146) ** 0.5
    assert not model.pre_logits[0].bias.any()
    assert not model.head.weight.any()
    assert not model.head.bias.any()


@pytest.mark.parametrize("place", ["dropout", "attention_dropout", "stochastic_depth"])
def test_randomness_is_for_training_only(shaken: Shaken, images: Images, place: str) -> None:
    model, x = shaken(**{place: 0.5}), images(8, 3, 24, 40)
    assert not torch.equal(model.train()(x), model(x))
    assert torch.equal(model.eval()(x), shaken().eval()(x))


def test_dropout_follows_the_position_embedding(shaken: Shaken, images: Images) -> None:
    model = shaken(dropout=0.5).train()
    entering = []
    model.encoder.register_forward_hook(lambda _, args, __: entering.append(args[0]))
    model(images())
    assert 0.4 < (entering[0] == 0).float().mean() < 0.6


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 3, 24, 44), "image width 44 .* 40 or 48 would work"),
        ((1, 3, 5, 40), "image height 5 .* 8 would work"),
        ((1, 1, 24, 40), "images have 1 channels, the model takes 3"),
    ],
)
def test_images_that_do_not_fit_are_refused(
    shaken: Shaken, images: Images, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        shaken()(images(*shape))


def test_bytes_are_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user meets it, without the tests' type checks."""
    model = create_model(tiny())
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(UserError, match="takes normalised floats and got uint8: predict and"):
        model(torch.zeros(1, 3, 24, 40, dtype=torch.uint8))


def test_another_image_size_is_the_model_with_its_table_resampled(
    shaken: Shaken, images: Images
) -> None:
    """One forward pass at 32 x 24 pixels against a model that was made for them."""
    from vitreous.model.resample import resample_table

    model = shaken().eval()
    other = shaken(image_size=(32, 24)).eval()
    state = model.state_dict()
    state["position.table"] = resample_table(state["position.table"], (3, 5), (4, 3), 1, "google")
    other.load_state_dict(state)
    x = images(2, 3, 32, 24)
    assert torch.equal(model(x), other(x))


def test_bfloat16_under_autocast_stays_near(shaken: Shaken, images: Images) -> None:
    model, x = shaken().train(), images()
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(x)
    exact = model(x)
    assert (rough.float() - exact).abs().max() < 0.1 * exact.abs().max()

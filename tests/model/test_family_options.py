"""Options that checkpoints of other families need: off by default, each does what it says."""

import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.build import create_model, empty_model
from vitreous.model.config import ViTConfig
from vitreous.model.recording import Recording

SMALL = {"image_size": (8, 12), "patch": 4, "width": 16, "depth": 2, "mlp_width": 24, "heads": 2}


def model_of(**fields):
    model = empty_model(ViTConfig(num_classes=3, **(SMALL | fields)), device="cpu").eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3, generator=generator)
    return model


def test_defaults_add_no_parameters() -> None:
    names = {name.split(".")[0] for name in create_model("ViT-Ti/16").state_dict()}
    assert names == {"patch", "class_token", "position", "encoder", "head"}


@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("class_token", [True, False])
def test_registers_stand_between_class_token_and_patches(positions, class_token) -> None:
    model = model_of(
        registers=3,
        prefix_positions=positions,
        class_token=class_token,
        pooling="token" if class_token else "mean",
    )
    prefix = 3 + class_token
    assert model.config.prefix == prefix
    assert len(model.position.table) == 6 + prefix * positions
    recording = Recording(tokens=[0], attention=[0])
    images = torch.randn(2, 3, 8, 12)
    with torch.inference_mode():
        recorded = model(images, recording)
        torch.testing.assert_close(recorded, model(images))
    assert recording.attention[0].shape[2] == 6 + prefix
    assert model(torch.randn(2, 3, 16, 12)).shape == (2, 3)


def test_without_prefix_positions_the_class_token_has_none() -> None:
    model = model_of(prefix_positions=False)
    other = model_of(prefix_positions=True)
    state = model.state_dict()
    state["position.table"] = torch.cat([torch.zeros(1, 16), state["position.table"]])
    other.load_state_dict(state)
    images = torch.randn(2, 3, 8, 12)
    with torch.inference_mode():
        assert torch.equal(model(images), other(images))


def test_norm_of_the_pooled_vector_equals_the_token_norm_for_a_class_token() -> None:
    before, after = model_of(), model_of(final_norm="pooled")
    state = before.state_dict()
    for part in ("weight", "bias"):
        state[f"pooled_norm.{part}"] = state.pop(f"encoder.norm.{part}")
    after.load_state_dict(state)
    images = torch.randn(2, 3, 8, 12)
    with torch.inference_mode():
        torch.testing.assert_close(before(images), after(images))


def test_a_layer_scale_of_zero_leaves_the_tokens_alone() -> None:
    model = model_of(layer_scale=0.0)
    for block in model.encoder.blocks:
        torch.nn.init.zeros_(block.scale_attention.gamma)
        torch.nn.init.zeros_(block.scale_mlp.gamma)
    recording = Recording(tokens="all")
    with torch.inference_mode():
        model(torch.randn(2, 3, 8, 12), recording)
    assert torch.equal(recording.tokens[0], recording.tokens[1])


def test_patch_norms_do_not_see_brightness_and_contrast() -> None:
    model = model_of(patch_norms=True, norm_eps=1e-12)
    images = torch.rand(2, 3, 8, 12)
    with torch.inference_mode():
        torch.testing.assert_close(model(images), model(images * 3 + 1), atol=1e-4, rtol=1e-4)


def test_initial_values() -> None:
    config = ViTConfig(
        registers=2, layer_scale=1e-4, patch_norms=True, final_norm="pooled", **SMALL
    )
    model = create_model(config)
    assert torch.equal(model.encoder.blocks[0].scale_mlp.gamma, torch.full((16,), 1e-4))
    assert torch.equal(model.pooled_norm.weight, torch.ones(16))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


POOLINGS = [
    {"pooling": "map"},
    {"pooling": "map", "class_token": False},
    {"pooling": "token_mean", "registers": 2},
    {"pooling": "distilled", "registers": 1},
]


@pytest.mark.parametrize("fields", POOLINGS)
def test_a_recording_changes_no_pooling(fields) -> None:
    model = model_of(**fields)
    images = torch.randn(2, 3, 8, 12)
    recording = Recording(tokens="all", attention=[-1])
    with torch.inference_mode():
        torch.testing.assert_close(model(images, recording), model(images))
    assert recording.tokens[1].shape == (2, 6 + model.config.prefix, 16)


def test_the_last_block_makes_both_tokens_that_two_heads_read() -> None:
    model = model_of(pooling="distilled", registers=1)
    images = torch.randn(2, 3, 8, 12)
    recording = Recording(tokens=[-1])
    with torch.inference_mode():
        model(images, recording)
        expected = model.encoder.norm(recording.tokens[1][:, :2]).flatten(1)
        torch.testing.assert_close(model.embed(images), expected)


def test_registers_may_have_no_position_where_the_class_token_has_one() -> None:
    model = model_of(registers=3, register_positions=False)
    assert len(model.position.table) == 1 + 6
    other = model_of(registers=3)
    state = model.state_dict()
    table = state["position.table"]
    state["position.table"] = torch.cat([table[:1], torch.zeros(3, 16), table[1:]])
    other.load_state_dict(state)
    images = torch.randn(2, 3, 8, 12)
    with torch.inference_mode():
        assert torch.equal(model(images), other(images))
        assert model(torch.randn(2, 3, 16, 12)).shape == (2, 3)


def test_a_norm_behind_the_positions() -> None:
    model = model_of(embedding_norm=True, patch_bias=False)
    assert model.patch.bias is None
    images = torch.randn(2, 3, 8, 12)
    with torch.inference_mode():
        before = model(images)
        for shifted in (model.position.table, model.class_token):
            shifted.mul_(3)
        model.patch.weight.mul_(3)
        torch.testing.assert_close(before, model(images), atol=1e-4, rtol=1e-4)


def test_pixels_that_fill_no_patch_are_not_seen() -> None:
    model = model_of(image_size=(11, 14), drop_remainder=True)
    assert model.config.grid == (2, 3)
    images = torch.randn(2, 3, 11, 14)
    with torch.inference_mode():
        assert torch.equal(model(images), model(images[:, :, :8, :12]))
    with pytest.raises(UserError, match="no multiple"):
        model(torch.randn(2, 3, 3, 12))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"pooling": "distilled"}, "needs a distillation token"),
        ({"pooling": "distilled", "registers": 1, "num_classes": 0}, "needs a distillation"),
        ({"pooling": "distilled", "registers": 1, "pre_logits": 4}, "no model.pre_logits"),
        ({"pooling": "token_mean", "class_token": False}, "'token_mean' needs model.class_token"),
        ({"head_bias": 1}, "model.head_bias is 1: give true or false"),
        ({"embedding_norm": "yes"}, "model.embedding_norm is 'yes'"),
        ({"drop_remainder": True, "stem": (1,), "patch": 8}, "without a model.stem"),
    ],
)
def test_poolings_and_switches_that_cannot_be(fields, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        ViTConfig(**fields)


def test_fields_that_cannot_be() -> None:
    with pytest.raises(UserError, match=r"model\.registers is -1"):
        ViTConfig(registers=-1)
    with pytest.raises(UserError, match=r"model\.final_norm is 'last'"):
        ViTConfig(final_norm="last")

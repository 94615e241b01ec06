"""Every scheme in a whole model, and what each adds by itself."""

import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.position_schemes import build_position
from vitreous.model.recording import Recording
from vitreous.model.sine_cosine import sine_cosine, sine_cosine_1d
from vitreous.weights.adapt import adapt
from vitreous.weights.load import load
from vitreous.weights.save import save

ADDED = ["learned", "learned_2d", "sine_cosine", "sine_cosine_1d"]
PLACED = [(name, at) for name in ADDED for at in ("stem", "layers", "layers_shared")]
ALL = [*PLACED, ("none", "stem"), ("relative", "stem"), ("relative_values", "stem")]


def shuffled(images: torch.Tensor) -> torch.Tensor:
    """The same patches (8 pixels) in another order."""
    patches = images.unflatten(3, (5, 8)).unflatten(2, (3, 8)).flip(2, 4)
    return patches.flatten(4).flatten(2, 3)


@pytest.mark.parametrize(("name", "at"), ALL)
@pytest.mark.parametrize("pooling", ["token", "mean"])
def test_order_matters_but_to_a_model_without_positions(shaken, images, name, at, pooling) -> None:
    model = shaken(position=name, position_at=at, pooling=pooling).eval()
    with torch.no_grad():
        apart = (model(images()) - model(shuffled(images()))).abs().max()
    assert (apart > 1e-3) == (name != "none")


@pytest.mark.parametrize(("name", "at"), ALL)
def test_recorded_or_not_the_logits_are_the_same(shaken, images, name, at) -> None:
    model = shaken(position=name, position_at=at).eval()
    recording = Recording(attention="all")
    with torch.no_grad():
        recorded = model(images(), recording)
        torch.testing.assert_close(recorded, model(images()), atol=1e-4, rtol=1e-4)
        features = model.features(images(), [-1], as_grid=False, norm=True)[0]
    assert recording.attention[2].sum(3).sub(1).abs().max() < 1e-5
    torch.testing.assert_close(model.head(features[:, 0]), recorded, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "at"), ALL)
def test_gradients_reach_every_parameter(shaken, images, name, at) -> None:
    # The class token has no offsets, so the last block of a head that reads it has no use for keys.
    pooling = "mean" if name.startswith("relative") else "token"
    model = shaken(position=name, position_at=at, pooling=pooling)
    model(images()).square().sum().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 0, parameter_name


@pytest.mark.parametrize(("name", "at"), ALL)
def test_saved_it_is_the_same_model(tiny, images, tmp_path, name, at) -> None:
    model = create_model(tiny(position=name, position_at=at, num_classes=0)).eval()
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors").eval()
    assert again.config == model.config
    assert torch.equal(again(images()), model(images()))


@pytest.mark.parametrize(("name", "at"), ALL)
def test_another_size_is_met_on_the_way_or_before_alike(shaken, images, name, at) -> None:
    model = shaken(position=name, position_at=at).eval()
    larger = images(2, 3, 32, 48)
    if name.startswith("relative"):
        with pytest.raises(UserError, match="3x5 grid and these images have 4x6"):
            model(larger)
        with pytest.raises(UserError, match="3x5 grid"):
            adapt(model, image_size=(32, 48))
        return
    made = adapt(model, image_size=(32, 48)).eval()
    with torch.no_grad():
        torch.testing.assert_close(made(larger), model(larger), atol=1e-4, rtol=1e-4)


def test_halves_of_the_width_say_column_and_row(tiny) -> None:
    position = build_position(tiny(position="learned_2d"))
    position.reset_parameters()
    added = position(torch.zeros(1, 16, 24), (3, 5))[0]
    assert torch.equal(added[0], position.first[0])
    patches = added[1:].unflatten(0, (3, 5))
    for row in range(3):
        for column in range(5):
            halves = torch.cat([position.columns[column], position.rows[row]])
            assert torch.equal(patches[row, column], halves)
    assert sum(p.numel() for p in position.parameters()) == (3 + 5) * 12 + 24


def test_float64_keeps_its_digits(tiny) -> None:
    position = build_position(tiny(position="learned_2d")).double()
    position.reset_parameters()
    x = torch.zeros(1, 1 + 28, 24, dtype=torch.float64)
    whole = position(x, (4, 7))
    with torch.no_grad():
        for table in position.parameters():
            table.div_(3)
    torch.testing.assert_close(position(x, (4, 7)) * 3, whole, rtol=1e-14, atol=1e-14)


def test_sines_are_fixed_and_leave_the_class_token(tiny) -> None:
    position = build_position(tiny(position="sine_cosine"))
    assert not list(position.parameters())
    added = position(torch.zeros(1, 16, 24), (3, 5))[0]
    assert not added[0].any()
    assert torch.equal(added[1:], sine_cosine((3, 5), 24, torch.device("cpu")))


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({}, 1),
        ({"prefix_positions": False}, 0),
        ({"registers": 2}, 3),
        ({"registers": 2, "register_positions": False}, 1),
        ({"class_token": False, "pooling": "mean"}, 0),
    ],
)
def test_places_in_the_sequence_are_counted_from_the_first_token_that_has_one(
    tiny, fields, first
) -> None:
    config = tiny(position="sine_cosine_1d", **fields)
    position = build_position(config)
    position.reset_parameters()
    assert not list(position.parameters())
    added = position(torch.zeros(1, config.prefix + 15, 24), (3, 5))[0]
    table = sine_cosine_1d(first + 15, 24).float()
    assert torch.equal(added[config.prefix :], table[first:])
    whole = [*table[:first], *torch.zeros(config.prefix - first, 24)]
    assert all(torch.equal(row, other) for row, other in zip(added, whole, strict=False))


def test_on_a_larger_grid_a_patch_keeps_its_place(tiny) -> None:
    """Every second row and column of a 5 x 9 grid lies where the 3 x 5 grid has its patches."""
    position = build_position(tiny(position="sine_cosine_1d"))
    position.reset_parameters()
    own, larger = (
        position(torch.zeros(1, 1 + h * w, 24), (h, w))[0, 1:].unflatten(0, (h, w))
        for h, w in ((3, 5), (5, 9))
    )
    torch.testing.assert_close(larger[::2, ::2], own)
    torch.testing.assert_close(larger[1, 2], (own[0, 1] + own[1, 1]) / 2)


def test_what_is_resampled_is_kept_and_follows_a_change_of_the_table(tiny) -> None:
    position = build_position(tiny(position="sine_cosine_1d")).eval()
    position.reset_parameters()
    x = torch.zeros(1, 1 + 45, 24)
    with torch.no_grad():
        before = position(x, (5, 9))
        assert torch.equal(position(x, (5, 9)), before)
        position.table.mul_(2)
        torch.testing.assert_close(position(x, (5, 9)), 2 * before)


def test_layers_have_a_table_each_or_share_one(tiny) -> None:
    own, shared, stem = (
        {n for n, _ in create_model(tiny(position_at=at)).named_parameters() if "position" in n}
        for at in ("layers", "layers_shared", "stem")
    )
    assert own == {"position.table", "later_positions.0.table", "later_positions.1.table"}
    assert shared == stem == {"position.table"}


def test_shared_positions_are_added_before_each_block(shaken, images) -> None:
    model = shaken(position_at="layers_shared").eval()
    x = model.tokens(model.patches(images()), (3, 5))
    for layer, block in enumerate(model.encoder.blocks):
        x = block(x + model.position.table if layer else x)
    torch.testing.assert_close(model.encode(model.tokens(model.patches(images()), (3, 5)), (3, 5)),
                               model.encoder.norm(x))  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"position": "rotary"}, "choose learned or none"),
        ({"position_at": "head"}, "choose stem or layers"),
        ({"position": "relative", "position_at": "layers"}, "give stem, or another position"),
        ({"position": "none", "position_at": "layers_shared"}, "give stem, or another position"),
        ({"position_reach": 3}, "clips relative positions"),
        ({"position": "relative", "position_reach": 0}, "at least 1"),
        ({"position": "sine_cosine", "width": 30}, "a multiple of 4"),
        ({"position": "learned_2d", "width": 27}, "a multiple of 2"),
        ({"position": "sine_cosine_1d", "width": 27}, "sines and cosines .* a multiple of 2"),
        ({"position_at": "layers", "patch_dropout": 0.5}, "patch_dropout"),
    ],
)
def test_what_cannot_be_is_refused(tiny, fields, words) -> None:
    with pytest.raises(UserError, match=words):
        tiny(**fields)


def test_a_fixed_size_is_kept(shaken, images) -> None:
    model = shaken(position="learned_2d", fixed_size=True)
    with pytest.raises(UserError, match="fixed_size"):
        model(images(2, 3, 32, 48))


@pytest.mark.parametrize(("name", "at"), ALL)
@pytest.mark.parametrize("class_token", [True, False])
def test_sums_are_float32_under_autocast(shaken, images, name, at, class_token) -> None:
    pooling = "token" if class_token else "mean"
    model = shaken(position=name, position_at=at, class_token=class_token, pooling=pooling).eval()
    with torch.autocast("cpu", torch.bfloat16):
        tokens = model.tokens(model.patches(images()), model.config.grid)
        after = model.features(images(), "all", as_grid=False)
        recording = Recording(attention="all")
        torch.testing.assert_close(model(images(), recording), model(images()), atol=0.1, rtol=0.1)
    assert {x.dtype for x in (tokens, *after)} == {torch.float32}


@pytest.mark.parametrize(("name", "at"), ALL)
def test_a_model_in_bfloat16_stays_there(shaken, images, name, at) -> None:
    model = shaken(torch.bfloat16, position=name, position_at=at).eval()
    tokens = model.tokens(model.patches(images().bfloat16()), model.config.grid)
    features = model.features(images().bfloat16(), "all", as_grid=False)
    assert {x.dtype for x in (tokens, *features)} == {torch.bfloat16}

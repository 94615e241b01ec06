from collections.abc import Callable

import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

Images = Callable[..., torch.Tensor]
Shaken = Callable[..., VisionTransformer]

KINDS = {
    "class token": {},
    "mean pooling": {"pooling": "mean", "class_token": False},
    "mean of patches beside a class token": {"pooling": "mean"},
    "registers": {"registers": 4},
    "no positions for the prefix": {"registers": 2, "prefix_positions": False},
    "hybrid": {"stem": (), "patch": 8},
    "norm of the pooled": {"pooling": "mean", "final_norm": "pooled"},
}


@pytest.mark.parametrize("fields", KINDS.values(), ids=KINDS)
def test_maps_are_the_patches_of_a_recording(
    shaken: Shaken, images: Images, fields: dict[str, object]
) -> None:
    model, x = shaken(**fields).eval(), images()
    recording = Recording(tokens="all")
    model(x, recording=recording)
    maps = model.features(x, layers=[-1, 0, 0])
    tokens = model.features(x, layers=[-1, 0, 0], as_grid=False)
    for layer, grid, rows in zip((2, 0, 0), maps, tokens, strict=True):
        torch.testing.assert_close(rows, recording.tokens[layer])
        assert grid.shape == (2, 24, 3, 5)
        patches = recording.tokens[layer][:, model.config.prefix :]
        torch.testing.assert_close(grid[1, :, 2, 1], patches[1, 2 * 5 + 1])


def test_another_size_gives_another_grid(shaken: Shaken, images: Images) -> None:
    (features,) = shaken().eval().features(images(2, 3, 16, 64))
    assert features.shape == (2, 24, 2, 8)
    assert features.is_contiguous()


def test_blocks_beyond_the_last_asked_for_do_not_run(shaken: Shaken, images: Images) -> None:
    model = shaken().eval()
    ran = []
    for layer, block in enumerate(model.encoder.blocks):
        block.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
    model.features(images(), layers=[1])
    assert ran == [0, 1]
    ran.clear()
    assert len(model.features(images(), layers="all")) == 3
    assert ran == [0, 1, 2]


def test_with_the_final_norm_the_head_can_read_them(shaken: Shaken, images: Images) -> None:
    model, x = shaken().eval(), images()
    (tokens,) = model.features(x, as_grid=False, norm=True)
    torch.testing.assert_close(model.head(tokens[:, 0]), model(x))
    (pooled,) = (model.features(x, norm=True),)
    torch.testing.assert_close(pooled[0].flatten(2).mT, tokens[:, 1:])


def test_gradients_flow_to_the_blocks_that_ran(shaken: Shaken, images: Images) -> None:
    model = shaken()
    model.features(images(), layers=[0])[0].sum().backward()
    assert model.patch.weight.grad is not None
    assert model.encoder.blocks[0].mlp.expand.weight.grad is not None
    assert model.encoder.blocks[1].mlp.expand.weight.grad is None


def test_bad_wishes(shaken: Shaken, images: Images) -> None:
    model = shaken()
    with pytest.raises(UserError, match="no layer 3 to give features of: the model has 0 to 2"):
        model.features(images(), layers=[0, 3])
    with pytest.raises(UserError, match="features of no layer"):
        model.features(images(), layers=[])
    with pytest.raises(UserError, match="4 channels"):
        model.features(images(2, 4, 24, 40))
    with pytest.raises(UserError, match="no multiple of the patch side"):
        model.features(images(2, 3, 25, 40))
    with pytest.raises(UserError, match="leave norm out"):
        shaken(pooling="mean", final_norm="pooled").features(images(), norm=True)

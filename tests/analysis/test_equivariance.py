import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vitreous.analysis.equivariance import (
    feature_maps,
    moved,
    shift_differences,
    without_positions,
)
from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.resnet_config import ResNetConfig

SHIFTS = list(range(9))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def vit(**fields):
    values = {
        "image_size": 32, "patch": 8, "width": 24, "depth": 2, "mlp_width": 48, "heads": 3,
        "num_classes": 4,
    }  # fmt: skip
    torch.manual_seed(0)
    model = create_model(ViTConfig(**(values | fields))).eval()
    with torch.no_grad():
        for parameter in model.position.parameters():
            parameter.normal_()
    return model


def conv(stride: int, mode: str = "circular") -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(3, 5, 3, stride, padding=1, padding_mode=mode)


def test_moved_by_whole_cells_or_between_them() -> None:
    row = torch.tensor([0.0, 1.0, 2.0, 3.0]).view(1, 1, 1, 4)
    assert moved(row, 1).flatten().tolist() == [3, 0, 1, 2]
    assert moved(row, -1).flatten().tolist() == [1, 2, 3, 0]
    assert moved(row, 0.25).flatten().tolist() == pytest.approx([0.75, 0.75, 1.75, 2.75])
    assert moved(row, 5.25).flatten().tolist() == moved(row, 1.25).flatten().tolist()


def test_a_convolution_around_the_border_is_exactly_equivariant(images) -> None:
    found = shift_differences(conv(1), images, SHIFTS)
    assert found.shape == (9, 2)
    assert found.max() < 1e-6


def test_a_stride_leaves_its_multiples(images) -> None:
    found = shift_differences(conv(4), images, SHIFTS)
    assert found[::4].max() < 1e-6
    assert found[[1, 2, 3, 5, 6, 7]].min() > 0.3


def test_padding_shows_at_the_border_alone(images) -> None:
    assert shift_differences(conv(1, "zeros"), images, [3]).min() > 0.05
    # The border is one pixel wide, and lies at the third and fourth column when moved by three.
    assert shift_differences(conv(1, "zeros"), images, [0, 3, 20], border=1 / 32).max() < 1e-6


def test_the_definition_by_hand() -> None:
    """Features that count columns, whatever is on the image: they do not move at all."""
    columns = torch.arange(4.0).expand(1, 1, 1, 4)
    found = shift_differences(lambda x: columns, torch.zeros(1, 1, 1, 4), [0, 1])
    # Moved by one they are 3, 0, 1, 2: differences -3, 1, 1, 1; their spread is 5 in squares.
    assert found.flatten().tolist() == pytest.approx([0, (12 / 5) ** 0.5])


def test_features_that_do_not_vary_are_equivariant() -> None:
    found = shift_differences(lambda x: x[:, :, ::2, ::2], torch.ones(1, 3, 8, 8), [1, 2])
    assert found.flatten().tolist() == [0, 0]


def test_patches_move_with_whole_patches_only(images) -> None:
    found = shift_differences(feature_maps(vit())["patches"], images, SHIFTS)
    assert found[[0, 8]].max() < 1e-6
    assert found[1:8].min() > 0.1


def test_without_positions_whole_patches_permute_the_tokens(images) -> None:
    model = vit()
    maps = feature_maps(model)
    without = shift_differences(maps["last layer, without positions"], images, [8, 16, 24])
    assert without.max() < 1e-5
    assert shift_differences(maps["last layer, without positions"], images, [4]).min() > 0.1
    assert shift_differences(maps["last layer"], images, [8, 16, 24]).min() > 0.1
    tokens, after = (
        without_positions(model).features(x, [-1])[0]
        for x in (images, images.roll((8, 16), (2, 3)))
    )
    torch.testing.assert_close(after, tokens.roll((1, 2), (2, 3)), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("at", ["layers", "layers_shared"])
def test_positions_of_every_layer_are_left_out(images, at) -> None:
    model = vit(position_at=at)
    maps = feature_maps(model)
    assert shift_differences(maps["last layer, without positions"], images, [8]).max() < 1e-5
    assert shift_differences(maps["last layer"], images, [8]).min() > 0.1
    assert model.position.table.shape == (17, 24)  # the model itself keeps them


def test_what_has_no_positions_to_leave_out_has_two_maps(images) -> None:
    assert list(feature_maps(vit(position="none"))) == ["patches", "last layer"]
    assert list(feature_maps(vit(position="relative"))) == ["patches", "last layer"]
    maps = feature_maps(vit(position="none"))
    assert shift_differences(maps["last layer"], images, [8]).max() < 1e-5


def test_a_resnet_moves_with_the_image_away_from_the_border() -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    config = BiTConfig(
        image_size=64, units=(1, 1), stem_width=8, root="plain", norm_groups=8, num_classes=4
    )
    maps = feature_maps(create_model(config).eval())
    assert list(maps) == ["first convolution", "first stage", "last stage"]
    first, last = (
        shift_differences(maps[name], images, [0, 1, 2, 4], border=0.25)
        for name in ("first convolution", "last stage")
    )
    assert first.max() < 1e-5
    # Its norms look at the whole image, border and all, and its stride is two.
    assert last[[0, 2, 3]].max() < 0.1 < last[1]


def test_a_resnet_with_batchnorm_sees_the_border_at_the_border_alone() -> None:
    images = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    config = ResNetConfig(image_size=128, units=(1, 1), stem_width=8, root="plain", num_classes=4)
    last = feature_maps(create_model(config).eval())["last stage"]
    assert shift_differences(last, images, [0, 2, 4], border=0.25).max() < 1e-5


def test_what_cannot_be_measured_is_refused(images) -> None:
    with pytest.raises(UserError, match="map of 32x32 cells has nothing between its borders"):
        shift_differences(conv(1), images, [1], border=0.5)
    with pytest.raises(UserError, match="moved by 24 pixels"):
        shift_differences(conv(1), images, [16, 24], border=0.125)
    with pytest.raises(UserError, match="map of 10 cells does not divide images 32 pixels"):
        shift_differences(lambda x: F.adaptive_avg_pool2d(x, 10), images, [1])

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from vitreous.model.pixel_kernel import change_channels, follow_channels, resize_kernel


def drawn(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@given(st.integers(1, 8), st.integers(0, 9))
def test_an_enlarged_patch_has_the_embedding_of_the_patch(side: int, more: int) -> None:
    kernel, patch = drawn(5, 3, side, side), drawn(1, 3, side, side)
    enlarged = F.interpolate(patch, side + more, mode="bilinear", align_corners=False)
    resized = resize_kernel(kernel, (side + more, side + more))
    assert resized.shape == (5, 3, side + more, side + more)
    torch.testing.assert_close(
        (resized * enlarged).sum((1, 2, 3)), (kernel * patch).sum((1, 2, 3)), atol=1e-9, rtol=0
    )


@pytest.mark.parametrize(("old", "new"), [(4, 7), (6, 3), (5, 2)])
def test_it_is_the_pseudo_inverse_of_the_whole_resize(old: int, new: int) -> None:
    """Against the definition: one matrix for the flattened patch, no separation."""
    columns = torch.eye(old * old, dtype=torch.float64).view(-1, 1, old, old)
    matrix = F.interpolate(columns, new, mode="bilinear", align_corners=False).flatten(1).T
    kernel = drawn(2, 3, old, old)
    expected = np.linalg.pinv(matrix.T.numpy()) @ kernel.flatten(2).numpy()[..., None]
    np.testing.assert_allclose(
        resize_kernel(kernel, (new, new)).flatten(2), expected[..., 0], atol=1e-10
    )


def test_the_same_side_is_the_same_tensor_and_the_dtype_stays() -> None:
    kernel = drawn(2, 3, 4, 4).bfloat16()
    assert resize_kernel(kernel, (4, 4)) is kernel
    assert resize_kernel(kernel, (6, 6)).dtype == torch.bfloat16


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 3), (4, 1), (3, 6), (1, 4), (2, 4)])
def test_grey_images_stacked_give_the_same(old: int, new: int) -> None:
    kernel, grey = drawn(5, old, 4, 4), drawn(1, 1, 4, 4)
    torch.testing.assert_close(
        F.conv2d(grey.expand(1, new, 4, 4), change_channels(kernel, new)),
        F.conv2d(grey.expand(1, old, 4, 4), kernel),
    )


def test_the_fourth_channel_sees_as_the_first_does() -> None:
    kernel = drawn(5, 3, 4, 4)
    four = change_channels(kernel, 4)
    assert torch.equal(four, kernel[:, [0, 1, 2, 0]] * 0.75)
    assert change_channels(kernel, 3) is kernel


def test_means_are_averaged_or_repeated() -> None:
    assert follow_channels((0.2, 0.4, 0.6), 1) == pytest.approx((0.4,))
    assert follow_channels((0.2, 0.4, 0.6), 4) == (0.2, 0.4, 0.6, 0.2)
    assert follow_channels((0.5,), 3) == (0.5, 0.5, 0.5)
    assert follow_channels((0.1, 0.2), 2) == (0.1, 0.2)

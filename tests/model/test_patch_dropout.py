import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.patch_dropout import PatchDropout


@pytest.mark.parametrize(("rate", "kept"), [(0.5, 8), (0.75, 4), (0.99, 1), (0.01, 16)])
def test_so_many_patches_stay_in_order_and_the_prefix_always(rate, kept):
    tokens = torch.arange(18.0).view(1, 18, 1).expand(5, 18, 3)
    out = PatchDropout(rate, prefix=2).train()(tokens)
    assert out.shape == (5, 2 + kept, 3)
    assert torch.equal(out[:, :2], tokens[:, :2])
    assert (out[:, 1:, 0].diff(dim=1) > 0).all()
    if kept == 8:
        assert len({tuple(row.tolist()) for row in out[:, :, 0]}) > 1, "each image its own"


def test_inference_sees_all():
    tokens = torch.randn(2, 18, 3)
    assert PatchDropout(0.5, prefix=2).eval()(tokens) is tokens


@pytest.mark.parametrize("pooling", ["token", "mean"])
def test_a_model_trains_with_it(pooling):
    config = ViTConfig(
        image_size=(16, 16),
        patch=4,
        width=16,
        depth=2,
        mlp_width=32,
        heads=2,
        num_classes=3,
        pooling=pooling,
        patch_dropout=0.5,
    )
    model = create_model(config).train()
    torch.nn.init.normal_(model.head.weight)
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_rate_of_one_is_refused():
    with pytest.raises(UserError, match="patch_dropout is 1"):
        ViTConfig(patch_dropout=1.0)

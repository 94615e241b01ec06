import torch

from vitreous.analysis.occlusion import occlusion_map
from vitreous.model.vit import VisionTransformer


def test_the_one_cell_that_counts() -> None:
    """A class that is seen by one pixel of a 15 x 28 image, on a grid of 5 x 14 cells."""
    image = torch.ones(1, 3, 15, 28)

    def classify(images: torch.Tensor) -> torch.Tensor:
        there = images[:, 0, 7, 20]
        return torch.stack([0 * there, 100 * (2 * there - 1)], dim=1)

    heat = occlusion_map(classify, image, 1)
    expected = torch.zeros(5, 14)
    expected[2, 10] = 1
    torch.testing.assert_close(heat, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(occlusion_map(classify, image, 0), -expected, atol=1e-6, rtol=0)


def test_a_class_that_is_there_by_itself() -> None:
    """Of a model of several labels a probability is the sigmoid of its own logit."""
    image = torch.ones(1, 3, 2, 2)

    def classify(images: torch.Tensor) -> torch.Tensor:
        return torch.stack([images[:, 0, 0, 1], 5 + images[:, 0, 1, 1]], dim=1)

    heat = occlusion_map(classify, image, 0, multi_label=True)
    expected = torch.zeros(2, 2)
    expected[0, 1] = torch.tensor(1.0).sigmoid() - 0.5
    torch.testing.assert_close(heat, expected)


def test_every_model(model: VisionTransformer, pictures: torch.Tensor) -> None:
    heat = occlusion_map(model, pictures[:1], 3)
    assert heat.isfinite().all()
    assert heat.any()

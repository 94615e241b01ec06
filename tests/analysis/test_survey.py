import numpy as np
import torch

from vitreous.analysis.distance import attention_distance
from vitreous.analysis.survey import Survey, survey
from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.workers import Workers
from vitreous.errors import BadImageError
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import choose_engine

ONE = Workers(kind="threads", count=1)


class Noise:
    """Eleven random images, one of which cannot be read."""

    names = tuple(f"{index}.png" for index in range(11))
    labels = np.zeros(11, np.int64)

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        if index == 4:
            raise BadImageError("4.png", "torn")
        draw = np.random.default_rng(index)
        return draw.integers(256, size=(*self.size, 3), dtype=np.uint8)


def test_batches_fill_and_faults_do_not_count(model: VisionTransformer) -> None:
    size = model.config.image_size
    rule = Preprocessing(size=size, fit="squash")
    found = []
    for batch_size in (3, 11):
        loader = EvaluationLoader(
            Noise(size), rule, batch_size=batch_size, faults=Faults(11, 0.5), workers=ONE
        )
        seen: list[int] = []
        found.append(survey(model, loader, choose_engine("cpu", "float32"), seen.append))
        assert sum(seen) == found[-1].count == 10
    for spreads in ("distance", "entropy", "norm", "artifacts"):
        few, all_ = (getattr(survey, spreads) for survey in found)
        assert list(few) == list(all_) == [0, 1, 2]
        for layer in few:
            torch.testing.assert_close(few[layer].mean, all_[layer].mean, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(
                few[layer].deviation, all_[layer].deviation, atol=1e-4, rtol=1e-4
            )
    assert found[0].distance[0].mean.shape == (3,)
    assert (found[0].rank[2].mean >= 1).all()


def test_one_pass_by_hand(model: VisionTransformer, pictures: torch.Tensor) -> None:
    made, recording = Survey(patch=8), Recording(attention=[1])
    with torch.no_grad():
        model(pictures, recording=made.recording())
        model(pictures, recording=recording)
    expected = attention_distance(recording, 1, 8).mean(0).double()
    torch.testing.assert_close(made.distance[1].mean, expected, atol=1e-5, rtol=1e-6)
    assert made.count == 2

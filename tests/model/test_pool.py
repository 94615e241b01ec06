import torch

from vitreous.model.pool import ClassTokenPool, MeanPool

X = torch.arange(24.0).reshape(2, 4, 3)


def test_the_class_token_is_the_first() -> None:
    assert torch.equal(ClassTokenPool()(X), X[:, 0])
    assert ClassTokenPool.read == 1


def test_the_mean_leaves_the_class_token_out() -> None:
    assert MeanPool(1)(X).tolist() == [[6, 7, 8], [18, 19, 20]]
    assert MeanPool(0)(X).tolist() == [[4.5, 5.5, 6.5], [16.5, 17.5, 18.5]]
    assert MeanPool.read is None

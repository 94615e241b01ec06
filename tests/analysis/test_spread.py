import torch
from hypothesis import given
from hypothesis import strategies as st

from vitreous.analysis.spread import Spread


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 99))
def test_batches_are_as_one(sizes: list[int], seed: int) -> None:
    values = 50 + torch.randn(sum(sizes), 3, generator=torch.Generator().manual_seed(seed))
    spread = Spread()
    for chunk in values.split(sizes):
        spread.add(chunk)
    assert spread.count == len(values)
    if len(values):
        whole = values.double()
        torch.testing.assert_close(spread.mean, whole.mean(0))
        torch.testing.assert_close(spread.deviation, whole.std(0, correction=0))

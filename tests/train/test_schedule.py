import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.train.config import ScheduleConfig
from vitreous.train.schedule import learning_rate_factor


def test_warm_up_rises_linearly_to_the_peak():
    schedule = ScheduleConfig(warmup=0.1)
    factors = [learning_rate_factor(schedule, step, 100) for step in range(10)]
    assert factors == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert learning_rate_factor(schedule, 10, 100) == 1


@pytest.mark.parametrize(
    ("shape", "halfway"), [("cosine", 0.5), ("linear", 0.5), ("constant", 1.0)]
)
def test_halfway_down(shape, halfway):
    schedule = ScheduleConfig(shape=shape, warmup=0)
    assert learning_rate_factor(schedule, 50, 100) == pytest.approx(halfway)


def test_cosine_is_the_papers_formula_down_to_the_final_share():
    schedule = ScheduleConfig(shape="cosine", warmup=0, final=0.01)
    for step in (0, 7, 33, 99):
        cosine = (1 + math.cos(math.pi * step / 100)) / 2
        expected = 0.01 + 0.99 * cosine
        assert learning_rate_factor(schedule, step, 100) == pytest.approx(expected)


@given(
    shape=st.sampled_from(["cosine", "linear", "constant"]),
    warmup=st.floats(0, 1),
    final=st.floats(0, 1),
    steps=st.integers(1, 10_000),
    data=st.data(),
)
def test_always_a_share_of_the_peak_and_never_zero_in_warm_up(shape, warmup, final, steps, data):
    schedule = ScheduleConfig(shape=shape, warmup=warmup, final=final)
    step = data.draw(st.integers(0, steps - 1))
    factor = learning_rate_factor(schedule, step, steps)
    assert 0 <= factor <= 1
    if step < round(warmup * steps):
        assert factor > 0

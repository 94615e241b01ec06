import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.errors import UserError
from vitreous.train.config import ScheduleConfig
from vitreous.train.schedule import Phase, learning_rate_factor, phases


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
    warmup=st.floats(0, 1, exclude_max=True),
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


def test_a_run_at_one_size_is_one_phase():
    assert phases(ScheduleConfig(), (32, 48), 10) == [Phase(0, 10, (32, 48))]


@given(
    starts=st.lists(st.floats(0, 1, exclude_max=True), max_size=4).map(
        lambda shares: (0.0, *sorted(shares))
    ),
    steps=st.integers(1, 1000),
)
def test_phases_cover_every_step_once_with_growing_sides(starts, steps):
    schedule = ScheduleConfig(sides=range(16, 16 + len(starts)), side_starts=starts)
    found = phases(schedule, (64, 64), steps)
    covered = [step for phase in found for step in range(phase.start, phase.stop)]
    assert covered == list(range(steps))
    assert [phase.size for phase in found] == sorted(phase.size for phase in found)


@pytest.mark.parametrize(
    ("sides", "starts"),
    [((32, 48), (0.0,)), ((32, 48), (0.5, 0.0)), ((32,), (0.3,)), ((32, 48), (0.0, 1.5))],
)
def test_sides_and_starts_must_go_together(sides, starts):
    with pytest.raises(UserError, match=r"schedule\.side_starts"):
        ScheduleConfig(sides=sides, side_starts=starts)

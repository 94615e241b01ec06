import pytest

from vitreous.errors import UserError
from vitreous.experiments.cache import TrialCache, in_order


def test_a_trial_runs_once_and_is_remembered_by_what_decides_it(tmp_path, drawn) -> None:
    cache = TrialCache(tmp_path)
    trial = drawn(row="a", seed=1)
    assert cache.read(trial) is None
    outcome = cache.run(trial)
    assert cache.read(drawn(row="another row", seed=1)) == outcome
    for other in (drawn(row="a", seed=2), drawn(row="a", seed=1, mean=0.6)):
        assert cache.read(other) is None


def test_what_is_needed_comes_first_and_once_and_counts(tmp_path, drawn) -> None:
    first = drawn(row="", mean=0.1)
    tuned = [drawn(row=name, mean=mean, before=(first,)) for name, mean in (("a", 1), ("b", 2))]
    order = list(in_order(tuned))
    assert order == [first, *tuned]
    cache = TrialCache(tmp_path)
    for trial in order:
        cache.run(trial)
    assert cache.whole(tuned[0]).seconds == 4.0
    assert cache.whole(tuned[0]).flops == 20.0
    assert cache.whole(first).flops == 10.0


def test_another_start_is_another_trial(drawn) -> None:
    starts = [drawn(row="", mean=mean) for mean in (0.1, 0.2)]
    assert len({drawn(row="a", before=(start,)).digest for start in starts}) == 2


def test_a_damaged_outcome_is_named(tmp_path, drawn) -> None:
    cache, trial = TrialCache(tmp_path), drawn(row="a")
    cache.run(trial)
    (cache.place(trial) / "outcome.json").write_text("{")
    with pytest.raises(UserError, match=r"outcome.json cannot be read .* delete it"):
        cache.read(trial)


def test_a_file_in_the_way_is_not_taken_for_a_damaged_outcome(tmp_path, drawn) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match=r"out/trials cannot be a folder: a file is in the way"):
        TrialCache(tmp_path / "out" / "trials").read(drawn(row="a"))

from vitreous.train.backoff import Backoff


def test_each_skip_halves_and_a_hundred_good_steps_double():
    backoff = Backoff()
    backoff.skip()
    backoff.skip()
    assert backoff.factor == 0.25
    for _ in range(100):
        backoff.went_well()
    assert backoff.factor == 0.5
    for _ in range(500):
        backoff.went_well()
    assert backoff.factor == 1
    assert backoff.skipped == 2


def test_ten_in_a_row_are_too_many_and_a_good_step_breaks_the_row():
    backoff = Backoff()
    for _ in range(9):
        backoff.skip()
    assert not backoff.exhausted
    backoff.went_well()
    for _ in range(9):
        backoff.skip()
    assert not backoff.exhausted
    backoff.skip()
    assert backoff.exhausted


def test_it_comes_back_from_its_numbers():
    backoff = Backoff()
    backoff.skip()
    backoff.went_well()
    assert Backoff(**vars(backoff)) == backoff

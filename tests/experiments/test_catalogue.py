import pytest

from vitreous.errors import UserError
from vitreous.experiments.catalogue import NAMES, find_experiment


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_says_what_it_is(name) -> None:
    experiment = find_experiment(name)
    assert experiment.name == name
    assert experiment.title
    assert experiment.source
    assert experiment.scales
    for scale in experiment.scales.values():
        assert scale.what
        assert scale.minutes > 0
    for column in {column for _, column in experiment.published}:
        assert experiment.format(column, 0.5)


@pytest.mark.parametrize("name", NAMES)
def test_every_plan_of_the_paper_can_be_made(name) -> None:
    experiment = find_experiment(name)
    if experiment.paper is None:
        pytest.skip("nothing of it is trained")
    assert all(run.config.with_length(run.images).steps for run in experiment.paper())


def test_spellings() -> None:
    assert find_experiment("Table8").name == "table8"
    with pytest.raises(UserError, match="did you mean table8"):
        find_experiment("table-88")

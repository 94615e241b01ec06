"""What the page is told of a model."""

import json
from collections.abc import Callable

import pytest
import torch

from vitreous.analysis.position_similarity import added_positions, position_similarity
from vitreous.errors import UserError
from vitreous.explorer.subject import Subject


def test_facts_of_every_kind_are_json(subject: Subject) -> None:
    facts = json.loads(json.dumps(subject.facts))
    assert facts["layers"] == 3
    assert facts["heads"] == 3
    assert facts["grid"] == list(subject.grid)
    config = subject.transformer.config
    assert len(facts["prefix"]) == config.prefix
    assert len(facts["classes"]) == config.num_classes


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["class token"]),
        ({"registers": 2}, ["class token", "register 1", "register 2"]),
        ({"registers": 1, "pooling": "distilled"}, ["class token", "distillation token"]),
        ({"pooling": "mean", "class_token": False}, []),
    ],
)
def test_tokens_before_the_patches_have_names(
    make_subject: Callable[..., Subject], fields, names
) -> None:
    assert make_subject(**fields).facts["prefix"] == names


def test_positions_are_those_of_the_analysis(make_subject: Callable[..., Subject]) -> None:
    subject = make_subject()
    expected = position_similarity(added_positions(subject.transformer)).view(15, 15).float()
    torch.testing.assert_close(subject.positions, expected)


def test_a_resnet_has_cells_and_no_attention(resnet: Subject) -> None:
    assert resnet.grid == (8, 12)
    assert resnet.patch == (4, 4)
    assert resnet.facts["layers"] == 0
    assert resnet.positions is None


def test_images_that_no_file_holds_are_refused(make_subject: Callable[..., Subject]) -> None:
    with pytest.raises(UserError, match="takes images of 4 channels"):
        make_subject(channels=4)

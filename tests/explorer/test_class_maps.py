"""Maps of classes are those of the analysis."""

from collections.abc import Callable

import pytest
import torch

from vitreous.analysis.maps import heat_maps
from vitreous.analysis.occlusion import occlusion_map
from vitreous.data.decode import decode
from vitreous.errors import UserError
from vitreous.explorer import class_maps
from vitreous.explorer.class_maps import ClassMaps
from vitreous.explorer.lane import ClosedError, Lane
from vitreous.explorer.look import Look, look_at
from vitreous.explorer.subject import Subject


def look_of(subject: Subject, photo: bytes) -> Look:
    return look_at(subject, decode(photo, "photo", subject.passport.preprocessing.channels))


def test_relevance_of_class_after_class_and_look_after_look(
    make_subject: Callable[..., Subject], photo: bytes
) -> None:
    subject = make_subject()
    maps, first = ClassMaps(subject), look_of(subject, photo)
    second = Look(first.seen, first.image.flip(3), first.probabilities, first.inside)
    for look, label in ((first, 3), (first, 0), (second, 3), (first, 5)):
        expected = heat_maps(subject.transformer, look.image, label)["relevance"]
        found = maps.of(look, label)
        torch.testing.assert_close(found, expected)
        assert maps.of(look, label) is found


def test_relevance_that_does_not_fit_is_refused(
    make_subject: Callable[..., Subject], photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make_subject()
    monkeypatch.setattr(class_maps, "_MOST_BYTES", 1000)
    with pytest.raises(UserError, match="16 tokens"):
        ClassMaps(subject).of(look_of(subject, photo), 0)


def test_a_resnet_is_occluded(resnet: Subject, photo: bytes) -> None:
    look = look_of(resnet, photo)
    found = ClassMaps(resnet).of(look, 1)
    torch.testing.assert_close(found, occlusion_map(resnet.model, look.image, 1))
    assert found.shape == resnet.grid


def test_a_server_that_goes_down_does_not_wait_for_an_occlusion(
    resnet: Subject, photo: bytes
) -> None:
    lane = Lane(1)
    lane.close()
    with pytest.raises(ClosedError):
        ClassMaps(resnet, lane.check).of(look_of(resnet, photo), 1)

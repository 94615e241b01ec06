"""A look holds what separate passes give."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from vitreous.analysis.attention import read_by_head
from vitreous.analysis.distance import attention_distance
from vitreous.analysis.rollout import rollout
from vitreous.data.batch import normalise
from vitreous.data.decode import decode
from vitreous.data.transform import fit_for_test
from vitreous.explorer.look import look_at
from vitreous.explorer.subject import Subject
from vitreous.model.recording import Recording


def test_it_is_what_the_parts_give(subject: Subject, photo: bytes) -> None:
    rule = subject.passport.preprocessing
    pixels = decode(photo, "photo", rule.channels)
    look = look_at(subject, pixels)
    fitted = fit_for_test(pixels, rule)
    assert np.array_equal(look.seen, fitted.permute(1, 2, 0).numpy())
    recording = Recording(attention="all")
    with torch.no_grad():
        logits = subject.model(normalise(fitted[None], rule), recording=recording)
    if subject.passport.class_names:
        torch.testing.assert_close(look.probabilities, logits.softmax(1)[0])
    else:
        assert look.probabilities is None
    assert look.inside is not None
    model = subject.transformer
    assert model is not None
    for layer, distance in enumerate(look.inside.distance):
        expected = attention_distance(recording, layer, model.config.patch)[0]
        torch.testing.assert_close(distance, expected)
    rolled = read_by_head(
        rollout(recording), recording.grid, recording.prefix, model.config.pooling
    )
    torch.testing.assert_close(look.inside.rollout, rolled[0])
    assert look.inside.rollout.shape == subject.grid


def test_several_labels_have_probabilities_of_their_own(
    make_subject: Callable[..., Subject], photo: bytes
) -> None:
    single = make_subject()
    model = single.model
    model.passport = replace(single.passport, multi_label=True)
    several = Subject("several", model, single.engine)
    look = look_at(several, decode(photo, "photo"))
    with torch.no_grad():
        expected = model(look.image).sigmoid()
    torch.testing.assert_close(look.probabilities, expected[0])
    torch.testing.assert_close(several.probabilities(look.image), expected)


def test_a_resnet_has_an_answer_and_no_inside(resnet: Subject, photo: bytes) -> None:
    look = look_at(resnet, decode(photo, "photo"))
    assert look.inside is None
    assert look.probabilities is not None
    assert look.nbytes == 32 * 48 * 3 * 5

"""What is cut out of a look, and what the model says under a mask."""

from collections.abc import Callable

import numpy as np
import torch

from vitreous.data.decode import decode
from vitreous.explorer.answers import masked_probabilities, pixel_mask, token_attention
from vitreous.explorer.look import Look, look_at
from vitreous.explorer.subject import Subject
from vitreous.model.recording import Recording


def look_of(subject: Subject, photo: bytes) -> Look:
    return look_at(subject, decode(photo, "photo", subject.passport.preprocessing.channels))


def test_a_token_s_attention_both_ways(subject: Subject, photo: bytes) -> None:
    look = look_of(subject, photo)
    recording = Recording(attention="all")
    with torch.no_grad():
        subject.model(look.image, recording=recording)
    maps = torch.stack(list(recording.attention.values()))[:, 0]  # (L, k, S, S)
    assert look.inside is not None
    for token in (0, maps.shape[-1] - 1):
        given, received = token_attention(look.inside, token)
        torch.testing.assert_close(given, maps[..., token, :], rtol=0, atol=1e-6)
        torch.testing.assert_close(received, maps[..., token], rtol=0, atol=5e-6)


def test_masked_patches_have_the_mean_colour(
    make_subject: Callable[..., Subject], photo: bytes
) -> None:
    subject = make_subject()
    look = look_of(subject, photo)
    painted = look.image.clone()
    painted[:, :, 8:16, 0:8] = 0  # row 2, column 1 of a grid of 3 x 5
    with torch.no_grad():
        expected = subject.model(painted).softmax(1)[0]
    torch.testing.assert_close(masked_probabilities(subject, look, [5]), expected)
    assert masked_probabilities(subject, look, []) is look.probabilities
    one, other = (masked_probabilities(subject, look, range(15)) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.allclose(one, expected)


def test_a_mask_covers_its_patches_and_nothing_that_fills_none(subject: Subject) -> None:
    height, width = subject.passport.preprocessing.size
    h, w = subject.grid
    everything = pixel_mask(subject, range(h * w))
    assert everything.shape == (height, width)
    assert int(everything.sum()) == h * w * np.prod(subject.patch)
    last = pixel_mask(subject, [h * w - 1])
    assert int(last.sum()) == np.prod(subject.patch)
    assert last[h * subject.patch[0] - 1, w * subject.patch[1] - 1]

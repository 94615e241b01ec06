"""Examples are image files that every model can read, its own kind first."""

import pytest

from vitreous.data.decode import decode
from vitreous.data.preprocessing import Preprocessing
from vitreous.explorer.examples import encode_png, examples_for


@pytest.mark.parametrize(("size", "channels", "first"), [(224, 3, "flower"), (28, 1, "digit")])
def test_they_can_be_read(size: int, channels: int, first: str) -> None:
    half = (0.5,) * channels
    rule = Preprocessing(size=(size, size), channels=channels, mean=half, std=half)
    found = examples_for(rule)
    assert found[0].name.startswith(first)
    assert len({example.name for example in found}) == len(found) == 7
    for example in found:
        pixels = decode(example.data, example.name, channels)
        assert pixels.shape[2] == channels
        assert pixels.std() > 5
        # A file of exactly these pixels.
        assert (decode(encode_png(pixels), "again", channels) == pixels).all()
        kinds = {b"\x89PNG": "image/png", b"\xff\xd8\xff\xe0": "image/jpeg"}
        assert example.media_type == kinds[example.data[:4]]
        assert example.title
        assert example.credit

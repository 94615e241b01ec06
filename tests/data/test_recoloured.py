from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous.data.open import open_dataset
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.recoloured import in_channels_of
from vitreous.data.split import with_validation
from vitreous.errors import UserError

GREY = Preprocessing(size=(4, 4), channels=1, mean=(0.5,), std=(0.5,))
COLOUR = Preprocessing(size=(4, 4))


@pytest.mark.parametrize(("mode", "rule"), [("L", COLOUR), ("RGB", GREY), ("RGB", COLOUR)])
def test_files_come_in_the_channels_of_the_rule(tmp_path: Path, mode: str, rule) -> None:
    for number in range(8):
        path = tmp_path / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (4, 5), 10 * number).convert(mode).save(path)
    stored = with_validation(open_dataset(tmp_path), 0.25, seed=0)
    given = in_channels_of(rule, stored)
    assert given.channels == rule.channels
    for name, part in given.parts.items():
        own = stored.parts[name]
        assert list(part.names) == list(own.names)
        np.testing.assert_array_equal(part.labels, own.labels)
        for index in range(len(part.names)):
            pixels = part.read(index)
            assert pixels.shape == (5, 4, rule.channels)
            assert (pixels == own.read(index)[..., :1]).all()


def test_arrays_stay_as_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 5, 5, 3), np.uint8), y=[0, 1, 0, 1])
    with pytest.raises(UserError, match="data has 3 channels and the model takes 1"):
        in_channels_of(GREY, open_dataset(tmp_path / "a.npz"))

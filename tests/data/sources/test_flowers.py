import numpy as np
import pytest
from scipy.io import savemat

from vitreous.data.open import open_dataset
from vitreous.errors import UserError


@pytest.fixture
def flowers(plant):
    root = plant([f"jpg/image_{number:05d}.jpg" for number in range(1, 10)])
    savemat(root / "imagelabels.mat", {"labels": np.array([[1, 2, 3, 1, 2, 3, 1, 2, 3]], np.uint8)})
    sets = {"trnid": [[1, 2, 3]], "valid": [[9, 4]], "tstid": [[5, 6, 7, 8]]}
    savemat(root / "setid.mat", {name: np.array(ids, np.uint16) for name, ids in sets.items()})
    return root


def test_official_split(flowers):
    for address in (flowers, flowers.rename(flowers.with_name("flowers-102")).parent):
        dataset = open_dataset(address) if address.exists() else open_dataset(
            flowers.with_name("flowers-102"))  # fmt: skip
        assert dataset.class_names == ("1", "2", "3")
        assert {name: part.labels.tolist() for name, part in dataset.parts.items()} == {
            "train": [0, 1, 2],
            "validation": [2, 0],
            "test": [1, 2, 0, 1],
        }
        assert dataset.parts["validation"].names[0] == "jpg/image_00009.jpg"
        assert (dataset.parts["validation"].read(0) == 8).all()


@pytest.mark.parametrize("ids", [[[0]], [[10]]])
def test_numbers_that_do_not_fit(flowers, ids):
    sets = {name: np.array(ids) for name in ("trnid", "valid", "tstid")}
    savemat(flowers / "setid.mat", sets)
    with pytest.raises(UserError, match=r"setid\.mat does not fit imagelabels\.mat"):
        open_dataset(flowers)


@pytest.mark.parametrize("content", [b"", b"junk" * 100])
def test_damage(flowers, content):
    (flowers / "imagelabels.mat").write_bytes(content)
    with pytest.raises(UserError, match=r"imagelabels\.mat: cannot be read"):
        open_dataset(flowers)
    savemat(flowers / "imagelabels.mat", {"other": 1})
    with pytest.raises(UserError, match=r"imagelabels\.mat: cannot be read"):
        open_dataset(flowers)

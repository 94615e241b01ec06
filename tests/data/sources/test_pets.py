import pytest

from vitreous.data.open import open_dataset
from vitreous.errors import UserError


@pytest.fixture
def pets(plant):
    names = [f"images/{name}_{n}.jpg" for name in ("Abyssinian", "american_bulldog", "Bengal")
             for n in (1, 2)]  # fmt: skip
    root = plant(names)
    (root / "annotations").mkdir()
    (root / "annotations/trainval.txt").write_text(
        "#Image CLASS-ID\nAbyssinian_1 1 1 1\namerican_bulldog_1 2 2 1\nBengal_1 3 1 2\n"
    )
    (root / "annotations/test.txt").write_text("Bengal_2 3 1 2\nAbyssinian_2 1 1 1\n")
    return root


def test_official_numbers_and_split(pets):
    dataset = open_dataset(pets)
    assert dataset.class_names == ("Abyssinian", "american_bulldog", "Bengal")
    assert dataset.parts["train"].labels.tolist() == [0, 1, 2]
    assert dataset.parts["test"].names == ["images/Bengal_2.jpg", "images/Abyssinian_2.jpg"]
    assert dataset.parts["test"].labels.tolist() == [2, 0]
    assert (dataset.parts["test"].read(0) == 5).all()


@pytest.mark.parametrize(
    "line", ["Bengal_2", "Bengal_2 x", "../up_1 1 1 1", "Bengal_2 1 1 1", "Bengal 3", "Bengal_2 0"]
)
def test_lines_that_do_not_fit(pets, line):
    (pets / "annotations/test.txt").write_text(line + "\n")
    with pytest.raises(UserError, match=r"test\.txt, line 1: .* is not NAME CLASS SPECIES BREED"):
        open_dataset(pets)


def test_a_list_that_leaves_a_class_out(pets):
    (pets / "annotations/trainval.txt").write_text("Abyssinian_1 1 1 1\n")
    with pytest.raises(UserError, match="leaves classes out"):
        open_dataset(pets)

import numpy as np

from vitreous.data.gallery import Gallery
from vitreous.data.sample import Dataset, Part


def test_test_comes_first_and_every_image_keeps_its_place(memory) -> None:
    parts = {"train": memory(count=4), "validation": memory(count=1), "test": memory(count=3)}
    dataset = Dataset(address="D", class_names=("a", "b", "c"), parts=parts, channels=3)
    gallery = Gallery(dataset)
    assert isinstance(gallery, Part)
    places = [gallery.place(index) for index in range(8)]
    assert [name for name, _, _ in places] == ["test"] * 3 + ["validation"] + ["train"] * 4
    assert [position for _, _, position in places] == [0, 1, 2, 0, 0, 1, 2, 3]
    assert gallery.names == ["000", "001", "002", "000", "000", "001", "002", "003"]
    np.testing.assert_array_equal(gallery.labels, [0, 1, 2, 0, 0, 1, 2, 0])
    assert gallery.class_of(6) == "c"
    assert (gallery.read(7) == 3).all()


def test_images_of_several_labels(memory) -> None:
    train, test = memory(count=2), memory(count=1)
    train.labels = np.array([[1, 0, 1], [0, 0, 0]], np.uint8)
    test.labels = np.array([[0, 1, 0]], np.uint8)
    dataset = Dataset(
        address="D",
        class_names=("a", "b", "c"),
        parts={"train": train, "test": test},
        channels=3,
        multi_label=True,
    )
    gallery = Gallery(dataset)
    assert gallery.labels.tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert [gallery.class_of(index) for index in range(3)] == ["b", "a, c", "no label"]

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vitreous.data.sources.table import open_table
from vitreous.errors import BadImageError, UserError

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """Two images: colour, infrared as grey, and an array of five bands."""
    for number in range(2):
        colour = RNG.integers(0, 256, (4, 5, 3), np.uint8)
        Image.fromarray(colour).save(tmp_path / f"{number}.png")
        Image.fromarray(colour[..., 0]).save(tmp_path / f"{number}_ir.png")
        np.save(tmp_path / f"{number}.npy", RNG.integers(0, 256, (4, 5, 5), np.uint8))
        np.save(tmp_path / f"{number}_16.npy", colour[..., 1].astype(np.uint16) * 257)
    return tmp_path


def table(folder, header, *rows):
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows]))
    return open_table(path, "T")


def test_files_are_stacked_in_order(folder, send):
    rows = [f"{n}.png,{n}_ir.png,{n}.npy,{'ab'[n]}" for n in range(2)]
    dataset = table(folder, "path,path2,path10,label", *rows)
    assert dataset.channels == 9
    part, _ = send(dataset.parts["train"])
    assert part.names == ["0.png", "1.png"]
    assert part.labels.tolist() == [0, 1]
    pixels = part.read(1, min_side=2)
    np.testing.assert_array_equal(pixels[..., :3], np.asarray(Image.open(folder / "1.png")))
    np.testing.assert_array_equal(pixels[..., 3], pixels[..., 0])
    np.testing.assert_array_equal(pixels[..., 4:], np.load(folder / "1.npy"))


def test_arrays_alone_and_16_bits(folder):
    dataset = table(folder, "path,label", "0_16.npy,a", "1_16.npy,b")
    assert dataset.channels == 1
    expected = np.asarray(Image.open(folder / "0.png"))[..., 1:2]
    np.testing.assert_array_equal(dataset.parts["train"].read(0), expected)


def test_several_labels_and_parts(folder):
    dataset = table(
        folder, "path,path2,a,b,part", "0.png,0_ir.png,1,1,train", "1.png,1_ir.png,0,1,val"
    )
    assert dataset.multi_label
    assert dataset.channels == 4
    assert dataset.parts["validation"].labels.tolist() == [[0, 1]]


def saved(array) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (saved(np.zeros((4, 5, 4), np.uint8)), "4 channels where the others have 5"),
        (saved(np.zeros((4, 5, 5))), r"float64 \(4, 5, 5\), not uint8 or uint16"),
        (saved(np.zeros((0, 5, 5), np.uint8)), "not uint8 or uint16"),
        (saved(np.zeros(5, np.uint8)), "not uint8 or uint16"),
        (saved(np.zeros((9, 9, 5), np.uint8)), "its files differ in size: 4 x 5 and 9 x 9"),
        (saved(np.zeros((4, 5, 5), np.uint8))[:150], "."),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "."),
        (b"", "an image file where the others are arrays of 5"),
        (None, "No such file"),
    ],
)
def test_a_file_that_does_not_fit_is_a_bad_image(folder, content, reason):
    path = folder / "1.npy"
    path.unlink() if content is None else path.write_bytes(content)
    part = table(folder, "path,path2,label", "0.png,0.npy,a", "1.png,1.npy,b").parts["train"]
    assert part.read(0).shape == (4, 5, 8)
    with pytest.raises(BadImageError, match=rf"1\.png: .*{reason}"):
        part.read(1)


def test_nothing_readable(folder):
    with pytest.raises(
        UserError, match="none of (the arrays|2 images) looked at can be (read|found)"
    ):
        table(folder, "path,label", "7.npy,a", "8.npy,b")


def test_crops_are_decoded_by_themselves_at_a_reduced_scale(tmp_path):
    colour = np.asarray(
        Image.fromarray(RNG.integers(0, 256, (9, 12, 3), np.uint8)).resize((640, 480))
    )
    Image.fromarray(colour).save(tmp_path / "0.jpg", quality=95)
    Image.fromarray(colour[..., 0]).save(tmp_path / "0_ir.jpg", quality=95)
    Image.fromarray(colour[..., 1]).save(tmp_path / "0_depth.png")
    part = table(tmp_path, "path,path2,label", "0.jpg,0_ir.jpg,a").parts["train"]
    box = (40, 80, 400, 480)
    reduced = part.read_crop(0, lambda *_: box, (100, 100))
    assert reduced.shape == (100, 120, 4)
    assert part.read(0, 200).shape == (240, 320, 4)
    # A PNG comes whole, and the others with it.
    part = table(tmp_path, "path,path2,label", "0.jpg,0_depth.png,a").parts["train"]
    np.testing.assert_array_equal(
        part.read_crop(0, lambda *_: box, (100, 100)), part.read(0)[40:440, 80:560]
    )
    assert part.read(0, 200).shape == (480, 640, 4)


def test_crops_of_files_that_differ_in_size_are_refused(folder):
    np.save(folder / "1.npy", np.zeros((9, 9, 5), np.uint8))
    part = table(folder, "path,path2,label", "0.png,0.npy,a", "1.png,1.npy,b").parts["train"]
    assert part.read_crop(0, lambda *_: (0, 0, 2, 2), (2, 2)).shape == (2, 2, 8)
    with pytest.raises(BadImageError, match="differ in size: 4 x 5 and 9 x 9"):
        part.read_crop(1, lambda *_: (0, 0, 2, 2), (2, 2))

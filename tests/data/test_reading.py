import pytest

from vitreous.data.open import open_dataset
from vitreous.data.reading import Reading, ReadingOptions, searched
from vitreous.data.reading_lines import reading_lines, reading_record
from vitreous.errors import UserError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layout": "odd"}, "--layout is 'odd': choose auto or classes"),
        ({"labels_per_image": "two"}, "--labels-per-image is 'two': choose auto or one"),
        ({"label_from_name": "("}, r"--label-from-name is '\(', no regular expression"),
        ({"group_from_name": "[a"}, "--group-from-name is"),
        ({"label_separator": "xy"}, "--label-separator is 'xy': give one mark, or space"),
    ],
)
def test_options_that_mean_nothing(values, message):
    with pytest.raises(UserError, match=message):
        ReadingOptions(**values)


def test_what_was_given():
    options = ReadingOptions(image_suffix="jpg", label_separator="comma")
    assert options.to_dict() == {"image_suffix": ".jpg", "label_separator": "comma"}
    assert options.separator == ","
    assert ReadingOptions().given == ()
    assert ReadingOptions(label_separator="none").separator == ""
    assert ReadingOptions().separator is None


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [("^(cat|dog)", "dog.1.jpg", "dog"), (r"\d+", "a12", "12"), ("x(a)?(b)?", "xb", "b"),
     ("z", "a", None), ("z*", "a", None)],
)  # fmt: skip
def test_the_first_group_or_the_whole(pattern, text, found):
    import re

    assert searched(re.compile(pattern), text) == found


def test_three_lines_of_a_folder(tmp_path):
    from PIL import Image

    for name in ("training_set/cat /1.png", "training_set/dog/2.png", "test_set/dog/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / name)
    (tmp_path / "README.txt").touch()
    dataset = open_dataset(tmp_path)
    assert reading_lines(dataset) == (
        "classes: 2 ('cat ', dog), by names of the folders in the parts; one label an image",
        "parts:   train 2, test 1 images; training_set/ is train, test_set/ is test; no groups",
        "ignored: other files: ignored 1 .txt",
    )
    record = reading_record(dataset)
    assert record["images"] == {"train": 2, "test": 1}
    assert record["ignored"] == {"other files": "ignored 1 .txt"}


@pytest.mark.parametrize("address", ["digits"])
def test_every_source_has_three_lines(address):
    lines = reading_lines(open_dataset(address))
    assert [line.partition(":")[0] for line in lines] == ["classes", "parts", "ignored"]
    assert not any("\n" in line for line in lines)


def test_a_reading_is_plain_values():
    assert Reading(doubt="x").to_dict()["doubt"] == "x"

"""Tables as people have them: columns, labels, parts and files, read or asked about."""

import pytest

from vitreous.data.open import open_dataset
from vitreous.data.reading import ReadingOptions
from vitreous.errors import UserError

NAMES = [f"{number:02}.png" for number in range(12)]


@pytest.fixture
def table(plant):
    """Opens a table of twelve images: a header, and a cell of each image a column."""

    def write(header: str, *columns, mark: str = ",", names=NAMES, **options):
        folder = plant(NAMES)
        cells = [names, *columns]
        rows = [mark.join(str(column[row]) for column in cells) for row in range(len(NAMES))]
        (folder / "table.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
        path = folder / "table.csv"
        return open_dataset(path, ReadingOptions(**options), for_training=False)

    return write


def cycle(*cells):
    return [cells[row % len(cells)] for row in range(len(NAMES))]


def counts(dataset):
    return {part: len(images.labels) for part, images in dataset.parts.items()}


CATS = cycle("cat", "dog", "owl")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("before", ["", "# by hand\n", "sep=;\n"])
def test_what_spreadsheets_write_before_the_header(plant, encoding, before):
    mark = ";" if "sep" in before else ","
    rows = [f"path{mark}label", *(f"{n}{mark}{c}" for n, c in zip(NAMES, CATS, strict=True))]
    path = plant(NAMES) / "t.csv"
    path.write_text(before + "\n".join(rows), encoding=encoding)
    assert open_dataset(path).parts["train"].labels.tolist() == [row % 3 for row in range(12)]
    path.write_text(before + "\n".join([*rows, f"13.png{mark}"]), encoding=encoding)
    with pytest.raises(UserError, match=f"line {14 + bool(before)}: the label is empty"):
        open_dataset(path)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_marks_between_cells_are_told_from_the_header(table, mark):
    assert table(mark.join(("path", "label")), CATS, mark=mark).class_names == ("cat", "dog", "owl")


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        ("labels", cycle("scab rust", "rust", "scab", "frog"), ("frog", "rust", "scab")),
        ("tags", cycle("haze primary", "haze water", "primary water", "haze"),
         ("haze", "primary", "water")),
        ("labels", cycle('"a,b"', "a", '"b,c"'), ("a", "b", "c")),
        ("tags", cycle("haze primary", "clear primary water", "water clear"),
         ("clear", "haze", "primary", "water")),
        ("label", cycle('"cat,dog"', "cat", "dog"), ("cat", "dog")),
        ("label", cycle("cat;dog", "cat", "dog"), ("cat", "dog")),
        ("Finding Labels", cycle("Mass|Edema", "Mass", "No Finding"),
         ("Edema", "Mass", "No Finding")),
        ("labels", cycle('"[\'a\', \'b\']"', "['a']", "[]"), ("a", "b")),
        ("labels", cycle('"[""a"", ""b""]"', '"[""b""]"'), ("a", "b")),
        ("labels", cycle('"{\'b\', \'a\'}"', "('a')"), ("('a')", "a", "b")),
        ("Target", cycle("0 2", "1", "2 1 0"), ("0", "1", "2")),
    ],
)  # fmt: skip
def test_several_labels_in_a_cell(table, column, cells, expected):
    dataset = table(f"image,{column}", cells)
    assert dataset.multi_label
    assert dataset.class_names == expected
    assert not dataset.reading.doubt


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("label", cycle("golden retriever", "labrador retriever", "siamese cat")),
        ("species", cycle('"tench, Tinca tinca"', '"goldfish, Carassius auratus"')),
        ("labels", CATS),
        ("class", cycle("oak_leaf", "elm_leaf", "ash")),
        ("label", cycle("not ripe", "ripe")),
    ],
)
def test_names_of_several_words_are_one_label(table, column, cells):
    dataset = table(f"image,{column}", cells)
    assert not dataset.multi_label
    assert not dataset.reading.doubt
    assert len(dataset.class_names) == len(set(cells))


@pytest.mark.parametrize(
    ("column", "cells", "word"),
    [
        ("label", cycle("cat", "cat dog", "dog"), "space"),
        ("label", cycle("cat", "cat dog", "cat dog owl"), "space"),
        ("label", cycle("cat", "cat/dog", "dog"), "slash"),
        ("label", cycle("cat", "cat+dog", "dog"), "plus"),
        ("labels", cycle("golden retriever", "siamese cat", "tabby cat"), "space"),
    ],
)
def test_cells_that_may_be_several_labels_are_asked_about(table, column, cells, word):
    dataset = table(f"image,{column}", cells)
    assert dataset.reading.asks
    assert f"--label-separator {word} splits them" in dataset.reading.doubt
    split = table(f"image,{column}", cells, label_separator=word)
    assert split.multi_label
    assert not split.reading.doubt
    whole = table(f"image,{column}", cells, label_separator="none")
    assert set(whole.class_names) == set(cells)


BITS = cycle(1, 0, 0), cycle(0, 1, 0), cycle(0, 0, 1)


@pytest.mark.parametrize(
    ("header", "before", "after"),
    [
        ("image,cat,dog,owl", [], []),
        ("image,cat,dog,owl,is_valid", [], [cycle(0, 0, 0, 1)]),
        ("image,sex,cat,dog,owl,age", [cycle(0, 1)], [cycle(0, 1, 1)]),
        ("image,fold,cat,dog,owl", [cycle(0, 1)], []),
        ("image, index, cat, dog, owl", [list(range(12))], []),
        ("image,patient_id,cat,dog,owl", [cycle(0, 0, 1, 1)], []),
    ],
)
def test_columns_of_classes_and_columns_that_are_none(table, header, before, after):
    dataset = table(header, *before, *BITS, *after)
    assert dataset.class_names == ("cat", "dog", "owl")
    assert not dataset.multi_label
    assert "exactly one" in dataset.reading.classes
    several = table(header, *before, *BITS, *after, labels_per_image="several")
    assert several.multi_label


def test_classes_of_minus_one_and_one(table):
    signs = [cycle(1, -1), cycle(1, 1, -1), cycle(-1, 1, 1, 1)]
    dataset = table("image_id,Smiling,Male,Young", *signs)
    assert dataset.class_names == ("Smiling", "Male", "Young")
    assert dataset.parts["train"].labels[0].tolist() == [1, 1, 0]


@pytest.mark.parametrize("cells", [cycle("1", "0", "-1"), cycle("1", "0", "")])
def test_uncertain_classes_are_refused(table, cells):
    with pytest.raises(UserError, match=r"line \d: Edema is .*: a column of a class holds 0 or 1"):
        table("Path,Edema,Mass", cells, cycle("1", "0"))


@pytest.mark.parametrize("header", [",image,label", "Unnamed: 0,image,label", "index,path,class"])
@pytest.mark.parametrize("first", [0, 1, 100])
def test_an_index_column_is_left_out_and_said(plant, header, first):
    folder = plant(NAMES)
    rows = [f"{first + row},{name},{CATS[row]}" for row, name in enumerate(NAMES)]
    (folder / "t.csv").write_text("\n".join([header, *rows]))
    dataset = open_dataset(folder / "t.csv")
    assert dataset.class_names == ("cat", "dog", "owl")
    assert "counts the rows" in dataset.notes["columns"]


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        ("is_valid", cycle("False", "False", "True"), {"train": 8, "validation": 4}),
        ("train", cycle(1, 0, 1), {"train": 8, "test": 4}),
        ("is_test", cycle(0, 1), {"train": 6, "test": 6}),
        ("split", cycle("train", "valid", "TEST"), {"train": 4, "validation": 4, "test": 4}),
        ("Usage", cycle("Training", "PublicTest", "PrivateTest"), {"train": 4, "test": 8}),
        ("partition", cycle(0, 0, 1, 2), {"train": 6, "validation": 3, "test": 3}),
        ("set", cycle("training_set", "test_set"), {"train": 6, "test": 6}),
        ("set", cycle("Abstraction", "Landscape"), {"train": 12}),
        ("fold", cycle(0, 1, 2), {"train": 12}),
    ],
)
def test_columns_of_parts(table, column, cells, expected):
    dataset = table(f"fname,label,{column}", CATS, cells)
    assert counts(dataset) == expected
    assert dataset.class_names == ("cat", "dog", "owl")
    assert (column in dataset.reading.parts) or (column in dataset.notes["columns"])


@pytest.mark.parametrize(
    ("column", "cells", "asked"),
    [("split", cycle(0, 1), "split=0"), ("part", cycle(0, 1, 2, 3), "part=0")],
)
def test_numbers_of_parts_are_asked_about(table, column, cells, asked):
    with pytest.raises(UserError, match=f"--split-column {asked}, or --split-column none"):
        table(f"path,label,{column}", CATS, cells)
    validates = sum(cell == 0 for cell in cells)
    found = counts(table(f"path,label,{column}", CATS, cells, split_column=asked))
    assert found == {"train": 12 - validates, "validation": validates}
    assert counts(table(f"path,label,{column}", CATS, cells, split_column="none")) == {"train": 12}


@pytest.mark.parametrize(
    ("header", "columns", "choices"),
    [
        ("image,label,species", [cycle(0, 1, 2), cycle("a", "b")], ("label", "species")),
        ("image,label,label_2", [cycle("a", "b"), cycle("x", "x", "b")], ("label", "label_2")),
        ("image,diagnosis,target", [cycle("x", "y", "z"), cycle(0, 0, 1)], ("target", "diagnosis")),
        ("image,site,age,sex", [cycle("arm", "leg"), cycle(1, 2), cycle("f", "m")], ("site",)),
        ("image,artist,mood", [cycle("x", "y"), cycle(0, 0, 2)], ("artist", "mood")),
    ],
)
def test_columns_that_could_be_the_labels_are_asked_about(table, header, columns, choices):
    dataset = table(header, *columns)
    assert dataset.reading.asks
    for choice in choices:
        assert f"--label-column {choice}" in dataset.reading.doubt
        assert not table(header, *columns, label_column=choice).reading.doubt


def test_codes_and_their_names_are_one_label_by_name(table):
    dataset = table("image,label,label_name", cycle(0, 1, 2), CATS)
    assert dataset.class_names == ("cat", "dog", "owl")


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Path,Width,Roi.X1,ClassId", [cycle(9, 8), cycle(1, 2), CATS]),
        ("image,x,y,label", [cycle(1, 2), cycle(3, 4, 4), CATS]),
        ("image,url,class", [cycle("http://a/b.jpg"), CATS]),
        ("image,created_at,count,breed", [cycle("2020-01-02"), cycle(0, 1), CATS]),
    ],
)
def test_the_label_among_measures(table, header, columns):
    assert table(header, *columns).class_names == ("cat", "dog", "owl")


def test_yes_and_no_are_columns_of_classes(table):
    dataset = table("image,cat,dog", cycle("yes", "no", "yes"), cycle("No", "Yes", "Yes"))
    assert dataset.parts["train"].labels[:3].tolist() == [[1, 0], [0, 1], [1, 1]]


def test_named_columns_of_classes(table):
    dataset = table("image,a,b,sex", *BITS, label_column="a,sex")
    assert dataset.class_names == ("a", "sex")


@pytest.mark.parametrize("cells", [cycle(0.5, 1.5), cycle("1e-3", "2.0")])
def test_numbers_with_fractions_are_no_classes(table, cells):
    with pytest.raises(UserError, match="numbers with fractions are no classes"):
        table("image,label", cells)
    assert table("image,label", cycle("0.0", "1.0")).class_names == ("0", "1")


@pytest.mark.parametrize("column", ["image_id", "Id", "img", "fname", "Image Index", "id_code"])
@pytest.mark.parametrize("folder", ["", "images/", "data/train_images/"])
@pytest.mark.parametrize("named", ["", "/kaggle/input/set/", "C:\\Users\\me\\"])
def test_names_without_ending_or_from_elsewhere_are_found(plant, column, folder, named):
    if named and folder.startswith("data"):
        named += "train_images/"  # a folder that names agree in
    root = plant([folder + name for name in NAMES])
    rows = [f"{named}{name.removesuffix('.png')},{CATS[row]}" for row, name in enumerate(NAMES)]
    (root / "t.csv").write_text("\n".join([f"{column},label", *rows]))
    dataset = open_dataset(root / "t.csv")
    assert dataset.parts["train"].names == [folder + name for name in NAMES]
    assert (dataset.parts["train"].read(5) == 5).all()
    assert "found by name" in dataset.reading.root


def test_a_file_in_another_folder_than_named_is_not_meant(plant):
    root = plant([f"train/{name}" for name in NAMES])
    rows = [f"test/{name},{CATS[row]}" for row, name in enumerate(NAMES)]
    (root / "t.csv").write_text("\n".join(["path,label", *rows]))
    with pytest.raises(UserError, match=r"none of 12 images .* give --image-root FOLDER"):
        open_dataset(root / "t.csv")


def test_two_files_for_one_name_are_asked_about(plant):
    folders = plant([f"{folder}/{name}" for folder in ("color", "gray") for name in NAMES])
    rows = [f"{name.removesuffix('.png')},{CATS[row]}" for row, name in enumerate(NAMES)]
    (folders / "t.csv").write_text("\n".join(["id,label", *rows]))
    with pytest.raises(UserError, match="--image-root color or --image-root gray"):
        open_dataset(folders / "t.csv")
    part = open_dataset(folders / "t.csv", ReadingOptions(image_root="gray")).parts["train"]
    assert (part.read(0) == 12).all()
    with pytest.raises(UserError, match="--image-root none is no folder"):
        open_dataset(folders / "t.csv", ReadingOptions(image_root="none"))


def test_two_endings_for_one_name_are_asked_about(plant):
    root = plant([*NAMES, *(name.replace("png", "bmp") for name in NAMES)])
    rows = [f"{name.removesuffix('.png')},{CATS[row]}" for row, name in enumerate(NAMES)]
    (root / "t.csv").write_text("\n".join(["id,label", *rows]))
    with pytest.raises(UserError, match=r"--image-suffix \.bmp or --image-suffix \.png"):
        open_dataset(root / "t.csv")
    part = open_dataset(root / "t.csv", ReadingOptions(image_suffix="png")).parts["train"]
    assert part.names == NAMES


def test_masks_of_the_same_names_are_not_meant(plant):
    root = plant([f"{folder}/{name}" for folder in ("masks", "photos") for name in NAMES])
    rows = [f"{name.removesuffix('.png')},{CATS[row]}" for row, name in enumerate(NAMES)]
    (root / "t.csv").write_text("\n".join(["id,label", *rows]))
    assert open_dataset(root / "t.csv").parts["train"].names[0] == "photos/00.png"


def test_paths_that_name_their_parts(plant):
    names = [f"{'train' if row % 3 else 'test'}/{name}" for row, name in enumerate(NAMES)]
    root = plant(names)
    rows = [f"{name},{CATS[(row + row // 3) % 3]}" for row, name in enumerate(names)]
    (root / "t.csv").write_text("\n".join(["path,label", *rows]))
    assert counts(open_dataset(root / "t.csv", for_training=False)) == {"train": 8, "test": 4}
    none = ReadingOptions(split_column="none")
    assert counts(open_dataset(root / "t.csv", none)) == {"train": 12}


def test_a_table_of_paths_alone_is_images_without_labels(table):
    dataset = table("path")
    assert dataset.reading.doubt
    assert not dataset.reading.asks
    assert len(dataset.parts["train"].names) == 12


def test_a_test_part_without_labels_is_left_out_and_said(table):
    labels = [CATS[row] if row < 9 else "" for row in range(12)]
    dataset = table("path,label,split", labels, ["train"] * 9 + ["test"] * 3)
    assert counts(dataset) == {"train": 9}
    assert dataset.notes["without a label"] == "ignored 3 rows whose label is empty"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("image,path,label", "columns path and image both name images: give one with --path-"),
        ("path,path,label", "two columns are called 'path'"),
    ],
)
def test_two_columns_of_paths(table, header, message):
    with pytest.raises(UserError, match=message):
        table(header, [f"m{name}" for name in NAMES], CATS)


def test_a_column_of_masks_is_no_column_of_images(table):
    dataset = table("image,mask,label", [f"m{name}" for name in NAMES], CATS)
    assert dataset.parts["train"].names == NAMES
    assert "mask (" in dataset.notes["columns"]


def test_options_that_name_no_column(table):
    for name in ("label", "path", "split", "group"):
        with pytest.raises(UserError, match=f"--{name}-column nose is not among path, label"):
            table("path,label", CATS, **{f"{name}_column": "nose"})


def test_images_in_a_folder_beside_the_tables(plant):
    root = plant([f"photos/{name}" for name in NAMES])
    (root / "lists").mkdir()
    rows = [f"{name.removesuffix('.png')},{CATS[row]}" for row, name in enumerate(NAMES)]
    (root / "lists" / "t.csv").write_text("\n".join(["id,label", *rows]))
    assert (open_dataset(root / "lists/t.csv").parts["train"].read(3) == 3).all()


@pytest.mark.parametrize("text", ["9" * 5000, "(" * 3000 + ")" * 3000, "nan", "1e999"])
def test_cells_that_are_odd_are_names(table, text):
    dataset = table(",image,label", NAMES, cycle(text, "a"), names=[text] * 12)
    assert dataset.class_names == tuple(sorted((text, "a")))


@pytest.mark.parametrize("text", ["[" * 3000, "9" * 400 + ".5", "nan", "1e999"])
def test_cells_that_are_neither_names_nor_numbers_are_refused(table, text):
    with pytest.raises(UserError, match="list without an end|numbers with fractions"):
        table("image,label", cycle(text, "0.5"))


def test_labels_in_two_unicode_forms_are_one_class(table):
    dataset = table("image,label", cycle("K\u00e4se", "Ka\u0308se", "Brot"))
    assert dataset.class_names == ("Brot", "K\u00e4se")

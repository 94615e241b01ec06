import json

import numpy as np
import pytest

from vitreous.data.reading import ReadingOptions
from vitreous.data.sources.table import open_table
from vitreous.errors import BadImageError, UserError


@pytest.fixture
def write(plant):
    """Writes a table beside the images a/1.png, a/2.png and b/3.png."""

    def write(text: str | bytes, name: str = "table.csv"):
        path = plant(["a/1.png", "a/2.png", "b/3.png"]) / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def content(dataset) -> dict:
    return {
        part: [(n, dataset.class_names[k]) for n, k in zip(p.names, p.labels, strict=True)]
        for part, p in dataset.parts.items()
    }


@pytest.mark.parametrize(
    "header", ["path,label", "FILE,Class", "id,filename,target", "image,label,x"]
)
def test_columns_under_their_names(write, header):
    columns = header.lower().split(",")
    paths = [name for name in columns if name in ("path", "file", "filename", "image")]
    rows = [
        ",".join(
            path if c == paths[0] else label if c in ("label", "class", "target") else "-"
            for c in columns
        )
        for path, label in (("a/1.png", "cat"), ("b/3.png", "dog"))
    ]
    dataset = open_table(write("\n".join([header, *rows])), "T")
    assert content(dataset) == {"train": [("a/1.png", "cat"), ("b/3.png", "dog")]}
    assert (dataset.parts["train"].read(1) == 2).all()


def test_parts(write):
    dataset = open_table(
        write("path,label,split\na/1.png,x,Train\na/2.png,y,training\nb/3.png,x,val\n"), "T"
    )
    assert content(dataset) == {
        "train": [("a/1.png", "x"), ("a/2.png", "y")],
        "validation": [("b/3.png", "x")],
    }


def test_json_lines_and_tabs_give_the_same(write):
    rows = [("a/1.png", "x"), ("a/2.png", "y"), ("b/3.png", "x")]
    csv = open_table(write("path,label\n" + "".join(f"{p},{c}\n" for p, c in rows)), "T")
    tsv = open_table(write("path\tlabel\n" + "".join(f"{p}\t{c}\n" for p, c in rows), "t.tsv"), "T")
    text = "\n".join(json.dumps({"Path": p, "label": c, "more": [1]}) for p, c in rows)
    lines = open_table(write(text + "\n\n", "t.jsonl"), "T")
    assert content(csv) == content(tsv) == content(lines)


def test_spreadsheets_byte_order_mark_quotes_and_line_ends(write):
    text = '\ufeffpath,label\r\n"a/1.png","cat, big"\r\n\r\n./a/2.png , dog \r\nb\\3.png,dog\r\n'
    assert content(open_table(write(text), "T")) == {
        "train": [("a/1.png", "cat, big"), ("a/2.png", "dog"), ("b/3.png", "dog")]
    }


def test_numbers_become_names(write):
    text = '{"path": "a/1.png", "label": 10}\n{"path": "a/2.png", "label": 9}\n'
    assert open_table(write(text, "t.jsonl"), "T").class_names == ("10", "9")


def test_absolute_paths_may_be_anywhere(write, tmp_path):
    table = write("")
    elsewhere = tmp_path / "elsewhere.png"
    elsewhere.write_bytes((table.parent / "b/3.png").read_bytes())
    table.write_text(f"path,label\na/1.png,x\n{elsewhere},y\n")
    part = open_table(table, "T").parts["train"]
    assert part.names == ["a/1.png", str(elsewhere)]
    assert (part.read(1) == 2).all()


def test_a_missing_file_is_a_bad_image(write):
    part = open_table(write("path,label\na/1.png,x\na/9.png,y\n"), "T").parts["train"]
    with pytest.raises(BadImageError, match="a/9.png: No such file"):
        part.read(1)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "t.csv", "T: has no rows"),
        ("path,label\n", "t.csv", "T: has no rows"),
        ("a/1.png,x\na/2.png,y\n", "t.csv", "its first line names an image .* write a header"),
        ("who,label\na,x\n", "t.csv", "no path among who, label: name a column path"),
        ("path,label\na/1.png,\n", "t.csv", "T, line 2: the label is empty"),
        ("path,label\na/1.png\n", "t.csv", "T, line 2: the label is empty"),
        ("path,label\n,x\n", "t.csv", "T, line 2: the path is empty"),
        ("path,label\na/1.png,x\n./a/1.png,y\n", "t.csv", "line 3: a/1.png is listed twice"),
        ("path,label\n../x.png,x\n", "t.csv", r"line 2: \.\./x.png climbs out .* absolute"),
        ("path,label\na/../../x.png,x\n", "t.csv", "climbs out"),
        ("path,label,part\na/1.png,x,more\n", "t.csv", "unknown part 'more': write train, val or"),
        (
            "path,label\nnone/1.png,x\nnone/2.png,y\n",
            "t.csv",
            "none of 2 images looked at can be found",
        ),
        ('path,label\n"a/1.png,x\n', "t.csv", "not a table that can be read"),
        (b"path,label\na/1.png,\xff\n", "t.csv", "not a table that can be read .*UTF-8"),
        ('{"path": "a/1.png"', "t.jsonl", "not a table that can be read"),
        ('["a/1.png", "x"]', "t.jsonl", "line 1: not a JSON object"),
        ('{"path": "a/1.png", "label": null}', "t.jsonl", "the label is empty"),
    ],
)
def test_tables_that_do_not_fit(write, text, name, message):
    with pytest.raises(UserError, match=message) as caught:
        open_table(write(text, name), "T")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("t.csv", ["path,labels", "a/1.png,cat; dog", "a/2.png,", "b/3.png,emu|cat|emu"]),
        ("t.csv", ["path,Labels", "a/1.png,\"[\"\"cat\"\", \"\"dog\"\"]\"", "a/2.png,[]",
                   "b/3.png,emu;cat"]),
        ("t.jsonl", ['{"path": "a/1.png", "labels": ["cat", "dog"]}',
                     '{"path": "a/2.png", "labels": []}',
                     '{"path": "b/3.png", "labels": "emu;cat"}']),
        ("t.csv", ["id,path,cat,dog,emu", "x,a/1.png,1,1,0", "2,a/2.png,0,0,0", "y,b/3.png,1,0,1"]),
    ],
)  # fmt: skip
def test_several_labels(write, name, rows):
    dataset = open_table(write("\n".join(rows), name), "T")
    assert dataset.multi_label
    assert dataset.class_names == ("cat", "dog", "emu")
    part = dataset.parts["train"]
    assert part.labels.dtype == np.uint8
    assert part.labels.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert (part.read(2) == 2).all()


def test_columns_of_classes_keep_their_order_and_spelling(write):
    dataset = open_table(write("path,Zebra,ant,split\na/1.png,1,0,train\nb/3.png,0,1,test\n"), "T")
    assert dataset.class_names == ("Zebra", "ant")
    assert not dataset.multi_label  # each row has exactly one
    assert dataset.parts["train"].labels.tolist() == [0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,cat,dog\na/1.png,1,0\na/2.png,2,0\n", "line 3: cat is '2': a column of a class"),
        ("path,cat,dog\na/1.png,1,0\na/2.png,1\n", "line 3: dog is '': a column of a class"),
        ("path,labels\na/1.png,\na/2.png,\n", "T: no row has a label"),
        ('path,labels\na/1.png,"[""x"\n', "labels is a list without an end"),
        ("path,path2,label\na/1.png,,x\n", "line 2: the path2 is empty"),
        ("path,path2,label\na/1.png,../b,x\n", r"line 2: \.\./b climbs out"),
    ],
)
def test_several_labels_or_files_that_do_not_fit(write, text, message):
    with pytest.raises(UserError, match=message) as caught:
        open_table(write(text), "T")
    assert "\n" not in str(caught.value)


def test_a_few_cells_of_several_labels_in_a_column_of_one_each_are_refused(plant):
    names = [f"a/{number}.png" for number in range(40)]
    table = plant(names) / "t.csv"
    rows = [f"{name},x" for name in names[:-1]]
    table.write_text("\n".join(["path,label", *rows, f"{names[-1]},x;y"]))
    with pytest.raises(UserError, match="line 41: label 'x;y' is more than one: give one label"):
        open_table(table, "T")
    given = open_table(table, "T", ReadingOptions(label_separator="semicolon"))
    assert given.class_names == ("x", "y")
    assert given.multi_label


def test_more_cells_than_columns_are_refused_unless_they_are_empty(write):
    table = write("path,label\na/1.png,cat,,\na,2.png,dog\n")
    with pytest.raises(UserError, match="line 3: 3 cells under 2 columns: .* into quotes"):
        open_table(table, "TABLE")
    table = write("path,label\na/1.png,cat, ,\nb/3.png,dog\n")
    assert open_table(table, "TABLE").class_names == ("cat", "dog")

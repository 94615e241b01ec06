import json

import pytest

from vitreous.data.sources.real import read_real_labels, real_labels_of
from vitreous.errors import UserError


def test_the_published_labels(shared_data):
    labels = read_real_labels(shared_data / "imagenet_labels/real.json")
    assert sum(not own for own in labels) == 3163  # images without a label, as published
    names = ["val/ILSVRC2012_val_00050000.JPEG", "x/ILSVRC2012_val_00000001.JPEG"]
    assert real_labels_of(names, labels) == [labels[-1], labels[0]]


@pytest.mark.parametrize("value", [[[1]], [[1000]] * 50_000, [["x"]] * 50_000, {}, 3])
def test_other_files(tmp_path, value):
    (tmp_path / "real.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match="not ReaL's 50,000 lists of classes"):
        read_real_labels(tmp_path / "real.json")


@pytest.mark.parametrize("name", ["a.jpg", "ILSVRC2012_val_00050001.JPEG"])
def test_other_images(name):
    with pytest.raises(UserError, match="is no ImageNet validation image"):
        real_labels_of([name], ((1,),) * 50_000)


def test_names_that_go_on_after_the_number():
    names = ["val/ILSVRC2012_val_00000002_n01751748.JPEG"]
    assert real_labels_of(names, ((1,), (2,))) == [(2,)]

import numpy as np
import pytest
from scipy.io import savemat

from vitreous.data.open import open_dataset
from vitreous.errors import UserError

WNIDS = ["n01440764", "n01443537", "n02111277"]
VALIDATION = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 5)]
TRUTH = [2, 0, 1, 2]


@pytest.fixture
def imagenet(plant):
    train = [f"train/{wnid}/{wnid}_{number}.JPEG" for wnid in WNIDS for number in (7, 8)]
    return plant([*train, *(f"val/{name}" for name in VALIDATION), "test/ILSVRC2012_test_1.JPEG"])


def kaggle(root):
    rows = [f"{name[:-5]},{WNIDS[t]} 1 2 3 4 " for name, t in zip(VALIDATION, TRUTH, strict=True)]
    (root / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows]))


def caffe(root):
    rows = [f"{name} {label}" for name, label in zip(VALIDATION, TRUTH, strict=True)]
    (root / "val.txt").write_text("\n".join(rows))


def kit(root):
    folder = root / "ILSVRC2012_devkit_t12/data"
    folder.mkdir(parents=True)
    ids = [3, 1, 2]  # not the order of the WordNet ids
    text = "\n".join(str(ids[label]) for label in TRUTH)
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_text(text)
    fields = [("ILSVRC2012_ID", object), ("WNID", object)]
    synsets = np.array(list(zip(ids, WNIDS, strict=True)), fields)
    savemat(folder / "meta.mat", {"synsets": synsets[:, None]})


@pytest.mark.parametrize("labels", [kaggle, caffe, kit])
def test_labels_of_a_flat_folder(imagenet, labels):
    labels(imagenet)
    dataset = open_dataset(imagenet)
    assert dataset.class_names == tuple(WNIDS)
    assert dataset.parts["train"].labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert dataset.parts["validation"].labels.tolist() == TRUTH
    assert dataset.parts["validation"].names[0] == "val/ILSVRC2012_val_00000001.JPEG"
    assert (dataset.parts["validation"].read(0) == 6).all()


def test_as_kaggle_packs_it(imagenet, tmp_path):
    root = tmp_path / "kaggle"
    (root / "ILSVRC/Data").mkdir(parents=True)
    imagenet.rename(root / "ILSVRC/Data/CLS-LOC")
    kaggle(root)
    assert open_dataset(root).parts["validation"].labels.tolist() == TRUTH


def test_validation_alone(imagenet):
    (imagenet / "train").rename(imagenet.parent / "away")
    kaggle(imagenet)
    dataset = open_dataset(imagenet)
    assert list(dataset.parts) == ["validation"]
    assert dataset.class_names == tuple(WNIDS)


def test_without_labels_or_with_others(imagenet):
    with pytest.raises(UserError, match="no labels of the images in val/: put LOC_val_solution"):
        open_dataset(imagenet)
    (imagenet / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n")
    with pytest.raises(UserError, match="the labels do not name val/ILSVRC2012_val_00000001"):
        open_dataset(imagenet)
    (imagenet / "LOC_val_solution.csv").write_text("x\ny\n")
    with pytest.raises(UserError, match="its labels cannot be read"):
        open_dataset(imagenet)


def test_class_folders_need_no_labels(imagenet):
    for name, label in zip(VALIDATION, TRUTH, strict=True):
        (imagenet / "val" / WNIDS[label]).mkdir(exist_ok=True)
        (imagenet / "val" / name).rename(imagenet / "val" / WNIDS[label] / name)
    assert open_dataset(imagenet).parts["validation"].labels.tolist() == sorted(TRUTH)

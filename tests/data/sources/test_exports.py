"""JSON of annotation tools, read as tables."""

import json

import pytest

from vitreous.data.open import open_dataset
from vitreous.errors import UserError

NAMES = [f"{number:02}.png" for number in range(12)]
CATS = ["cat", "dog", "owl"] * 4

TASKS = {
    "coco": {
        "images": [{"id": 7 + row, "file_name": name} for row, name in enumerate(NAMES)],
        "annotations": [{"image_id": 7 + row, "category_id": row % 3} for row in range(12)],
        "categories": [{"id": place, "name": name} for place, name in enumerate(CATS[:3])],
    },
    "label studio": [
        {"id": row, "data": {"image": f"/data/upload/1/0a1b2c3d-{name}"},
         "annotations": [{"result": [{"value": {"choices": [CATS[row]]}}]}]}
        for row, name in enumerate(NAMES)
    ],
    "label studio, short": [
        {"id": row, "image": f"/data/local-files/?d=my%20set/{name}", "choice": CATS[row],
         "annotator": 1, "created_at": "2024-01-02", "lead_time": 2.5}
        for row, name in enumerate(NAMES)
    ],
    "pandas": [{"file": name, "label": CATS[row]} for row, name in enumerate(NAMES)],
}  # fmt: skip


@pytest.mark.parametrize("kind", TASKS)
def test_exports_in_json(plant, kind):
    root = plant(NAMES)
    (root / "export.json").write_text(json.dumps(TASKS[kind]))
    dataset = open_dataset(root / "export.json")
    assert dataset.class_names == ("cat", "dog", "owl")
    assert dataset.parts["train"].names == NAMES
    assert dataset.parts["train"].labels.tolist() == [row % 3 for row in range(12)]


def test_several_categories_of_coco(plant):
    root = plant(NAMES)
    tasks = {**TASKS["coco"], "annotations": [*TASKS["coco"]["annotations"],
                                              {"image_id": 7, "category_id": 2}]}  # fmt: skip
    (root / "export.json").write_text(json.dumps(tasks))
    dataset = open_dataset(root / "export.json")
    assert dataset.parts["train"].labels[0].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "text", ["{", "[]", "3", '{"images": [{"id": 1}]}', '[{"data": {}}]', "[" * 5000, '["x"]']
)
def test_json_that_is_no_export(plant, text):
    root = plant(NAMES)
    (root / "export.json").write_text(text)
    with pytest.raises(UserError, match=r"export.json"):
        open_dataset(root / "export.json")

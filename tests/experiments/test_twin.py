"""The published row beside which a checkpoint stands."""

from dataclasses import replace

from vitreous.experiments.published_transfer import table2, table5, table6
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.twin import architecture, nearest_row, twins
from vitreous.model.variants import variant_config


def test_the_nearest_row_of_the_architecture() -> None:
    assert (
        nearest_row(table5(), "ViT-B/16", {"Pets": 0.9443, "CIFAR-10": 0.9895}) == "ViT-B/16 I21k"
    )
    assert nearest_row(table6(), "BiT-R50x1", {"Pets": 0.5}) == "ResNet50x1, 7 epochs"
    assert nearest_row(table2(), "ViT-B/16", {"Pets": 0.5}) is None
    assert nearest_row(table5(), "ViT-B/16", {"VTAB (19 tasks)": 0.5}) is None


def test_a_variant_whose_sizes_were_changed_has_no_row() -> None:
    config = variant_config("ViT-B/16", num_classes=5, image_size=384)
    assert architecture(config) == "ViT-B/16"
    assert architecture(replace(config, depth=6)) == "ViT-B/16 of other sizes"
    assert architecture(replace(config, name="mine", depth=6)) == "mine"
    resnet = variant_config("BiT-R50x1")
    assert architecture(resnet) == "BiT-R50x1"
    assert architecture(replace(resnet, units=(2, 2, 2))) == "BiT-R50x1 of other sizes"
    shallow = architecture(replace(config, depth=6))
    assert nearest_row(table5(), shallow, {"Pets": 0.9}) is None


def test_only_what_has_a_row_has_a_twin() -> None:
    def outcome(value: float, **facts: str) -> Outcome:
        return Outcome({"Pets": value}, facts=facts)

    results = Results(
        [
            ("large", outcome(0.9732, architecture="ViT-L/16")),
            ("small", outcome(0.9, architecture="ViT-S/16")),
            ("old", outcome(0.9)),
        ]
    )
    assert twins(table2(), results) == {"large": "ViT-L/16 JFT"}

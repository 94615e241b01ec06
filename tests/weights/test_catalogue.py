import pytest

from vitreous.model.cost import count_parameters
from vitreous.model.variants import list_models, variant_config
from vitreous.weights.catalogue import CATALOGUE, PAPER_TOP1, PublishedCheckpoint, published


def named(checkpoint: PublishedCheckpoint) -> str:
    return checkpoint.name


@pytest.mark.parametrize("checkpoint", CATALOGUE, ids=named)
def test_an_entry_fits_its_variant(checkpoint: PublishedCheckpoint) -> None:
    assert checkpoint.model in list_models()
    config = variant_config(checkpoint.model, image_size=checkpoint.image_size)
    assert checkpoint.address.startswith("https://")
    assert checkpoint.address.endswith((".npz", ".pth"))
    assert checkpoint.licence in ("Apache-2.0", "BSD-3-Clause", "CC-BY-NC-4.0")
    assert checkpoint.top1 is None or 69 < checkpoint.top1 < 90
    if checkpoint.mebibytes is not None:
        # Four bytes a parameter; ImageNet-21k has 21,843 classes, and one file keeps more.
        pretrained = checkpoint.trained_on == "ImageNet-21k"
        parameters = count_parameters(config) + pretrained * (21_843 - 1000) * (config.width + 1)
        assert checkpoint.mebibytes == pytest.approx(4 * parameters / 2**20, rel=0.02)


def test_addresses_are_told_once() -> None:
    addresses = [checkpoint.address for checkpoint in CATALOGUE]
    assert len(set(addresses)) == len(addresses)


def test_a_variants_own_are_found() -> None:
    assert {c.image_size for c in published("ViT-H/14")} == {224, 518}
    assert published("ViT-g/14") == []
    assert [c.mebibytes for c in published("ResNet-50")] == [97.781, 97.79]


def test_the_papers_variants_have_spelt_names() -> None:
    for name in PAPER_TOP1:
        if not name.startswith("BiT"):
            assert variant_config(name).name == name

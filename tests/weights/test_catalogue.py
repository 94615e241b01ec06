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


@pytest.mark.parametrize("name", ["R50x1", "R50x3", "R101x1", "R101x3", "R152x2", "R152x4"])
def test_bits_resnets_are_there_before_and_after_imagenet(name: str) -> None:
    files = {c.name: c for c in published(f"BiT-{name}")}
    own, tuned = files[f"BiT-M-{name}"], files[f"BiT-M-{name}-ILSVRC2012"]
    assert own.address == f"https://storage.googleapis.com/bit_models/BiT-M-{name}.npz"
    assert own.trained_on == "ImageNet-21k"
    assert own.top1 is None
    assert tuned.top1 is not None
    assert (f"BiT-S-{name}" in files) == (name != "R152x2")


def test_the_papers_hybrid_is_there_before_and_after_imagenet() -> None:
    files = {c.name: c.address.removeprefix("https://storage.googleapis.com/vit_models/")
             for c in published("R50+ViT-B/16")}  # fmt: skip
    assert files == {name: f"{name}.npz" for name in (
        "imagenet21k/R50+ViT-B_16", "imagenet21k+imagenet2012/R50+ViT-B_16")}  # fmt: skip


def test_the_papers_variants_have_spelt_names() -> None:
    for name in PAPER_TOP1:
        if not name.startswith("BiT"):
            assert variant_config(name).name == name

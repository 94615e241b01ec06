"""Which checkpoints the ViT of five_flowers can start from."""

from dataclasses import replace
from pathlib import Path

import pytest

import vitreous
from vitreous.errors import UserError
from vitreous.experiments import flower_weights as module
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import ScaleName, Setting
from vitreous.experiments.flower_weights import CLASSES, flower_weights
from vitreous.model.bit_config import BiTConfig
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.variants import variant_config
from vitreous.weights.passport import passport_of

VIT = ViTConfig(
    name="ViT-48x1/8", image_size=(32, 32), patch=8, width=48, depth=1, mlp_width=48, heads=3,
    num_classes=10,
)  # fmt: skip


def saved(folder: Path, config: ModelConfig, names: tuple[str, ...] = ()) -> Path:
    model = vitreous.create_model(config)
    passport = replace(passport_of(model), class_names=names) if names else None
    file = folder / f"{type(config).__name__}-{config.num_classes}.safetensors"
    vitreous.save(model, file, passport)
    return file


def setting(weights: Path | None, scale: ScaleName = "pocket") -> Setting:
    return Setting(scale=scale, seeds=1, data=Collection(Path("nowhere")), weights=weights)


def test_pocket_pretrains_without_weights_and_lab_names_the_file() -> None:
    assert flower_weights(setting(None)) is None
    with pytest.raises(
        UserError, match="storage.googleapis.com/vit_models/imagenet21k/ViT-B_16.npz"
    ):
        flower_weights(setting(None, "lab"))


def test_a_vit_is_taken_as_a_file_or_alone_in_a_folder(tmp_path: Path) -> None:
    file = saved(tmp_path, VIT)
    for given in (file, tmp_path):
        found = flower_weights(setting(given))
        assert found is not None
        assert found[0] == file
        assert found[1].architecture == VIT
    saved(tmp_path, replace(VIT, num_classes=3))
    with pytest.raises(UserError, match=r"holds 2 checkpoints \(ViTConfig-10, ViTConfig-3\)"):
        flower_weights(setting(tmp_path))


@pytest.mark.parametrize(
    ("config", "names", "words"),
    [
        (
            BiTConfig(name="BiT-tiny", units=(1,), stem_width=8, norm_groups=8, num_classes=4),
            (),
            "is a BiT-tiny, no ViT, and five_flowers starts its ViT",
        ),
        (replace(VIT, stem=(), stem_width=32, patch=16), (), "a hybrid with a ResNet before it"),
        (replace(VIT, channels=1), (), r"takes images of other channels \(1\)"),
        (replace(VIT, num_classes=5), CLASSES, "may have learnt from the photos"),
        (replace(VIT, num_classes=2), ("Tulips", "daisy"), "answers Tulips, daisy already"),
    ],
)
def test_what_it_cannot_be_is_one_line(
    tmp_path: Path, config: ModelConfig, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UserError, match=words) as refused:
        flower_weights(setting(saved(tmp_path, config, names)))
    assert "\n" not in str(refused.value)


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("no archive")
    for path in (tmp_path / "x.npz", tmp_path / "absent.npz"):
        with pytest.raises(UserError, match=path.name) as refused:
            flower_weights(setting(path))
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "classes", "words"),
    [
        ("ViT-B/16", 21_843, ""),
        ("ViT-B/16", 0, ""),
        ("ViT-B/16", 1000, "has a head of 1,000 classes"),
        ("ViT-B/32", 21_843, r"is a ViT-B/32 \(patch 32\)"),
        ("ViT-S/16", 0, r"is a ViT-S/16 \(width 384\)"),
    ],
)
def test_lab_wants_the_published_vit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, classes: int, words: str
) -> None:
    """The passport alone decides; weights of that size would take minutes."""
    file = saved(tmp_path, VIT)
    passport = passport_of(vitreous.load(file))
    config = variant_config(name, num_classes=classes)
    named = tuple(map(str, range(classes)))
    read = replace(passport, architecture=config, class_names=named, canary=())
    monkeypatch.setattr(module, "read_passport", lambda path: read)
    if not words:
        assert flower_weights(setting(file, "lab")) == (file, read)
        return
    with pytest.raises(UserError, match=words):
        flower_weights(setting(file, "lab"))
    assert flower_weights(setting(file)) == (file, read)

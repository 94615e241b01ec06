import numpy as np
import pytest
from PIL import Image

from vitreous.errors import UserError
from vitreous.experiments.collection import Collection
from vitreous.experiments.equivariance import EXPERIMENT, photograph, shifts_of
from vitreous.experiments.experiment import Setting
from vitreous.experiments.results import Results
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.weights.save import save


@pytest.fixture
def shelf(tmp_path):
    """A ViT of 8 x 8 patches, and a ResNet, on a shelf of checkpoints."""
    folder = tmp_path / "weights"
    folder.mkdir()
    vit = ViTConfig(
        name="ViT-24x2/4", image_size=32, patch=4, width=24, depth=2, mlp_width=48, heads=3,
        num_classes=3,
    )  # fmt: skip
    resnet = BiTConfig(
        name="ResNet-8x2", image_size=32, units=(1, 1), stem_width=8, root="plain",
        norm_groups=8, num_classes=3,
    )  # fmt: skip
    for name, config in (("vit", vit), ("resnet", resnet)):
        save(create_model(config), folder / f"{name}.safetensors")
    return folder


def setting(data, weights) -> Setting:
    return Setting(scale="pocket", seeds=1, data=Collection(data), weights=weights)


def photos(folder):
    (folder / "photos").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "photos" / "b.png")
    (folder / "photos" / "a.txt").write_text("no image")
    return pixels


def test_each_map_of_each_checkpoint_is_judged_and_drawn(shelf, tmp_path) -> None:
    photos(tmp_path / "data")
    planned = EXPERIMENT.trials(setting(tmp_path / "data", shelf))
    for trial in planned:
        trial.check()
    results = Results(
        (trial.row, trial.run(tmp_path, lambda needed: tmp_path)) for trial in planned
    )
    assert results.rows == [
        "resnet: first convolution", "resnet: first stage", "resnet: last stage",
        "vit: patches", "vit: last layer", "vit: last layer, without positions",
    ]  # fmt: skip
    for row in ("resnet: first convolution", "vit: patches", "vit: last layer, without positions"):
        assert results[row, "a step"].mean < 1e-4
    assert results["vit: patches", "a pixel"].mean > 0.1
    assert results["vit: last layer", "a step"].facts[0]["image"] == "b.png"
    findings = {found.claim: found for found in EXPERIMENT.findings(results)}
    assert findings["vit: its patches move with whole patches alone"].verdict == "holds"
    assert findings["resnet: a convolution's map moves with the image"].verdict == "holds"
    assert EXPERIMENT.draw is not None
    assert len(EXPERIMENT.draw(results).subfigs) == 2


def test_positions_are_found_guilty_only_where_they_are(shelf, tmp_path) -> None:
    """With a table of zeros the positions keep nothing from moving."""
    from vitreous.weights.load import load

    model = load(shelf / "vit.safetensors")
    claim = "vit: it is the positions that keep whole patches from moving"
    verdicts = []
    for size in (1.0, 0.0):
        model.position.table.data.normal_().mul_(size)
        folder = tmp_path / f"{size}"
        folder.mkdir()
        save(model, folder / "vit.safetensors")
        planned = EXPERIMENT.trials(setting(tmp_path, folder))
        results = Results((t.row, t.run(tmp_path, lambda needed: tmp_path)) for t in planned)
        verdicts += [f.verdict for f in EXPERIMENT.findings(results) if f.claim == claim]
    assert verdicts == ["holds", "does not hold"]


def test_the_image_is_the_users_first_photo_or_a_digit(tmp_path) -> None:
    name, digit = photograph(tmp_path)
    assert name.startswith("digit ")
    assert digit.shape == (8, 8, 1)
    pixels = photos(tmp_path)
    name, photo = photograph(tmp_path)
    assert name == "b.png"
    assert np.array_equal(photo, pixels)
    (tmp_path / "photos" / "a.png").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"a\.png.*: take it out of .*photos"):
        photograph(tmp_path)


@pytest.mark.parametrize("step", [1, 2, 4, 16, 32, 14])
def test_shifts_have_a_pixel_a_half_and_whole_steps(step) -> None:
    shifts = shifts_of(step)
    assert {0, 1, max(step // 2, 1), step, 2 * step} <= set(shifts)
    assert shifts == sorted(set(shifts))
    assert len(shifts) <= 36
    assert shifts[-1] == 2 * step


def test_a_grid_without_a_middle_is_refused_by_name(tmp_path) -> None:
    config = ViTConfig(
        name="ViT-24x1/16", image_size=32, patch=16, width=24, depth=1, mlp_width=48, heads=3,
        num_classes=3,
    )  # fmt: skip
    save(create_model(config), tmp_path / "coarse.safetensors")
    trial, *_ = EXPERIMENT.trials(setting(tmp_path, tmp_path / "coarse.safetensors"))
    with pytest.raises(UserError, match="coarse: patches: a map of 2x2 cells .* --weights"):
        trial.check()


def test_without_weights_it_is_a_matter_of_architecture(tmp_path) -> None:
    rows = [trial.row for trial in EXPERIMENT.trials(setting(tmp_path, None))]
    assert rows[0] == "ViT-Ti/16, random weights: patches"
    assert "ResNet-16x6, random weights: last stage" in rows

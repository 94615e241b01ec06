import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert
from vitreous.weights.evidence import Evidence
from vitreous.weights.family import Hints
from vitreous.weights.read import Checkpoint


def beside(file: Path, **config: object) -> Path:
    file.with_suffix(".config.json").write_text(json.dumps(config))
    return file


def test_what_stands_where_is_told_from_the_tensors(golden: Path) -> None:
    registers = vitreous.load(golden / "timm_vit_registers_layerscale.safetensors").config
    assert (registers.registers, registers.prefix_positions) == (4, False)
    assert registers.layer_scale is not None
    pooled = vitreous.load(golden / "timm_vit_avg_fc_norm.safetensors").config
    assert (pooled.pooling, pooled.final_norm, pooled.class_token) == ("mean", "pooled", True)
    assert pooled.activation == "gelu"


def test_heads_64_wide_are_assumed_aloud(make, write, caplog) -> None:
    model = vitreous.load(write(make(width=128, heads=2), "timm"))
    assert model.config.heads == 2
    assert "assumed 2 heads, each 64 wide (heads= says another)" in model.passport.assumptions
    assert "assumed 2 heads" in caplog.text


def test_heads_of_a_named_variant_need_not_be_64_wide() -> None:
    shapes = Evidence(Checkpoint(Path("x"), {}, {}.__getitem__), Hints())
    assert shapes.heads(1280, None, (1280, 32, 5120)) == 16  # ViT-H, whose heads are 80 wide
    assert shapes.heads(1280, None, (1280, 30, 5120)) == 20
    assert len(shapes.assumed) == 2


def test_heads_that_nothing_says(make, write) -> None:
    file = write(make(width=48, heads=3), "timm")
    with pytest.raises(UserError, match="number of heads.*give heads="):
        vitreous.load(file)
    assert vitreous.load(file, heads=3).config.heads == 3
    with pytest.raises(UserError, match="5 heads do not divide"):
        vitreous.load(file, heads=5)


@pytest.mark.parametrize(
    ("architecture", "activation"),
    [
        ("vit_base_patch16_224", "gelu"),
        ("vit_base_patch16_clip_quickgelu_224", "quick_gelu"),
        ("vit_base_patch16_siglip_224", "gelu"),
        ("vit_base_patch32_siglip_256", "gelu_tanh"),
        ("vit_so400m_patch14_siglip_384", "gelu"),
        ("vit_so400m_patch16_siglip_gap_512", "gelu_tanh"),
        ("vit_large_patch16_siglip_384", "gelu"),
        ("vit_large_patch16_siglip_gap_512", "gelu_tanh"),
    ],
)
def test_the_activation_is_told_from_the_name(make, write, architecture, activation) -> None:
    file = beside(write(make(), "timm"), architecture=architecture)
    assert vitreous.load(file).config.activation == activation


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"embedding_norm": True, "patch_bias": False, "norm_eps": 1e-5}, {"norm_pre.weight"}),
        ({"pooling": "map", "class_token": False}, {"attn_pool.latent", "attn_pool.kv.bias"}),
        ({"pooling": "distilled", "registers": 1}, {"dist_token", "head_dist.weight"}),
        ({"activation": "swiglu", "layer_scale": 1e-5}, {"blocks.1.ls2.gamma"}),
        ({"activation": "quick_gelu"}, {"head.weight"}),
        ({"mlp_width": 97}, {"head.weight"}),
    ],
)
def test_every_kind_comes_back(make, tmp_path: Path, fields, names: set[str]) -> None:
    model = make(**{"activation": "gelu"} | fields)
    proof = convert(model, tmp_path / "out", "timm")
    assert proof.difference == 0
    assert names <= set(load_file(proof.file))
    said = json.loads((tmp_path / "out" / "config.json").read_text())["model_args"]
    rows = 2 * model.config.mlp_width if "swiglu" in fields.values() else model.config.mlp_width
    assert int(64 * said["mlp_ratio"]) == rows  # as timm makes a width of it


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"num_classes": 7}, "num_classes 7, its tensors say 5"),
        ({"model_args": {"depth": 9}}, "depth 9, its tensors say 2"),
        ({"model_args": {"embed_dim": 65}}, "embed_dim 65"),
        ({"model_args": {"patch_size": 8}}, "patch_size"),
        ({"model_args": {"img_size": 64}}, "images of 64x64"),
        ({"model_args": {"act_layer": "mish"}}, "activation 'mish'"),
        ({"global_pool": "max"}, "pooling 'max'"),
        ({"model_args": None}, "do not go together"),
        ({"model_args": {"num_heads": "three"}}, "do not go together"),
        ({"model_args": {"num_heads": 0}}, "0 heads"),
        ({"model_args": {"img_size": [1]}}, "do not go together"),
        ({"pretrained_cfg": {"mean": 0.5}}, "do not go together"),
        ({"pretrained_cfg": {"crop_pct": 3}}, "crop_fraction is 3"),
    ],
)
def test_a_lying_config_is_refused(make, write, config, complaint: str) -> None:
    file = beside(write(make(), "timm"), **config)
    with pytest.raises(UserError, match=complaint) as caught:
        vitreous.load(file)
    assert str(file) in str(caught.value)


def test_a_layer_number_out_of_all_bounds(make, write) -> None:
    def far(tensors):
        return tensors | {"blocks.999999999999.norm1.weight": torch.ones(64)}

    with pytest.raises(UserError, match=r"no place for: 1 tensor|lacks layer 2"):
        vitreous.load(write(make(), "timm", change=far))


def test_a_grid_that_is_not_square(make, write) -> None:
    # 2x7 patches and a class token: 15 rows, of which no square can be made.
    file = write(make(image_size=(8, 28)), "timm")
    with pytest.raises(UserError, match=r"no square grid: give image_size=\(H, W\)"):
        vitreous.load(file)
    with pytest.raises(UserError, match="no square grid"):
        vitreous.load(file, image_size=(8, 24))
    assert vitreous.load(file, image_size=(8, 28)).config.grid == (2, 7)
    beside(file, model_args={"img_size": [28, 8]})
    assert vitreous.load(file).config.grid == (7, 2)


def test_rows_that_could_be_two_grids(make, write) -> None:
    # 4x6 patches and a class token make 25 rows, as 5x5 patches without its position would.
    model = make(image_size=(16, 24))
    again = vitreous.load(write(model, "timm"), image_size=(16, 24))
    assert again.config.prefix_positions
    images = torch.randn(1, 3, 16, 24)
    with torch.inference_mode():
        assert again(images).shape == model(images).shape


def test_preprocessing_and_names_are_read(make, write) -> None:
    file = beside(
        write(make(), "timm"),
        label_names=["a", "b", "c", "d", "e"],
        pretrained_cfg={"mean": [0.1, 0.2, 0.3], "std": [1, 1, 1], "crop_pct": 0.875},
    )
    passport = vitreous.load(file).passport
    assert passport.class_names == ("a", "b", "c", "d", "e")
    assert passport.preprocessing.mean == (0.1, 0.2, 0.3)
    assert passport.preprocessing.crop_fraction == 0.875


def test_facebookresearch_wrappings_mean_imagenets_normalisation(make, write) -> None:
    from vitreous.weights.read import open_checkpoint

    file = write(make(), "timm")
    checkpoint = open_checkpoint(file)
    tensors = {name: checkpoint.read(name) for name in checkpoint.shapes}
    torch.save({"model": tensors}, file.with_suffix(".pth"))
    assert vitreous.load(file.with_suffix(".pth")).passport.preprocessing.mean[0] == 0.485


def test_a_distilled_head_is_left_over(make, write) -> None:
    def distilled(tensors):
        return tensors | {"head_dist.weight": torch.ones(5, 64)}

    with pytest.raises(UserError, match=r"no place for: 1 tensor \(head_dist\.weight\)"):
        vitreous.load(write(make(), "timm", change=distilled))

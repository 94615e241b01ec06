import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert

CLIP = {
    "patch_bias": False,
    "embedding_norm": True,
    "head_bias": False,
    "activation": "quick_gelu",
    "norm_eps": 1e-5,
}
SIGLIP = {"class_token": False, "pooling": "map", "num_classes": 0}
TEXT = {
    "text_model.encoder.layers.0.mlp.fc1.weight": torch.ones(2, 2),
    "text_model.embeddings.position_ids": torch.arange(7)[None],
    "logit_scale": torch.tensor(2.0),
}
# As openai/clip-vit-base-patch32 and google/siglip-base-patch16-224 have them, but for sizes.
CLIP_CONFIG = {
    "architectures": ["CLIPModel"],
    "model_type": "clip",
    "projection_dim": 5,
    "text_config": {"hidden_size": 2, "hidden_act": "quick_gelu"},
    "vision_config": {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "image_size": 16,
        "patch_size": 4,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-05,
    },
}
CLIP_PROCESSOR = {
    "crop_size": 16,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 16,
}
SIGLIP_CONFIG = {
    "architectures": ["SiglipModel"],
    "model_type": "siglip",
    "text_config": {"model_type": "siglip_text_model"},
    "vision_config": {"model_type": "siglip_vision_model", "image_size": 16, "patch_size": 4},
}
SIGLIP_PROCESSOR = {
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "image_processor_type": "SiglipImageProcessor",
    "resample": 3,
    "size": {"height": 16, "width": 16},
}


def hub(file: Path, config: dict, processor: dict) -> Path:
    (file.parent / "config.json").write_text(json.dumps(config))
    (file.parent / "preprocessor_config.json").write_text(json.dumps(processor))
    return file.rename(file.parent / "model.safetensors").parent


def beside_text(tensors):
    numbers = {"vision_model.embeddings.position_ids": torch.arange(17)[None]}
    return tensors | TEXT | numbers


def test_a_whole_clip(make, write, caplog) -> None:
    model = make(**CLIP)
    file = write(model, "huggingface", "CLIP", change=beside_text)
    loaded = vitreous.load(hub(file, CLIP_CONFIG, CLIP_PROCESSOR))
    passport = loaded.passport
    assert "left out the text tower (3 tensors)" in caplog.text
    assert passport.assumptions[:2] == (
        "left out the text tower (3 tensors)",
        "left out position numbers (1 tensor)",
    )
    assert not any("assumed" in line for line in passport.assumptions[:-1])  # but for class names
    config = loaded.config
    assert (config.activation, config.norm_eps, config.num_classes) == ("quick_gelu", 1e-5, 5)
    assert passport.preprocessing.mean[0] == 0.48145466
    assert (passport.preprocessing.fit, passport.preprocessing.crop_fraction) == ("crop", 1.0)
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), model(images))


def test_a_whole_siglip(make, write) -> None:
    file = write(make(**SIGLIP), "huggingface", "SigLIP", change=lambda own: own | TEXT)
    passport = vitreous.load(hub(file, SIGLIP_CONFIG, SIGLIP_PROCESSOR)).passport
    assert "left out the text tower (3 tensors)" in passport.assumptions
    # What its config does not say is the default of the model, which a config need not say.
    assert (passport.architecture.activation, passport.architecture.norm_eps) == ("gelu_tanh", 1e-6)
    rule = passport.preprocessing
    assert (rule.fit, rule.interpolation, rule.mean) == ("squash", "bicubic", (0.5, 0.5, 0.5))


def test_without_a_config_the_activation_is_asked_for(make, write) -> None:
    file = write(make(**CLIP), "huggingface", "CLIP")
    with pytest.raises(UserError, match="activation='quick_gelu' or activation='gelu'"):
        vitreous.load(file)
    for activation in ("quick_gelu", "gelu"):
        assert vitreous.load(file, activation=activation).config.activation == activation


@pytest.mark.parametrize(
    ("fields", "architecture", "name"),
    [
        (CLIP, "CLIPVisionModelWithProjection", "visual_projection.weight"),
        (CLIP | {"num_classes": 0}, "CLIPVisionModel", "vision_model.pre_layrnorm.weight"),
        (SIGLIP, "SiglipVisionModel", "vision_model.head.probe"),
        (
            {"class_token": False, "pooling": "mean"},
            "SiglipForImageClassification",
            "classifier.weight",
        ),
    ],
)
def test_every_kind_comes_back(make, tmp_path: Path, fields, architecture: str, name: str) -> None:
    model = make(**fields)
    proof = convert(model, tmp_path / "out", "huggingface")
    assert proof.difference == 0
    assert name in load_file(proof.file)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == [
        architecture
    ]
    again = vitreous.load(tmp_path / "out")
    assert again.passport.preprocessing == vitreous.load(tmp_path / "out").passport.preprocessing
    for field in ("patch_bias", "embedding_norm", "pooling", "activation", "norm_eps"):
        assert getattr(again.config, field) == getattr(model.config, field)


def test_a_classifier_on_clip_is_left_over(make, write) -> None:
    def classified(tensors):
        del tensors["visual_projection.weight"]
        return tensors | {"classifier.weight": torch.ones(2, 64), "classifier.bias": torch.ones(2)}

    with pytest.raises(UserError, match=r"no place for: 2 tensors \(classifier\.bias"):
        vitreous.load(
            write(make(**CLIP), "huggingface", "CLIP", change=classified), activation="quick_gelu"
        )


def test_a_siglip_without_its_pool_is_of_no_known_family(make, write, tmp_path: Path) -> None:
    tensors = load_file(write(make(**SIGLIP), "huggingface", "SigLIP"))
    cut = {name: tensor for name, tensor in tensors.items() if ".head." not in name}
    save_file(cut, tmp_path / "cut.safetensors")
    with pytest.raises(UserError, match="of no family known here"):
        vitreous.load(tmp_path / "cut.safetensors")


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("hidden_size", 65, "hidden_size 65"),
        ("image_size", 32, "images of 32x32"),
        ("hidden_act", "mish", "activation 'mish'"),
        ("num_attention_heads", 5, "5 heads do not divide"),
    ],
)
def test_a_lying_config_is_refused(make, write, field: str, value: object, complaint: str) -> None:
    vision = CLIP_CONFIG["vision_config"] | {field: value}
    file = write(make(**CLIP), "huggingface", "CLIP")
    with pytest.raises(UserError, match=complaint):
        vitreous.load(hub(file, CLIP_CONFIG | {"vision_config": vision}, CLIP_PROCESSOR))

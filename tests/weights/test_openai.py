import json
from pathlib import Path

import torch
from safetensors.torch import load_file

import vitreous
from vitreous.weights.convert import convert

CLIP = {
    "patch_bias": False,
    "embedding_norm": True,
    "head_bias": False,
    "activation": "quick_gelu",
    "norm_eps": 1e-5,
}


def beside_text(tensors):
    text = {
        "token_embedding.weight": torch.ones(4, 2),
        "positional_embedding": torch.ones(4, 2),
        "transformer.resblocks.0.ln_1.weight": torch.ones(2),
        "ln_final.weight": torch.ones(2),
        "text_projection": torch.ones(2, 5),
        "logit_scale": torch.tensor(1.0),
        "input_resolution": torch.tensor(16),
    }
    return tensors | text


def test_a_whole_model(make, write, caplog) -> None:
    model = make(**CLIP)
    loaded = vitreous.load(write(model, "openai", change=beside_text))
    assert "left out the text tower (6 tensors)" in loaded.passport.assumptions
    assert "left out sizes (1 tensor)" in caplog.text
    assert loaded.config.activation == "quick_gelu"  # its sizes say that it is OpenAI's own
    assert loaded.passport.preprocessing.mean[0] == 0.48145466
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), model(images))


def test_the_projection_is_kept_as_it_was(make, write) -> None:
    model = make(**CLIP)
    tensors = load_file(write(model, "openai"))
    assert torch.equal(tensors["visual.proj"], model.head.weight.T)
    assert tensors["visual.class_embedding"].shape == (64,)


def test_open_clips_config_is_read(make, write, tmp_path: Path) -> None:
    file = write(make(**CLIP), "openai")
    config = {"model_cfg": {"embed_dim": 5, "vision_cfg": {"layers": 2, "width": 64}}}
    config["preprocess_cfg"] = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    model = vitreous.load(file)
    assert model.config.activation == "gelu"
    assert (model.passport.preprocessing.fit, model.passport.preprocessing.mean[0]) == (
        "squash",
        0.5,
    )


def test_comes_back_from_hugging_face(make, tmp_path: Path) -> None:
    convert(make(**CLIP), tmp_path / "hf", "huggingface")
    proof = convert(vitreous.load(tmp_path / "hf"), tmp_path / "openai", "openai")
    assert (proof.difference, proof.lost) == (0, ())
    again = vitreous.load(tmp_path / "openai")
    assert again.config.activation == "quick_gelu"
    assert not any("activation" in line for line in again.passport.assumptions)

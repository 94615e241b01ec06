import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert

VERSION_4 = [
    (r"vit\.layers\.(\d+)\.", r"vit.encoder.layer.\1."),
    (r"attention\.q_proj", "attention.attention.query"),
    (r"attention\.k_proj", "attention.attention.key"),
    (r"attention\.v_proj", "attention.attention.value"),
    (r"attention\.o_proj", "attention.output.dense"),
    (r"mlp\.fc1", "intermediate.dense"),
    (r"mlp\.fc2", "output.dense"),
]


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    """A model as the hub has it, in the names of version 4."""
    tensors = {}
    for name, tensor in load_file(golden / "hf_vit.safetensors").items():
        for old, new in VERSION_4:
            name = re.sub(old, new, name)
        tensors[name] = tensor
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((golden / "hf_vit.config.json").read_text())
    config["id2label"] = {str(i): f"class {i}" for i in range(10)}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_a_folder_in_the_names_of_version_4(golden: Path, folder: Path) -> None:
    model, newer = vitreous.load(folder), vitreous.load(golden / "hf_vit.safetensors")
    assert model.passport.origin["layout"] == "version 4"
    assert (model.config.norm_eps, model.config.resample) == (1e-12, "huggingface")
    assert model.passport.class_names[3] == "class 3"
    assert newer.passport.class_names[3] == "3"  # LABEL_3 is a placeholder
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(model(images), newer(images))


def test_the_preprocessor_is_read(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_mean": [0.1, 0.2, 0.3],
                "image_std": [0.4, 0.5, 0.6],
                "resample": 3,
                "do_center_crop": True,
                "size": {"shortest_edge": 40},
            }
        )
    )
    rule = vitreous.load(folder).passport.preprocessing
    assert (rule.mean, rule.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (rule.interpolation, rule.fit, rule.crop_fraction) == ("bicubic", "crop", 0.8)


@pytest.mark.parametrize(
    ("said", "mean", "std"),
    [
        ({"do_normalize": False}, 0, 1),
        ({"do_normalize": False, "do_rescale": False}, 0, 1 / 255),
        ({"do_rescale": False, "image_mean": [127.5] * 3, "image_std": [51] * 3}, 0.5, 0.2),
        ({"rescale_factor": 2 / 255, "image_mean": [1] * 3, "image_std": [1] * 3}, 0.5, 0.5),
        ({"rescale_factor": 0.00392156862745098, "image_std": [0.7] * 3}, 0.5, 0.7),
    ],
)
def test_steps_of_the_preprocessor_that_are_left_out(folder: Path, said, mean, std) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    rule = vitreous.load(folder).passport.preprocessing
    assert (rule.mean, rule.std) == (pytest.approx((mean,) * 3), pytest.approx((std,) * 3))


@pytest.mark.parametrize("factor", [0, -1, "1/255", None])
def test_a_rescaling_that_is_none_is_refused(folder: Path, factor: object) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps({"rescale_factor": factor}))
    with pytest.raises(UserError, match="rescale_factor .* is no number over 0"):
        vitreous.load(folder)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("hidden_size", 64, "hidden_size 64, its tensors say 48"),
        ("num_hidden_layers", 12, "num_hidden_layers 12, its tensors say 3"),
        ("intermediate_size", 100, "intermediate_size 100"),
        ("patch_size", 16, "patch_size"),
        ("image_size", 224, "images of 224x224"),
        ("num_attention_heads", 5, "5 heads do not divide"),
        ("id2label", {"0": "a"}, "number of id2label 1, its tensors say 10"),
        ("hidden_act", "swish", "activation 'swish'"),
    ],
)
def test_a_lying_config_is_refused(folder: Path, field: str, value: object, complaint: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {field: value}))
    with pytest.raises(UserError, match=complaint):
        vitreous.load(folder)


def test_a_bare_model_has_its_pooler_for_pre_logits(make, tmp_path: Path) -> None:
    model = make(num_classes=0, pre_logits=64)
    convert(model, tmp_path / "bare", "huggingface")
    names = set(load_file(tmp_path / "bare" / "model.safetensors"))
    assert {"pooler.dense.weight", "embeddings.cls_token"} <= names
    again = vitreous.load(tmp_path / "bare")
    assert (again.config.pre_logits, again.config.num_classes) == (64, 0)


def test_a_classifier_behind_a_pooler_is_asked_about(make, write) -> None:
    def pooled(tensors):
        pooler = {"weight": torch.ones(64, 64), "bias": torch.zeros(64)}
        return tensors | {f"vit.pooler.dense.{part}": t for part, t in pooler.items()}

    file = write(make(activation="gelu"), "huggingface", "version 4", pooled)
    with pytest.raises(UserError, match="pooling='token' or pooling='pooler'"):
        vitreous.load(file)
    token = vitreous.load(file, pooling="token")
    assert token.config.pre_logits is None
    pooler = vitreous.load(file, pooling="pooler")
    images = torch.randn(1, 3, 16, 16)
    with torch.inference_mode():
        expected = token.head(torch.tanh(token.embed(images).sum(1, keepdim=True).expand(-1, 64)))
        torch.testing.assert_close(pooler(images), expected)


def test_deits_distillation_token_is_a_register(make, tmp_path: Path) -> None:
    model = make(registers=1)
    convert(model, tmp_path / "deit", "huggingface")
    tensors = load_file(tmp_path / "deit" / "model.safetensors")
    assert tensors["deit.embeddings.distillation_token"].shape == (1, 1, 64)
    assert tensors["deit.embeddings.position_embeddings"].shape == (1, 18, 64)
    assert json.loads((tmp_path / "deit" / "config.json").read_text())["model_type"] == "deit"
    assert vitreous.load(tmp_path / "deit").config.registers == 1


def test_a_head_for_each_of_deits_tokens(make, tmp_path: Path) -> None:
    model = make(registers=1, pooling="distilled")
    convert(model, tmp_path / "deit", "huggingface")
    tensors = load_file(tmp_path / "deit" / "model.safetensors")
    assert torch.equal(tensors["distillation_classifier.weight"], model.head.distillation.weight)
    config = json.loads((tmp_path / "deit" / "config.json").read_text())
    assert config["architectures"] == ["DeiTForImageClassificationWithTeacher"]
    assert vitreous.load(tmp_path / "deit").config.pooling == "distilled"
    new = vitreous.load(tmp_path / "deit", num_classes=3)
    assert (new.config.pooling, new.config.registers) == ("token", 1)


def test_the_preprocessor_of_deit_as_it_was_published(make, tmp_path: Path) -> None:
    convert(make(registers=1), tmp_path, "huggingface")
    said = {"crop_size": 14, "do_center_crop": True, "size": 16, "resample": 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    rule = vitreous.load(tmp_path).passport.preprocessing
    assert (rule.fit, rule.crop_fraction, rule.interpolation) == ("crop", 0.875, "bicubic")


def test_the_decoder_of_a_pretrained_mae_is_left_out(make, write) -> None:
    def pretrained(tensors):
        return tensors | {"decoder.mask_token": torch.ones(1, 1, 8)}

    model = make(num_classes=0, activation="gelu")
    file = write(model, "huggingface", "version 4", pretrained)
    # Without a head a model is written bare; ViTMAE has it under a word.
    tensors = {n if n.startswith("decoder") else f"vit.{n}": t for n, t in load_file(file).items()}
    save_file({n.replace("vit.vit.", "vit."): t for n, t in tensors.items()}, file)
    loaded = vitreous.load(file)
    assert "left out the decoder of pretraining (1 tensor)" in loaded.passport.assumptions


def test_preprocessing_and_names_come_back_from_a_folder(folder: Path, tmp_path: Path) -> None:
    model = vitreous.load(folder)
    proof = convert(model, tmp_path / "out", "huggingface")
    assert proof.lost == ()
    passport = vitreous.load(tmp_path / "out").passport
    assert passport.class_names == model.passport.class_names
    assert passport.preprocessing == model.passport.preprocessing


def retold(folder: Path, **said: object) -> Path:
    """The folder with other words in its config; None takes one out."""
    file = folder / "config.json"
    values = json.loads(file.read_text()) | said
    file.write_text(json.dumps({n: value for n, value in values.items() if value is not None}))
    return folder


def test_several_labels_an_image(make, tmp_path: Path) -> None:
    convert(make(), tmp_path / "in", "huggingface")
    names = {str(label): name for label, name in enumerate("abcde")}
    retold(tmp_path / "in", problem_type="multi_label_classification", id2label=names)
    model = vitreous.load(tmp_path / "in")
    assert model.passport.multi_label
    assert convert(model, tmp_path / "out", "huggingface").lost == ()
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    assert written["problem_type"] == "multi_label_classification"
    assert vitreous.load(tmp_path / "out").passport.multi_label
    lost = convert(model, tmp_path / "timm", "timm").lost
    assert lost == ("several labels of an image (a sigmoid for each)",)


def test_a_head_of_one_output_answers_yes_or_no(make, tmp_path: Path) -> None:
    convert(make(num_classes=1), tmp_path, "huggingface")
    passport = vitreous.load(tmp_path).passport
    assert passport.multi_label
    assert any("one output" in line for line in passport.assumptions)
    retold(tmp_path, problem_type="regression")
    with pytest.raises(UserError, match="problem_type regression"):
        vitreous.load(tmp_path)


@pytest.mark.parametrize("numbers", [(1, 2, 3, 4, 5), (0, 1, 2, 3, 7), ("a", 1, 2, 3, 4)])
def test_names_of_other_numbers_than_the_logits_are_refused(make, tmp_path: Path, numbers) -> None:
    convert(make(), tmp_path, "huggingface")
    retold(tmp_path, id2label={str(number): f"name {number}" for number in numbers})
    with pytest.raises(UserError, match="id2label of its config names .* has 0, 1, 2, 3, 4"):
        vitreous.load(tmp_path)


def test_names_that_only_label2id_says(make, tmp_path: Path) -> None:
    convert(make(), tmp_path, "huggingface")
    retold(tmp_path, id2label=None, label2id={name: n for n, name in enumerate("edcba")})
    assert vitreous.load(tmp_path).passport.class_names == tuple("edcba")


@pytest.mark.parametrize(
    ("model_type", "mean", "fit", "interpolation"),
    [
        ("vit", 0.5, "squash", "bilinear"),
        ("deit", 0.485, "crop", "bicubic"),
        ("vit_mae", 0.485, "crop", "bicubic"),
        ("vit_msn", 0.485, "crop", "bicubic"),
    ],
)
def test_without_a_processor_it_is_the_types_own_and_said(
    make, tmp_path: Path, model_type: str, mean: float, fit: str, interpolation: str
) -> None:
    convert(make(), tmp_path, "huggingface")
    (tmp_path / "preprocessor_config.json").unlink()
    passport = vitreous.load(retold(tmp_path, model_type=model_type)).passport
    rule = passport.preprocessing
    assert (rule.mean[0], rule.fit, rule.interpolation) == (mean, fit, interpolation)
    assert any("preprocessing: normalisation" in line for line in passport.assumptions)
    clip = vitreous.load(tmp_path, normalisation="clip").passport.preprocessing
    assert clip.mean[0] == 0.48145466


def test_a_filter_that_is_not_here_is_said(make, tmp_path: Path) -> None:
    convert(make(), tmp_path, "huggingface")
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"resample": 1}))
    assert any("in place of 1" in line for line in vitreous.load(tmp_path).passport.assumptions)


@pytest.mark.parametrize(
    ("model_type", "word"),
    [
        ("beit", "BEiT"),
        ("dinov3_vit", "DINOv3"),
        ("siglip2_vision_model", "NaFlex"),
        ("swin", "Swin"),
        ("my_own", "not read here; nearest that is read is vit"),
    ],
)
def test_types_that_are_not_read_are_named(
    make, tmp_path: Path, model_type: str, word: str
) -> None:
    convert(make(), tmp_path, "huggingface")
    with pytest.raises(UserError, match=word) as caught:
        vitreous.load(retold(tmp_path, model_type=model_type))
    assert model_type in str(caught.value)


def test_code_of_its_own_may_be_another_model(make, tmp_path: Path) -> None:
    convert(make(), tmp_path, "huggingface")
    with pytest.raises(UserError, match="auto_map"):
        vitreous.load(retold(tmp_path, auto_map={"AutoModel": "my.Model"}))

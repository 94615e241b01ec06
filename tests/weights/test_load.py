import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from vitreous.errors import UserError
from vitreous.model.vit import VisionTransformer
from vitreous.weights.load import load, read_passport
from vitreous.weights.passport import passport_of
from vitreous.weights.save import save

Trained = Callable[..., VisionTransformer]


def rewrite(
    path: Path,
    tensors: Callable[[dict[str, torch.Tensor]], object] | None = None,
    passport: Callable[[dict[str, Any]], object] | None = None,
) -> None:
    """Change a file behind its back."""
    with safe_open(path, framework="pt") as archive:
        held = {name: archive.get_tensor(name).clone() for name in archive.keys()}
        header = json.loads(archive.metadata()["vitreous"])
    if tensors is not None:
        tensors(held)
    if passport is not None:
        passport(header)
    save_file(held, path, metadata={"vitreous": json.dumps(header)})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pre_logits": 5},
        {"qkv_bias": False, "head_width": 5},
        {"class_token": False, "pooling": "mean"},
        {"num_classes": 0},
    ],
)
def test_what_was_saved_comes_back_bit_for_bit(
    trained: Trained, tmp_path: Path, fields: dict[str, Any]
) -> None:
    model, path = trained(**fields), tmp_path / "model.safetensors"
    save(model, path)
    loaded = load(path)
    assert not loaded.training
    assert loaded.config == model.config
    state = model.state_dict()
    assert list(loaded.state_dict()) == list(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state_dict().items())
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    images = torch.randn(2, 3, 16, 24)
    assert torch.equal(loaded(images), model(images))
    ours, theirs = passport_of(model), passport_of(loaded)
    for field in ("architecture", "preprocessing", "class_names", "metrics", "licence"):
        assert getattr(ours, field) == getattr(theirs, field)
    assert theirs.origin == {"data": "flowers", "seed": 3, "file": str(path)}
    assert len(theirs.canary) == (model.config.num_classes or model.config.width)


def test_saving_again_gives_the_same_file(trained: Trained, saved: Path, tmp_path: Path) -> None:
    save(trained(), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_a_run_folder_stands_for_its_model(saved: Path) -> None:
    assert load(saved.parent).config == load(str(saved)).config
    assert read_passport(saved.parent).class_names == ("daisy", "rose", "tulip")


@pytest.mark.parametrize(
    "name", ["head.weight", "patch.bias", "encoder.blocks.1.mlp.expand.weight"]
)
def test_one_changed_weight_fails_the_canary(saved: Path, name: str) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name].view(-1)[3] += 0.3

    rewrite(saved, change)
    with pytest.raises(UserError, match=rf"{saved}: the canary failed"):
        load(saved)


@pytest.mark.parametrize(
    ("field", "value"),
    [("mean", [0.5, 0.5, 0.5]), ("std", [0.2, 0.3, 0.5]), ("size", [24, 16])],
)
def test_changed_preprocessing_fails_the_canary(saved: Path, field: str, value: object) -> None:
    rewrite(saved, passport=lambda header: header["preprocessing"].update({field: value}))
    with pytest.raises(UserError, match="the canary failed"):
        load(saved)


def test_a_changed_architecture_fails_the_canary(saved: Path) -> None:
    rewrite(saved, passport=lambda header: header["architecture"].update(activation="relu"))
    with pytest.raises(UserError, match="the canary failed"):
        load(saved)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, 2000, -1])
def test_a_file_cut_short(saved: Path, size: int) -> None:
    saved.write_bytes(saved.read_bytes()[:size])
    for read in (load, read_passport):
        with pytest.raises(UserError, match=f"{saved} is no safetensors file, or a damaged one"):
            read(saved)


@pytest.mark.parametrize("content", [b"accuracy,0.9\n" * 50, b"\x89PNG\r\n", b"PK\x03\x04" * 9])
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no safetensors file|is a damaged or truncated archive"):
        load(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_file_without_a_passport(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"head.weight": torch.zeros(2, 2)}, path, metadata=metadata)
    for read in (load, read_passport):
        with pytest.raises(UserError, match=f"{path} has no passport"):
            read(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", "{}", '{"architecture": 5}', '{"architecture": {}}'],
)
def test_a_passport_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"vitreous": text})
    for read in (load, read_passport):
        with pytest.raises(UserError, match=f"{path}: the passport is damaged"):
            read(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p["architecture"].update(layers=3), "unknown model field 'layers'"),
        (lambda p: p["architecture"].update(depth="2"), "model.depth is '2'"),
        (lambda p: p["architecture"].update(image_size=[16]), "model.image_size"),
        (lambda p: p["architecture"].update(width=None), "model.width is None"),
        (lambda p: p["preprocessing"].update(fit="pad"), "preprocessing.fit is 'pad'"),
        (lambda p: p.update(canary=["x"]), "the passport is damaged"),
        (lambda p: p.update(origin=[1]), "the passport is damaged"),
        (lambda p: p.update(class_names=["a", "b"]), "names 2 classes and the head has 3"),
        (lambda p: p["architecture"].update(num_classes=5), "names 3 classes and the head has 5"),
        (
            lambda p: p["architecture"].update(num_classes=5) or p.update(class_names=[]),
            "has another shape of 2 tensors of its architecture: head.bias, head.weight",
        ),
        (lambda p: p["architecture"].update(depth=3), "lacks 12 tensors .*blocks.2.* ..."),
        (lambda p: p["architecture"].update(depth=1), "has unknown 12 tensors .*blocks.1"),
        (lambda p: p["architecture"].update(image_size=[16, 16]), "another shape of 1 .*position"),
    ],
)
def test_a_passport_that_lies(
    saved: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    rewrite(saved, passport=change)
    with pytest.raises(UserError, match=f"{saved}:? .*{words}"):
        load(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("patch.bias"), "lacks 1 tensors of its architecture: patch.bias"),
        (lambda t: t.update(extra=torch.zeros(1)), "has unknown 1 tensors .*: extra"),
        (
            lambda t: t.update({"head.bias": torch.zeros(4)}),
            "another shape of 1 tensors .*: head.b",
        ),
        (lambda t: t["head.bias"].fill_(float("nan")), "head.bias holds numbers .* not finite"),
        (lambda t: t["head.bias"].fill_(float("inf")), "head.bias holds numbers .* not finite"),
        (lambda t: t.clear(), "holds no tensors"),
    ],
)
def test_tensors_that_do_not_fit(
    saved: Path, change: Callable[[dict[str, torch.Tensor]], object], words: str
) -> None:
    rewrite(saved, change)
    with pytest.raises(UserError, match=words):
        load(saved)


def test_half_precision_comes_as_float32(saved: Path) -> None:
    exact = load(saved)

    def halve(tensors: dict[str, torch.Tensor]) -> None:
        tensors.update({name: tensor.bfloat16() for name, tensor in tensors.items()})

    rewrite(saved, halve, lambda passport: passport.update(canary=[]))
    rounded = load(saved)
    assert {p.dtype for p in rounded.parameters()} == {torch.float32}
    assert torch.equal(rounded.head.weight, exact.head.weight.bfloat16().float())


def test_whole_numbers_do_not_crash(saved: Path) -> None:
    rewrite(saved, lambda t: t.update({"head.bias": t["head.bias"].int()}))
    with pytest.raises(UserError, match="the canary failed"):
        load(saved)


def test_no_such_thing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such model: .*none.safetensors"):
        load(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="holds no model.safetensors: give a run folder"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="holds no model.safetensors: finish it with .*--resume"):
        load(tmp_path)


def test_loading_for_another_task(saved: Path) -> None:
    model = load(saved, num_classes=5, image_size=32)
    assert model.config.image_size == (32, 32)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 5)
    assert not model.head.weight.any()
    assert not model.training


def test_load_takes_what_adapt_takes(saved: Path) -> None:
    model = load(
        saved,
        class_names=("rose", "iris"),
        keep_head=True,
        image_size=(16, 32),
        resample="torchvision",
        patch=4,
        channels=1,
    )
    config = model.config
    assert (config.image_size, config.patch, config.channels) == ((16, 32), 4, 1)
    assert config.resample == "torchvision"
    assert model.passport.class_names == ("rose", "iris")
    assert torch.equal(model.head.weight[0], load(saved).head.weight[1])
    with pytest.raises(UserError, match="keep_head goes by name"):
        load(saved, keep_head=True)

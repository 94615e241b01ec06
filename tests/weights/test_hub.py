import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.vit import VisionTransformer
from vitreous.weights.convert import convert
from vitreous.weights.fetch import fetch
from vitreous.weights.hub import from_pretrained, push_to_hub
from vitreous.weights.load import load, read_passport

Trained = Callable[..., VisionTransformer]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub in a folder: what is pushed lies there and can be fetched again."""
    root = tmp_path / "hub"

    class Api:
        def __init__(self, token: str | None = None) -> None:
            self.token = token

        def create_repo(self, repository: str, **_: Any) -> str:
            if self.token == "wrong":
                raise OSError("401 Client Error\nof many lines")
            (root / repository).mkdir(parents=True, exist_ok=True)
            return f"https://hub/{repository}"

        def upload_folder(self, *, repo_id: str, folder_path: str, **_: Any) -> None:
            shutil.copytree(folder_path, root / repo_id, dirs_exist_ok=True)

    def snapshot_download(repository: str, revision: str | None = None, **_: Any) -> str:
        folder = root / repository
        if revision not in (None, "main"):
            raise type("RevisionNotFoundError", (OSError,), {})()
        if not folder.is_dir():
            raise type("RepositoryNotFoundError", (OSError,), {})("404\nin many lines")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return root


def test_what_is_pushed_comes_back(hub: Path, trained: Trained) -> None:
    model = trained()
    assert push_to_hub(model, "me/flowers") == "https://hub/me/flowers"
    assert sorted(path.name for path in (hub / "me/flowers").iterdir()) == [
        "README.md",
        "model.safetensors",
    ]
    again = load("hf:me/flowers@main")
    images = torch.randn(2, 3, 16, 24)
    assert torch.equal(again(images), model(images))
    assert again.passport.class_names == ("daisy", "rose", "tulip")
    assert read_passport("hf:me/flowers").architecture == model.config
    assert from_pretrained("me/flowers", num_classes=7).config.num_classes == 7
    assert from_pretrained(hub / "me/flowers").config == model.config


def test_the_card_is_the_passport_in_words(hub: Path, trained: Trained) -> None:
    model = trained()
    model.passport = replace(model.passport, licence="Apache-2.0")
    push_to_hub(model, "me/flowers")
    card = huggingface_hub.ModelCard.load(hub / "me/flowers/README.md")
    assert card.data.library_name == "vitreous"
    assert card.data.license == "apache-2.0"
    assert card.data.pipeline_tag == "image-classification"
    assert "Classes: daisy, rose, tulip." in card.text
    assert "| accuracy | 0.5 |" in card.text
    assert "mean 0.4, 0.5, 0.6" in card.text


def test_a_model_of_hugging_faces_own_layout(hub: Path, make: Any) -> None:
    model = make(activation="gelu", norm_eps=1e-12)
    convert(model, hub / "them/vit", "huggingface")
    again = load("hf:them/vit")
    assert again.passport.origin["family"] == "huggingface"
    images = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(again(images), model(images))


def test_mistakes_are_one_line(
    hub: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address, complaint in (
        ("hf:none", "write hf:owner/name"),
        ("hf:me/none", "no such model, or a private one"),
        ("hf:me/none@v2", "no such revision"),
    ):
        with pytest.raises(UserError, match=complaint) as raised:
            load(address)
        assert "\n" not in str(raised.value)
    (hub / "me/empty").mkdir(parents=True)
    with pytest.raises(UserError, match=r"hf:me/empty holds no model\.safetensors"):
        load("hf:me/empty")
    with pytest.raises(UserError, match="cannot push to me/x: 401 Client Error$"):
        push_to_hub(trained(), "me/x", token="wrong")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install .*vitreous\[hub\]"):
        load("hf:me/flowers")


def test_offline_and_not_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="cannot fetch hf:me/flowers: no network, and it is not"):
        fetch("hf:me/flowers")

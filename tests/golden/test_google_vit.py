"""The model against Google's own code, by checkpoints mapped by hand."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from vitreous.model.build import empty_model
from vitreous.model.config import ViTConfig
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

BAR = 2e-5


def read(checkpoint: Mapping[str, np.ndarray]) -> VisionTransformer:
    """Google's names and layouts to ours: kernels are (in, out), and (D, k, d) for q, k, v."""
    _, k, d = checkpoint[
        "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/query/kernel"
    ].shape
    P, _, C, D = checkpoint["embedding/kernel"].shape
    positions = checkpoint["Transformer/posembed_input/pos_embedding"].shape[1]
    side = round((positions - ("cls" in checkpoint)) ** 0.5) * P
    config = ViTConfig(
        image_size=(side, side),
        patch=P,
        channels=C,
        width=D,
        depth=3,
        mlp_width=checkpoint["Transformer/encoderblock_0/MlpBlock_3/Dense_0/kernel"].shape[1],
        heads=k,
        head_width=d,
        num_classes=checkpoint["head/bias"].size,
        class_token="cls" in checkpoint,
        pooling="token" if "cls" in checkpoint else "mean",
        pre_logits=checkpoint["pre_logits/bias"].size if "pre_logits/bias" in checkpoint else None,
    )
    state = {
        "patch.weight": checkpoint["embedding/kernel"].transpose(3, 2, 0, 1),
        "patch.bias": checkpoint["embedding/bias"],
        "position.table": checkpoint["Transformer/posembed_input/pos_embedding"][0],
    }
    if config.class_token:
        state["class_token"] = checkpoint["cls"][0, 0]

    def dense(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"] = checkpoint[f"{theirs}/kernel"].T
        state[f"{ours}.bias"] = checkpoint[f"{theirs}/bias"]

    def norm(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"] = checkpoint[f"{theirs}/scale"]
        state[f"{ours}.bias"] = checkpoint[f"{theirs}/bias"]

    for layer in range(3):
        ours, theirs = f"encoder.blocks.{layer}", f"Transformer/encoderblock_{layer}"
        attention = f"{theirs}/MultiHeadDotProductAttention_1"
        packed = [(f"{attention}/{part}") for part in ("query", "key", "value")]
        state[f"{ours}.attention.qkv.weight"] = np.concatenate(
            [checkpoint[f"{part}/kernel"].reshape(D, k * d).T for part in packed]
        )
        state[f"{ours}.attention.qkv.bias"] = np.concatenate(
            [checkpoint[f"{part}/bias"].reshape(k * d) for part in packed]
        )
        state[f"{ours}.attention.projection.weight"] = (
            checkpoint[f"{attention}/out/kernel"].reshape(k * d, D).T
        )
        state[f"{ours}.attention.projection.bias"] = checkpoint[f"{attention}/out/bias"]
        norm(f"{ours}.norm_attention", f"{theirs}/LayerNorm_0")
        norm(f"{ours}.norm_mlp", f"{theirs}/LayerNorm_2")
        dense(f"{ours}.mlp.expand", f"{theirs}/MlpBlock_3/Dense_0")
        dense(f"{ours}.mlp.contract", f"{theirs}/MlpBlock_3/Dense_1")
    norm("encoder.norm", "Transformer/encoder_norm")
    dense("head", "head")
    if config.pre_logits:
        dense("pre_logits.0", "pre_logits")
    model = empty_model(config)
    tensors = {name: torch.tensor(np.ascontiguousarray(array)) for name, array in state.items()}
    model.load_state_dict(tensors, assign=True)
    return model


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "name", ["google_vit_token", "google_vit_token_representation", "google_vit_gap"]
)
def test_logits_are_googles(golden: Path, name: str, training: bool) -> None:
    with np.load(golden / f"{name}.npz", allow_pickle=False) as checkpoint:
        model = read(dict(checkpoint)).train(training)
    with np.load(golden / f"{name}.expected.npz", allow_pickle=False) as archive:
        expected = dict(archive)
    pairs = [key for key in ("images", "images_resized") if key in expected]
    assert len(pairs) == (1 if "representation" in name else 2)
    for key in pairs:
        images = torch.tensor(expected[key])
        logits = expected[key.replace("images", "logits")]
        for recording in (None, Recording(attention="all", tokens="all")):
            with torch.no_grad():
                ours = model(images, recording=recording)
            assert np.abs(ours.numpy() - logits).max() <= BAR
        assert np.abs(model(images).detach().numpy() - logits).max() <= BAR

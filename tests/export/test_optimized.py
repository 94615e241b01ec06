"""Optimised models answer as the models they were made from."""

import copy
import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import vitreous
from needs import needs_vnni
from small_models import build, bytes_for, plain, stamped
from vitreous.errors import UserError
from vitreous.export import optimized
from vitreous.model.build import create_model
from vitreous.model.config import ModelConfig
from vitreous.parallel.strategy import recompute

SHAPES = {
    "token": {},
    "mean": {"pooling": "mean", "class_token": False},
    "map": {"pooling": "map", "class_token": False},
    "registers": {"registers": 2},
    "relative": {"position": "relative"},
    "every layer": {"position_at": "layers"},
    "every layer, shared": {"position_at": "layers_shared"},
    "hybrid": {"stem": (1, 1), "stem_width": 32, "image_size": (32, 32), "patch": 8},
    "relu": {"activation": "relu"},
    "swiglu": {"activation": "swiglu"},
    "layer scale": {"layer_scale": 0.1},
    "no bias": {"patch_bias": False},
    "patch norms": {"patch_norms": True, "pooling": "mean", "class_token": False},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_gives_the_same_logits(shape: str) -> None:
    model = build(**SHAPES[shape])
    images = bytes_for(model)
    expected = plain(model, images)
    fast = model.optimize(images, precision="float32", device="cpu")
    torch.testing.assert_close(fast(images), expected, rtol=1e-4, atol=2e-5)
    torch.testing.assert_close(fast(images[:1]), expected[:1], rtol=1e-4, atol=2e-5)
    assert fast.agreement.same_top1 == fast.agreement.images == 3


@pytest.mark.parametrize("shape", SHAPES)
def test_bfloat16_stays_near(shape: str) -> None:
    model = build(**SHAPES[shape])
    images = bytes_for(model)
    fast = vitreous.optimize(model, images, precision="bfloat16", device="cpu")
    logits = fast(images)
    assert logits.dtype == torch.float32
    expected = plain(model, images)
    torch.testing.assert_close(logits, expected, rtol=0.05, atol=0.05 * float(expected.abs().max()))
    assert 0 < fast.agreement.features < 0.05


@needs_vnni
@pytest.mark.parametrize("shape", ["token", "mean", "map", "relu", "swiglu", "layer scale"])
def test_int8_stays_near(shape: str) -> None:
    model = build(**SHAPES[shape])
    images = bytes_for(model, 16)
    fast = vitreous.optimize(model, images, precision="int8", device="cpu")
    expected = plain(model, images)
    error = (fast(images) - expected).norm() / expected.norm()
    assert 1e-4 < error < 0.1
    kinds = {type(module).__name__ for module in fast.modules()}
    assert "Int8Dense" in kinds


def test_bfloat16_where_the_kernel_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own products then, slow, but no crash."""
    monkeypatch.setattr("vitreous.export.pack.kernel_has", lambda dtype: False)
    monkeypatch.setattr("vitreous.model.dense.kernel_has", lambda dtype: False)
    model = build()
    fast = model.optimize(bytes_for(model), precision="bfloat16", device="cpu")
    assert "PackedDense" not in {type(module).__name__ for module in fast.modules()}
    assert fast.precision == "bfloat16"


def test_int8_where_the_processor_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cpu._is_vnni_supported", lambda: False)
    model = build()
    with pytest.raises(UserError, match=r"no integer products of its own .*: choose auto"):
        model.optimize(bytes_for(model), precision="int8", device="cpu")


def test_int8_of_what_has_none() -> None:
    model = build()
    with pytest.raises(UserError, match="uncompiled"):
        model.optimize(bytes_for(model), precision="int8", compiled=True)


@pytest.mark.parametrize(
    "config",
    [
        vitreous.BiTConfig(
            units=(1, 1), stem_width=32, image_size=(32, 32), num_classes=5, norm_groups=8
        ),
        vitreous.ResNetConfig(units=(1, 1), stem_width=32, image_size=(32, 32), num_classes=5),
    ],
    ids=["bit", "resnet"],
)
def test_resnet(config: ModelConfig) -> None:
    model = stamped(create_model(config))
    images = bytes_for(model)
    fast = model.optimize(images, precision="float32", device="cpu")
    torch.testing.assert_close(fast(images), plain(model, images), rtol=1e-4, atol=1e-4)


def test_other_sizes_and_the_model_itself_stay() -> None:
    model = build()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = bytes_for(model)
    fast = model.train().optimize(images, precision="float32", device="cpu")
    assert model.training
    assert not fast.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    larger = torch.randint(0, 256, (2, 3, 24, 32), dtype=torch.uint8)
    torch.testing.assert_close(fast(larger), plain(model.eval(), larger), rtol=1e-4, atol=2e-5)


def test_answers_that_differ_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    monkeypatch.setitem(optimized.TOLERANCE, "bfloat16", 1e-6)
    with pytest.raises(UserError, match="such as float32"):
        model.optimize(bytes_for(model), precision="bfloat16", device="cpu")


@pytest.mark.parametrize(
    "images", [torch.rand(1, 3, 16, 16), torch.zeros(3, 16, 16, dtype=torch.uint8)]
)
def test_wrong_images(images: Tensor) -> None:
    with pytest.raises(UserError, match="uint8 images"):
        build().optimize(images)


def test_normalised_images_are_refused_later_too() -> None:
    model = build()
    fast = model.optimize(bytes_for(model), precision="float32", device="cpu")
    with pytest.raises(UserError, match="normalises by itself"):
        fast(torch.rand(1, 3, 16, 16))


@pytest.mark.parametrize("images", [[1], np.zeros((1, 3, 16, 16), np.uint8), None])
def test_what_is_no_tensor(images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user meets it, without the tests' type checks."""
    model = build()
    fast: Any = model.optimize(bytes_for(model), precision="float32", device="cpu")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    words = rf"got {type(images).__name__}: give torch\.as_tensor"
    with pytest.raises(UserError, match=f"optimize takes a tensor .*{words}"):
        model.optimize(images)
    with pytest.raises(UserError, match=f"an optimised model takes a tensor .*{words}"):
        fast(images)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_around_it_changes_nothing(dtype: torch.dtype) -> None:
    model = build()
    images = bytes_for(model)
    expected = plain(model, images)
    with torch.autocast("cpu", dtype=dtype):
        fast = model.optimize(images, precision="float32", device="cpu")
        assert fast.agreement.features < 1e-5
        assert fast.embed(images).dtype == torch.float32
        torch.testing.assert_close(fast(images), expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    "precision", ["float32", "bfloat16", pytest.param("int8", marks=needs_vnni)]
)
def test_copies_and_pickles_answer_alike(precision: str) -> None:
    model = build()
    images = bytes_for(model)
    fast = model.optimize(images, precision=precision, device="cpu")
    expected = fast(images)
    file = BytesIO()
    torch.save(fast, file)
    file.seek(0)
    for twin in (copy.deepcopy(fast), torch.load(file, weights_only=False)):
        assert torch.equal(twin(images), expected)
        assert twin.agreement == fast.agreement
        assert {type(m) for m in twin.modules()} == {type(m) for m in fast.modules()}
        twin.model.head.weight.zero_()
        assert torch.equal(fast(images), expected)


def test_it_is_neither_cast_nor_optimised_again() -> None:
    model = build()
    fast = model.optimize(bytes_for(model), precision="float32", device="cpu")
    for change in (fast.half, fast.double, lambda: fast.to("meta"), nn.Sequential(fast).bfloat16):
        with pytest.raises(UserError, match="keeps its device and precision: optimize again, with"):
            change()
    assert fast.to("cpu") is fast.float() is fast


def test_it_stays_in_evaluation() -> None:
    model = build(dropout=0.5)
    images = bytes_for(model)
    fast = model.optimize(images, precision="float32", device="cpu")
    expected = fast(images)
    assert fast.train() is fast
    nn.Sequential(fast).train()
    assert not any(module.training for module in fast.modules())
    assert torch.equal(fast(images), expected)


def test_each_module_trains_or_not_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build().train()
    model.encoder.eval()
    before = [module.training for module in model.modules()]
    model.optimize(bytes_for(model), precision="float32", device="cpu")
    assert [module.training for module in model.modules()] == before
    monkeypatch.setattr(model.head, "forward", lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.optimize(bytes_for(model), precision="float32", device="cpu")
    assert [module.training for module in model.modules()] == before


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_model_of_another_precision(dtype: torch.dtype) -> None:
    model = build().to(dtype)
    images = bytes_for(model)
    fast = model.optimize(images, precision="float32", device="cpu")
    assert fast.agreement.features < 1e-5
    assert next(model.parameters()).dtype == dtype
    same = model.float().optimize(images, precision="float32", device="cpu")
    assert torch.equal(fast(images), same(images))


def test_a_model_with_recomputed_blocks() -> None:
    model = build()
    images = bytes_for(model)
    recompute(model.blocks, 1)
    fast = model.optimize(images, precision="float32", device="cpu")
    expected = fast(images)
    nn.init.zeros_(model.blocks[0].mlp.contract.weight)
    assert torch.equal(fast(images), expected)


def test_images_of_other_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user meets it, without the tests' type checks."""
    model = build()
    images = bytes_for(model)
    fast = model.optimize(images, precision="float32", device="cpu")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    for taker in (model.optimize, fast):
        with pytest.raises(UserError, match="images have 1 channels, the model takes 3"):
            taker(images[:, :1])
    with pytest.raises(UserError, match=r"got \(3, 16, 16\): images\[None\] is a batch of one"):
        fast(images[0])


def test_what_is_no_model_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    images = bytes_for(model)
    fast = model.optimize(images, precision="float32", device="cpu")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    for stranger in (fast, torch.compile(model, backend="eager"), nn.Linear(3, 3)):
        words = f"optimize takes a model of vitreous and got {type(stranger).__name__}: give the"
        with pytest.raises(UserError, match=words):
            vitreous.optimize(stranger, images)


def test_a_device_without_numbers() -> None:
    model = build()
    with pytest.raises(UserError, match="device 'meta' is not to be had here"):
        model.optimize(bytes_for(model), device="meta")


def test_logits_that_are_no_numbers() -> None:
    model = build()
    nn.init.constant_(model.head.weight, float("nan"))
    with pytest.raises(UserError, match="this model gives logits that are not finite: its weights"):
        model.optimize(bytes_for(model), precision="float32", device="cpu")


def test_an_unknown_precision() -> None:
    model = build()
    words = "precision 'int4': choose auto, float32, bfloat16, int8, float8"
    with pytest.raises(UserError, match=words):
        model.optimize(bytes_for(model), precision="int4")


_COMPILED = """
import copy, torch, vitreous
from torch._inductor import compile_fx
torch.manual_seed(0)
config = vitreous.ViTConfig(
    image_size=16, patch=4, width=32, depth=2, heads=2, mlp_width=64, num_classes=5
)
model = vitreous.create_model(config).eval()
for parameter in model.parameters():
    torch.nn.init.normal_(parameter, std=0.1)
images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
fast = model.optimize(images, precision="float32", device="cpu", compiled=True)
with torch.no_grad():
    torch.testing.assert_close(fast(images), model(images / 127.5 - 1), rtol=1e-4, atol=2e-5)
frozen = []
freeze = compile_fx.fw_compiler_freezing
compile_fx.fw_compiler_freezing = lambda *a, **k: (frozen.append(1), freeze(*a, **k))[1]
for answer in (fast, copy.deepcopy(fast)):
    torch.testing.assert_close(answer(images[:2]), fast(images)[:2], rtol=1e-4, atol=2e-5)
    assert frozen, "another number of images, and a copy, are compiled in the same way"
    frozen.clear()
"""


@pytest.mark.slow
def test_compiled() -> None:
    """In a process of its own: the compiler does not see through the tests' type checks."""
    if shutil.which("g++") is None:
        pytest.skip("PyTorch compiles for a CPU with g++, which is not here")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-c", _COMPILED]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr

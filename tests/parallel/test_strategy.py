import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed

from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.parallel.device import Engine
from vitreous.parallel.strategy import fully_shard_blocks, recompute

CONFIG = ViTConfig(
    image_size=(16, 16),
    patch=4,
    width=32,
    depth=4,
    mlp_width=64,
    heads=2,
    num_classes=5,
    dropout=0.2,
    stochastic_depth=0.3,
)


def gradients(model, images):
    torch.manual_seed(7)
    model.train()(images).square().sum().backward()
    return [parameter.grad for parameter in model.parameters()]


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = create_model(CONFIG)
    torch.nn.init.normal_(model.head.weight)
    return model


@pytest.mark.parametrize("every", [1, 2, 3])
def test_recomputed_blocks_give_the_same_bits(model, every):
    """Dropout and stochastic depth draw the same numbers again."""
    images = torch.randn(6, 3, 16, 16)
    lean = copy.deepcopy(model)
    recompute(lean.encoder.blocks, every)
    assert lean.state_dict().keys() == model.state_dict().keys()
    for ours, theirs in zip(gradients(lean, images), gradients(model, images), strict=True):
        assert torch.equal(ours, theirs)


def kept_bytes(model, images):
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model.train()(images).sum()
    assert loss.requires_grad
    return sum(kept.values())


def test_recomputed_blocks_keep_less(model):
    images = torch.randn(64, 3, 16, 16)
    sizes = []
    for every in (0, 2, 1):
        lean = copy.deepcopy(model)
        recompute(lean.encoder.blocks, every)
        sizes.append(kept_bytes(lean, images))
    assert sizes[0] > 1.4 * sizes[1]
    assert sizes[1] > 1.4 * sizes[2]


def test_a_copy_runs_its_own_blocks(model):
    recompute(model.encoder.blocks, 1)
    twin = copy.deepcopy(model).eval()
    images = torch.randn(2, 3, 16, 16)
    expected = twin(images)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(twin(images), expected)
    twin(images).sum().backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert kept_bytes(twin, images) < kept_bytes(create_model(CONFIG), images)


PROGRAM = """
import copy, torch
from torch._dynamo.utils import counters
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.parallel.strategy import compile_blocks, recompute
config = ViTConfig(image_size=16, patch=8, width=16, depth=2, mlp_width=32, heads=2, num_classes=3)
plain = create_model(config)
torch.nn.init.normal_(plain.head.weight)
compiled = copy.deepcopy(plain)
recompute(compiled.encoder.blocks, EVERY)
compile_blocks(compiled.encoder.blocks)
images = torch.randn(4, 3, 16, 16)
halved = torch.autocast("cpu", torch.bfloat16, enabled=HALVED)
with halved:
    plain(images).square().mean().backward()
assert not counters["stats"]
with halved:
    compiled(images).square().mean().backward()
assert counters["stats"]["unique_graphs"] == 2, "whole blocks, and the last that is read in part"
assert not counters["graph_break"]
for ours, theirs in zip(compiled.parameters(), plain.parameters(), strict=True):
    apart = (2e-2 if HALVED else 1e-4) * max(1, theirs.grad.abs().max())
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=float(apart))
assert compiled.state_dict().keys() == plain.state_dict().keys()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("every", "halved"), [(0, False), (1, False), (0, True)])
def test_compiled_blocks_are_compiled_and_give_the_same_numbers(every, halved):
    """In a process of its own: the shape checks of the tests cannot be compiled."""
    if shutil.which("g++") is None:
        pytest.skip("PyTorch compiles for a CPU with g++, which is not here")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM.replace("EVERY", str(every)).replace("HALVED", str(halved)),
        ],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("position", ["learned", "none"])
def test_what_goes_from_block_to_block_is_float32_under_fsdp_too(position):
    model = create_model(
        ViTConfig(
            image_size=(16, 16), patch=8, width=24, depth=2, heads=2, mlp_width=48, num_classes=3,
            position=position,
        )
    )  # fmt: skip
    engine = Engine(torch.device("cpu"), "bfloat16", "as asked")
    torch.nn.init.normal_(model.head.weight)
    images, seen = torch.randn(2, 3, 16, 16), []
    for block in model.blocks:
        block.norm_mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].dtype))
        block.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].dtype))
    with engine.autocast():
        plain = model(images)
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        fully_shard_blocks(model, model.blocks, engine)
        with engine.autocast():
            spread = model(images)
        spread.float().square().sum().backward()
    finally:
        distributed.destroy_process_group()
    assert seen[::2] == [torch.float32] * 4
    assert (spread.float() - plain.float()).abs().max() < 0.02

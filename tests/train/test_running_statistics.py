import pytest
import torch

from vitreous.model.batch_norm import BatchNorm
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.resnet_config import ResNetConfig
from vitreous.parallel.strategy import recompute
from vitreous.train.running_statistics import RunningStatistics

CONFIG = ResNetConfig(image_size=(8, 8), units=(2, 1), stem_width=4, num_classes=3, root="plain")


def statistics(model):
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


def differ(one, other):
    return any(not torch.equal(one[name], other[name]) for name in one)


def test_put_back_as_they_were():
    model = create_model(CONFIG)
    running = RunningStatistics(model)
    model(torch.randn(4, 3, 8, 8))
    running.keep()
    kept = statistics(model)
    model(torch.full((4, 3, 8, 8), torch.nan))
    assert differ(kept, statistics(model))
    running.put_back()
    assert not differ(kept, statistics(model))


def test_those_of_frozen_norms_are_not_exchanged():
    model = create_model(CONFIG)
    for module in model.stages.modules():
        if isinstance(module, BatchNorm):
            module.requires_grad_(False)
    assert len(RunningStatistics(model)._now) == 2  # the root's


def test_a_model_without_norms_has_none():
    running = RunningStatistics(create_model(ViTConfig(width=8, depth=1, mlp_width=8, heads=1)))
    running.keep()
    running.put_back()
    running.agree()


@pytest.mark.parametrize("every", [1, 2])
def test_recomputed_blocks_count_a_batch_once(every):
    """The same bits as without: gradients, statistics, and those of the next batch."""
    found = []
    for recomputing in (0, every):
        torch.manual_seed(0)
        model = create_model(CONFIG)
        recompute(model.blocks, recomputing)
        for images in torch.randn(2, 4, 3, 8, 8):
            model(images).square().mean().backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        found.append(gradients | statistics(model))
    assert not differ(*found)

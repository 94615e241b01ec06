"""Optimisers from torch, with the parameters sorted by what decays and by how deep it lies."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from vitreous.errors import UserError
from vitreous.objective.contract import backbone_of
from vitreous.parallel.collect import shard
from vitreous.parallel.device import Precision
from vitreous.train.config import OptimizerConfig
from vitreous.train.layers import last_layer, layer_of
from vitreous.train.muon import BatchedMuon

_Named = Sequence[tuple[str, nn.Parameter]]


def build_optimizers(
    model: nn.Module, config: OptimizerConfig, precision: Precision = "float32"
) -> list[Optimizer]:
    """One optimiser, or two with Muon; each group knows its own peak rate as `peak`.

    Kernels decay; biases, norms, tokens and positions do not. With `layer_decay` below 1 each
    layer is a group of its own, at layer_decay ** (layers to the head) of the rate. What is frozen
    is left out.

    Args:
        model: What is trained.
        config: Which optimiser, and how fast.
        precision: Of the run's products; Muon makes its updates in it.

    Raises:
        UserError: Muon for a model without an encoder, or one whose encoder is frozen.

    Source: SGD with momentum 0.9: paper, Table 4. Muon: Jordan et al. 2024, here torch's own,
    with updates scaled to the size of AdamW's (Liu et al. 2025, arXiv 2502.16982).
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if config.name == "sgd":
        groups = _groups(named, model, config, config.learning_rate)
        # PyTorch has no fused SGD for parameters that are spread over ranks.
        fused = all(shard(p) is p for _, p in named) or None
        return [SGD(groups, momentum=config.momentum, fused=fused)]
    if config.name == "adamw":
        groups = _groups(named, model, config, config.learning_rate)
        return [AdamW(groups, betas=config.betas, fused=True)]
    matrices = [(name, p) for name, p in named if p.ndim == 2 and _decays(name, p)]
    hidden = [(name, p) for name, p in matrices if _own(name).startswith("encoder.")]
    if not hidden:
        raise UserError(
            "--optimizer.name muon moves the matrices of an encoder and this model has none to "
            "move: choose adamw or sgd"
        )
    chosen = {name for name, _ in hidden}
    rest = [(name, p) for name, p in named if name not in chosen]
    muon = BatchedMuon(
        _groups(hidden, model, config, config.learning_rate),
        dtype=getattr(torch, precision),
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = AdamW(
        _groups(rest, model, config, config.adam_learning_rate), betas=config.betas, fused=True
    )
    return [muon, adam]


def set_learning_rate(optimizers: Iterable[Optimizer], factor: float) -> None:
    """Put every group at `factor` of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor


def _decays(name: str, parameter: nn.Parameter) -> bool:
    placing = "position" in name  # the tables of any scheme
    return parameter.ndim >= 2 and not placing and not _own(name).startswith("registers")


def _own(name: str) -> str:
    """A parameter's name in the model, whatever a learner puts around it."""
    return name.removeprefix("backbone.")


def _groups(
    named: _Named, model: nn.Module, config: OptimizerConfig, rate: float
) -> list[dict[str, object]]:
    """Groups of equal decay and rate: kernels before the others, the head's layer first."""
    gathered: dict[tuple[bool, int], list[nn.Parameter]] = {}
    for name, parameter in named:
        below = 0
        if config.layer_decay < 1:
            backbone = backbone_of(model)
            # What a learner puts behind the model begins as a head does, and learns at its rate.
            if backbone is model or name != _own(name):
                below = last_layer(backbone.config) - layer_of(_own(name), backbone.config)
        gathered.setdefault((not _decays(name, parameter), below), []).append(parameter)
    groups: list[dict[str, object]] = []
    for (spared, below), parameters in sorted(gathered.items(), key=lambda group: group[0]):
        peak = rate * config.layer_decay**below
        decay = 0.0 if spared else config.weight_decay
        groups.append({"params": parameters, "weight_decay": decay, "lr": peak, "peak": peak})
    return groups

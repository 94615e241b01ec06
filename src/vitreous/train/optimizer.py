"""Optimisers from torch, with the parameters sorted into those that decay and those that do not."""

from collections.abc import Iterable

from torch import nn
from torch.optim import SGD, AdamW, Muon, Optimizer

from vitreous.errors import UserError
from vitreous.parallel.collect import shard
from vitreous.train.config import OptimizerConfig


def build_optimizers(model: nn.Module, config: OptimizerConfig) -> list[Optimizer]:
    """One optimiser, or two with Muon; each group knows its own peak rate as `peak`.

    Kernels decay; biases, norms, the class token and positions do not.

    Raises:
        UserError: Muon for a model without an encoder.

    Source: SGD with momentum 0.9: paper, Table 4. Muon: Jordan et al. 2024, here torch's own,
    with updates scaled to the size of AdamW's (Liu et al. 2025, arXiv 2502.16982).
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    kernels = [p for name, p in named if _decays(name, p)]
    others = [p for name, p in named if not _decays(name, p)]
    if config.name == "sgd":
        groups = _groups(kernels, others, config.learning_rate, config.weight_decay)
        # PyTorch has no fused SGD for parameters that are spread over ranks.
        fused = all(shard(p) is p for _, p in named) or None
        return [SGD(groups, momentum=config.momentum, fused=fused)]
    if config.name == "adamw":
        groups = _groups(kernels, others, config.learning_rate, config.weight_decay)
        return [AdamW(groups, betas=config.betas, fused=True)]
    hidden = [p for name, p in named if p.ndim == 2 and _own(name).startswith("encoder.")]
    if not hidden:
        raise UserError(
            "--optimizer.name muon moves the matrices of an encoder and this model has none: "
            "choose adamw or sgd"
        )
    chosen = {id(p) for p in hidden}
    rest = [p for p in kernels if id(p) not in chosen]
    groups = _groups(rest, others, config.adam_learning_rate, config.weight_decay)
    muon = Muon(
        [{"params": hidden, "peak": config.learning_rate}],
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [muon, AdamW(groups, betas=config.betas, fused=True)]


def set_learning_rate(optimizers: Iterable[Optimizer], factor: float) -> None:
    """Put every group at `factor` of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor


def _decays(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim >= 2 and not _own(name).startswith("position.")


def _own(name: str) -> str:
    """A parameter's name in the model, whatever a learner puts around it."""
    return name.removeprefix("backbone.")


def _groups(
    kernels: list[nn.Parameter], others: list[nn.Parameter], peak: float, decay: float
) -> list[dict[str, object]]:
    groups: list[dict[str, object]] = [
        {"params": kernels, "weight_decay": decay, "lr": peak, "peak": peak},
        {"params": others, "weight_decay": 0.0, "lr": peak, "peak": peak},
    ]
    return [group for group in groups if group["params"]]

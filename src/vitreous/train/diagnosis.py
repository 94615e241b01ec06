"""Where a loss stopped being finite: the first part of the model whose output is not."""

import torch
from torch import Tensor, nn

from vitreous.objective.contract import Objective, Task
from vitreous.parallel.collect import gather_texts
from vitreous.parallel.device import Engine


@torch.no_grad()
def first_nonfinite(
    model: nn.Module, objective: Objective, task: Task, engine: Engine, micro_batch: int
) -> str:
    """Run a batch forward once more and look at every module's output; for all ranks at once.

    Args:
        model: As it was in the step, with the same random draws ahead.
        objective: As in the step.
        task: As in the step.
        engine: Device and precision.
        micro_batch: As in the step.

    Returns:
        A few words that name the first module, or the weights or images that came in broken;
        empty where all outputs are finite.
    """
    found: list[str] = []

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def look(_: nn.Module, __: object, output: object) -> None:
            if not found and isinstance(output, Tensor) and not _finite(output):
                found.append(f"the output of {name} is not finite")

        return module.register_forward_hook(look)

    if not _finite(task.images):
        found.append("the images are not finite")
    hooks = [watch(name, module) for name, module in model.named_modules() if name]
    try:
        for piece in task.slices(micro_batch):
            with engine.autocast():
                objective.measure(model, piece)
    finally:
        for hook in hooks:
            hook.remove()
    return next(filter(None, gather_texts("".join(found[:1]))), "")


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())

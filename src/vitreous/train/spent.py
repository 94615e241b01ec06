"""What a run has spent so far: floating-point operations and device-hours."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from vitreous.model.build import empty_model
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.cost import multiply_adds
from vitreous.model.recording import Recording
from vitreous.train.config import ParallelConfig
from vitreous.train.freeze import tune
from vitreous.train.schedule import Phase
from vitreous.train.tuning import TuningConfig

_EVERYTHING, _IN_ONE_PLACE = TuningConfig(), ParallelConfig()


def operations_of_training(
    config: ModelConfig,
    size: tuple[int, int],
    tuning: TuningConfig = _EVERYTHING,
    parallel: ParallelConfig = _IN_ONE_PLACE,
) -> int:
    """Floating-point operations of the products for one training image, there and back.

    PyTorch counts them over passes that compute nothing: about three forward passes of the whole
    model; less where parts are frozen, which need no gradient, and where patches are dropped; more
    where blocks are recomputed. All tokens go through all blocks, as `multiply_adds` counts.
    Branches that stochastic depth leaves out are counted, and so are the patches that an
    objective hides; its decoder or teacher is not.

    Args:
        config: The architecture.
        size: (H, W) of the image, pixels.
        tuning: What of it learns.
        parallel: Which blocks are recomputed.
    """
    if isinstance(config, ViTConfig):  # which images keep a branch is not known without numbers
        config = replace(config, stochastic_depth=0.0)
    model = empty_model(config).train()
    tune(model, tuning)
    images = torch.empty(2, config.channels, *size, device="meta")  # norms over images need two
    whole = Recording(tokens=[-1]) if config.attention_layers else None
    with FlopCounterMode(display=False) as counter:
        model(images, whole).sum().backward()
    operations = counter.get_total_flops() // len(images)
    every = parallel.activation_checkpointing
    if every and isinstance(config, ViTConfig):
        operations += config.depth // every * _block(config, size)
    return int(operations)


def _block(config: ViTConfig, size: tuple[int, int]) -> int:
    """Operations of one block's forward pass, with the patches that dropout leaves."""
    depths = (replace(config, depth=depth, patch_dropout=0.0) for depth in (2, 1))
    two, one = (2 * multiply_adds(deep, size) for deep in depths)
    h, w = config.grid_of(size)
    kept = max(h * w - round(config.patch_dropout * h * w), 1) if config.patch_dropout else h * w
    return (two - one) * (config.prefix + kept) // (config.prefix + h * w)


class Spent:
    """Counts by arithmetic, so that a resumed run's log goes on where it was.

    The paper's exaFLOPs are counted so (Table 6). Validation is left out.

    Args:
        model: Gives the cost of one image.
        phases: Of the run; the size of the images differs between them.
        batch_size: Images a step.
        devices: That work together.
        tuning: What of the model learns.
        parallel: Which blocks are recomputed.
    """

    def __init__(
        self,
        model: ModelConfig,
        phases: Sequence[Phase],
        batch_size: int,
        devices: int = 1,
        tuning: TuningConfig = _EVERYTHING,
        parallel: ParallelConfig = _IN_ONE_PLACE,
    ) -> None:
        sizes = {phase.size for phase in phases}
        per_image = {s: operations_of_training(model, s, tuning, parallel) for s in sizes}
        self._phases = [(phase, batch_size * per_image[phase.size]) for phase in phases]
        self._devices = devices

    def flops(self, step: int) -> float:
        """Operations of the first `step` steps."""
        return float(
            sum(cost * max(min(step, phase.stop) - phase.start, 0) for phase, cost in self._phases)
        )

    def device_hours(self, seconds: float) -> float:
        """Hours of all devices; the paper's core-days are 24 of them."""
        return seconds * self._devices / 3600

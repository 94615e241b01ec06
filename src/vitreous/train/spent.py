"""What a run has spent so far: floating-point operations and device-hours."""

from collections.abc import Sequence

from vitreous.model.config import ModelConfig
from vitreous.model.cost import multiply_adds
from vitreous.train.schedule import Phase


class Spent:
    """Counts by arithmetic, so that a resumed run's log goes on where it was.

    An image costs three forward passes of training: one forward, two backward; a multiply-add is
    two operations. The paper's exaFLOPs are counted so (Table 6); recomputed blocks, frozen layers
    and validation are left out.

    Args:
        model: Gives the cost of one image.
        phases: Of the run; the size of the images differs between them.
        batch_size: Images a step.
        devices: That work together.
    """

    def __init__(
        self, model: ModelConfig, phases: Sequence[Phase], batch_size: int, devices: int = 1
    ) -> None:
        sizes = {phase.size for phase in phases}
        per_image = {size: 6 * multiply_adds(model, size) for size in sizes}
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

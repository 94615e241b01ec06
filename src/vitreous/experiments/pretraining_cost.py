"""What the training of a checkpoint cost, in the units of the paper's Tables 2 and 6."""

from dataclasses import dataclass
from pathlib import Path

from vitreous.errors import UserError
from vitreous.train.config import TrainConfig
from vitreous.train.measure import read_history
from vitreous.train.run_folder import RunFolder

CORE_OPERATIONS = (4262e18 + 1567e18) / ((2500 + 680) * 86_400)
"""Floating-point operations that a core of TPUv3 sustains in the paper, a second: 2.12e13.

The operations of ViT-H/14 and ViT-L/16, 14 epochs of JFT-300M, in Table 6, over their core-days in
Table 2. It is 34 % of a core's peak in bfloat16 (123e12 a chip of two cores).
"""


def core_days(operations: float) -> float:
    """TPUv3-core-days of so many floating-point operations, at the rate of the paper's own runs."""
    return operations / CORE_OPERATIONS / 86_400


def rule_in_words() -> str:
    """The rule of `core_days`, for people."""
    return (
        f"1 TPUv3-core-day is {CORE_OPERATIONS * 86_400 / 1e18:.2f} exaFLOPs, the rate of "
        f"{CORE_OPERATIONS:.2g} operations a second that Table 6's exaFLOPs over Table 2's "
        "core-days give for ViT-H/14 and ViT-L/16 (34 % of a core's bfloat16 peak)"
    )


@dataclass(frozen=True)
class Spending:
    """The cost of a training, and of those that it began from.

    Attributes:
        device_hours: Hours of all devices together.
        operations: Floating-point operations, forward and backward.
        begun_from: Weights that it started from and whose own cost is not known here.
    """

    device_hours: float
    operations: float
    begun_from: str | None = None

    def to_dict(self) -> dict[str, float | str | None]:
        """Plain values, for JSON."""
        return {
            "device_hours": self.device_hours,
            "exaflops": self.operations / 1e18,
            "core_days": core_days(self.operations),
            "begun_from": self.begun_from,
        }


def spent_on(checkpoint: Path) -> Spending | None:
    """The cost of a checkpoint, from the log of its run.

    A run that began from another run's weights costs both.

    Args:
        checkpoint: A run folder, its `model.safetensors`, or any other checkpoint.

    Returns:
        None where there is no log: the file of somebody else.
    """
    hours = operations = 0.0
    seen: set[Path] = set()
    while True:
        place = checkpoint.resolve()
        if place in seen or (logged := _logged(checkpoint)) is None:
            break
        seen.add(place)
        config, last = logged
        hours += last["device_hours"]
        operations += last["flops"]
        if config.weights is None:
            return Spending(hours, operations)
        checkpoint = Path(config.weights)
    return Spending(hours, operations, str(checkpoint)) if seen else None


def _logged(checkpoint: Path) -> tuple[TrainConfig, dict[str, float]] | None:
    """The config of a run and the last line of its log that tells the cost."""
    run = RunFolder.of_model(checkpoint)
    try:
        if not run.is_begun:
            return None
        config = run.read_config()
    except UserError:  # of another version; the table is worth more than its cost
        return None
    lines = [line for line in read_history(run.metrics) if {"flops", "device_hours"} <= line.keys()]
    return (config, lines[-1]) if lines else None

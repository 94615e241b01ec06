"""Which of a trained model's weights a run moves."""

from dataclasses import dataclass
from typing import Literal, get_args

from vitreous.errors import UserError

TARGETS = ("qkv", "projection", "mlp")
"""Kernels that adapters may stand beside."""

Trained = Literal["all", "head", "last_blocks", "bias", "attention", "lora"]


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """What of a trained model goes on learning; the rest stays as it was loaded.

    Attributes:
        train: `all`; `head` alone; `last_blocks` with the norm and the head behind them; `bias`,
            all biases (arXiv 2106.10199); `attention`, its layers and the positions (arXiv
            2203.09795); or `lora`, low-rank adapters (arXiv 2106.09685) that are added to the
            kernels when the run ends. The head always learns.
        last_blocks: How many, counted from the head; a ResNet's stages.
        lora_rank: Columns of an adapter.
        lora_alpha: An adapter's product is scaled by alpha / rank.
        lora_targets: Kernels with adapters: any of `qkv`, `projection`, `mlp`.
    """

    train: Trained = "all"
    last_blocks: int = 1
    lora_rank: int = 8
    lora_alpha: float = 16.0
    lora_targets: tuple[str, ...] = ("qkv", "projection")

    def __post_init__(self) -> None:
        object.__setattr__(self, "lora_targets", tuple(self.lora_targets))
        if self.train not in get_args(Trained):
            raise UserError(
                f"tuning.train is {self.train!r}: choose {', '.join(get_args(Trained))}"
            )
        for name in ("last_blocks", "lora_rank"):
            if getattr(self, name) < 1:
                raise UserError(f"tuning.{name} is {getattr(self, name)}: give at least 1")
        if not self.lora_alpha > 0:
            raise UserError(f"tuning.lora_alpha is {self.lora_alpha}: give more than 0")
        if not self.lora_targets or not set(self.lora_targets) <= set(TARGETS):
            raise UserError(
                f"tuning.lora_targets is {','.join(self.lora_targets) or 'empty'}: give any of "
                f"{','.join(TARGETS)}"
            )

    @property
    def lora_scale(self) -> float:
        """What an adapter's product is multiplied by."""
        return self.lora_alpha / self.lora_rank

"""The best weights so far, on disk, and when a run has seen enough."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vitreous.durable import write_durably
from vitreous.errors import UserError

_SCORES = ("accuracy", "map", "colour_accuracy")


def name_score(measures: Container[str], part: str = "") -> str:
    """What results are held against one another by: a share, or the loss where there is none.

    Args:
        measures: Names of what was measured.
        part: What these begin with, such as `validation_`.
    """
    return next((part + name for name in _SCORES if part + name in measures), part + "loss")


def read_score(measures: Mapping[str, float], name: str) -> float:
    """The higher the better: the loss is turned round.

    Args:
        measures: By name.
        name: Of `name_score`.
    """
    return -measures[name] if name.endswith("loss") else measures[name]


@dataclass(frozen=True)
class Standing:
    """How the validations of a run have gone so far.

    Attributes:
        step: Of the first best one; None before any.
        score: Its score.
        since: Validations after it.
    """

    step: int | None = None
    score: float = float("-inf")
    since: int = 0


def standing(history: Sequence[Mapping[str, float]]) -> Standing:
    """Read the standing off the lines of a log, so that a resumed run has the same.

    Args:
        history: Lines of metrics.jsonl.
    """
    now = Standing()
    for line in history:
        name = name_score(line, "validation_")
        if name not in line:
            continue
        score = read_score(line, name)
        if score > now.score:
            now = Standing(int(line["step"]), score)
        else:
            now = Standing(now.step, now.score, now.since + 1)
    return now


class BestWeights:
    """The weights of the best validation: one file, named by its step.

    A new one is written before the state it belongs to, and the old one dropped only after: a cut
    at any moment leaves the one that the newest state's log speaks of.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Write, complete or not at all."""
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_durably(self._path(step), lambda aside: save_file(kept, aside))

    def keep_only(self, step: int) -> None:
        """Drop all others."""
        for path in self.folder.glob("best-*.safetensors"):
            if path != self._path(step):
                path.unlink(missing_ok=True)

    def read(self, step: int) -> dict[str, Tensor]:
        """The weights that were best at a step.

        Raises:
            UserError: The file is gone or was damaged.
        """
        path = self._path(step)
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} cannot be read ({error})") from error

    def _path(self, step: int) -> Path:
        return self.folder / f"best-{step:09}.safetensors"

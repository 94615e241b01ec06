"""What is measured: one kind of work on one model, in one way."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from vitreous.errors import UserError
from vitreous.parallel.device import Precision

Work = Literal["inference", "training", "default"]
Mode = Literal["eager", "compiled"]
Numbers = Literal["float32", "bfloat16", "int8", "float8"]
PRECISIONS: tuple[Numbers, ...] = get_args(Numbers)
MODES: tuple[Mode, ...] = get_args(Mode)
QUANTISED: tuple[Numbers, ...] = ("int8", "float8")
"""For inference, by `vitreous.optimize`."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """All subjects do this in turns, each in a process of its own.

    Attributes:
        work: `inference` is a forward pass; `training` a whole step of AdamW; `default` a forward
            pass as each package runs it when nothing is asked for, whatever its precision.
        model: A name, or the path of a checkpoint.
        precision: Of the products. For inference the weights are of it too; a training step has
            float32 weights under autocast. `int8` and `float8` are for inference, and ours alone:
            the others run in bfloat16 beside them.
        mode: `compiled` is `torch.compile(model)` for the others; for ours `vitreous.optimize` in
            inference, whatever it does on the device, and compiled blocks in training.
        batch: B, images.
        image_size: Side of the square images, pixels; the model's own where None.
        device: A name torch knows.
        threads: Of the CPU; PyTorch's choice where 0.
    """

    work: Work
    model: str
    precision: Numbers = "float32"
    mode: Mode = "eager"
    batch: int = 8
    image_size: int | None = None
    device: str = "cpu"
    threads: int = 0

    def __post_init__(self) -> None:
        for name, options in (
            ("work", get_args(Work)),
            ("precision", PRECISIONS),
            ("mode", MODES),
        ):
            if (value := getattr(self, name)) not in options:
                raise UserError(f"{name} {value!r}: choose {', '.join(options)}")
        for name, least in (("batch", 1), ("threads", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}: give at least {least}")
        if self.image_size is not None and self.image_size < 1:
            raise UserError(f"image_size is {self.image_size}: give at least 1")
        if self.precision in QUANTISED and self.work == "training":
            raise UserError(
                f"precision {self.precision!r} is for inference: give another for training"
            )

    @property
    def floating(self) -> Precision:
        """The precision of who is not quantised."""
        if self.precision == "int8" or self.precision == "float8":
            return "bfloat16"
        return self.precision

    @property
    def key(self) -> str:
        """One line that no other case has."""
        how = "" if self.work == "default" else f" {self.precision} {self.mode}"
        side = f" at {self.image_size}" if self.image_size else ""
        count = self.threads
        threads = f" on {count} thread{'s' * (count > 1)}" if count else ""
        return f"{self.work} {self.model}{side}{how} batch {self.batch} {self.device}{threads}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

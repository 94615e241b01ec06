"""Which cases there are, and how long they will take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch.nn import functional as F

from vitreous.bench.case import Case, Mode, Numbers, Work
from vitreous.errors import UserError
from vitreous.model.config import ModelConfig
from vitreous.model.cost import multiply_adds
from vitreous.model.dense import kernel_has
from vitreous.model.variants import variant_config
from vitreous.parallel.device import Precision

TASKS = ("inference", "training", "default", "growth")
"""`growth` is inference over image sizes, batches and models, for the curves."""

_SIZES = (128, 192, 256, 384, 512, 768, 1024)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)

# Of an estimate: seconds of a process until it measures, and of one subject's building and its
# compilation; and the share of the bare products' rate at which a whole model runs.
_START, _BUILD, _COMPILE, _SHARE = 12.0, 2.0, 60.0, 0.7
_WARM_UP = 5  # calls before the rounds


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What shall be measured; empty fields are chosen by the machine.

    Attributes:
        tasks: Of `TASKS`.
        models: Names or checkpoints.
        precisions: Of the products.
        modes: Eager, compiled.
        batches: Images at once.
        image_size: Side, pixels; the models' own where None.
        device: A name torch knows.
        threads: Of the CPU; PyTorch's choice where 0.
        quick: Fewer of what is empty: ViT-B/16 at batch 8, eager.
    """

    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    precisions: tuple[Numbers, ...] = ()
    modes: tuple[Mode, ...] = ()
    batches: tuple[int, ...] = ()
    image_size: int | None = None
    device: str = "cpu"
    threads: int = 0
    quick: bool = False

    def cases(self) -> list[Case]:
        """All of them, each once.

        Raises:
            UserError: A task, precision or mode that is not there, or a count under 1.
        """
        for task in self.tasks:
            if task not in TASKS:
                raise UserError(f"task {task!r}: choose {', '.join(TASKS)}")
        tasks = self.tasks or (("inference", "default") if self.quick else TASKS)
        models = self.models or self._usual_models()
        precisions = self.precisions or self._usual_precisions()
        cases: list[Case] = []
        for task in tasks:
            if task == "default":
                cases += [
                    self._case(work="default", model=model, batch=batch)
                    for model in models
                    for batch in self.batches or ((8,) if self.quick else (1, 8))
                ]
            elif task == "growth":
                cases += self._growth(models, precisions[-1])
            else:
                cases += self._table("training" if task == "training" else "inference", models)
        return list(dict.fromkeys(cases))

    def _usual_models(self) -> tuple[str, ...]:
        if self.quick:
            return ("ViT-B/16",)
        sizes = ("ViT-Ti/16", "ViT-S/16", "ViT-B/16", "ViT-L/16")
        return sizes if self._on_cpu else (*sizes, "ViT-H/14")

    def _usual_precisions(self) -> tuple[Numbers, ...]:
        """Without products of its own in bfloat16 a CPU takes a hundred times as long."""
        if self._on_cpu and not kernel_has(torch.bfloat16):
            return ("float32",)
        return ("float32", "bfloat16")

    @property
    def _on_cpu(self) -> bool:
        return torch.device(self.device).type == "cpu"

    def _case(
        self,
        work: Work,
        model: str,
        batch: int,
        precision: Numbers = "float32",
        mode: Mode = "eager",
        image_size: int | None = None,
    ) -> Case:
        return Case(
            work=work,
            model=model,
            precision=precision,
            mode=mode,
            batch=batch,
            image_size=image_size or self.image_size,
            device=self.device,
            threads=self.threads,
        )

    def _table(self, work: Work, models: Sequence[str]) -> list[Case]:
        precisions = self.precisions or self._usual_precisions()
        modes: tuple[Mode, ...] = self.modes or (
            ("eager",) if self.quick else ("eager", "compiled")
        )
        batches = self.batches
        if not batches and work == "training":
            batches = (16,) if self._on_cpu else (64, 256)
        if not batches:
            batches = (1, 8, 64) if self._on_cpu else (1, 8, 64, 256)
            batches = (8,) if self.quick else batches
        return [
            self._case(work, model, batch, precision, mode)
            for model in models
            for precision in precisions
            for mode in modes
            for batch in batches
        ]

    def _growth(self, models: Sequence[str], precision: Numbers) -> list[Case]:
        middle = "ViT-B/16" if "ViT-B/16" in models else models[-1]
        step = _architecture(middle).side_step
        sides = [round(side / step) * step for side in _SIZES]
        few, most = (4, 64) if self._on_cpu else (16, 256)
        more = () if self._on_cpu else (128, 256)
        return [
            *(self._case("inference", middle, few, precision, image_size=side) for side in sides),
            *(
                self._case("inference", middle, batch, precision)
                for batch in (*_BATCHES, *more)
                if batch <= most
            ),
            *(self._case("inference", model, 8, precision) for model in models),
        ]


def is_checkpoint(model: str) -> bool:
    """Whether a case's model is a file, a folder or an address and not a name."""
    return model.startswith("hf:") or Path(model).exists()


def config_of(case: Case) -> ModelConfig:
    """The architecture at the case's image size; of a checkpoint, what its passport says.

    Raises:
        UserError: Neither a name nor a file, or a size that the model cannot have.
    """
    config = _architecture(case.model)
    if case.image_size is None:
        return config
    return replace(config, image_size=(case.image_size, case.image_size))


def _architecture(model: str) -> ModelConfig:
    if is_checkpoint(model):
        from vitreous.weights.load import read_passport

        return read_passport(model).architecture
    return variant_config(model)


def estimate(
    case: Case,
    subjects: int,
    rounds: int,
    rate: Callable[[Precision, str], float] | None = None,
) -> float:
    """Seconds that a case will take, roughly.

    Args:
        case: To be measured.
        subjects: How many take part, at most.
        rounds: Turns of each.
        rate: Operations a second of products; measured here where None.
    """
    operations = 2 * multiply_adds(config_of(case))
    work = 3 if case.work == "training" else 1
    reached = _SHARE * (rate or product_rate)(case.floating, case.device)
    call = case.batch * work * operations / reached
    each = _BUILD + max(call, 0.1) * rounds + call * _WARM_UP
    if case.mode == "compiled":
        each += _COMPILE * work
    return _START * (subjects + 2) + subjects * each  # the products and the umpire begin too


@cache
def product_rate(precision: Precision, device: str) -> float:
    """Operations a second of one product of ViT-B's size, the best of a few.

    On a CPU by processor time, shared out to all threads: what a quiet machine would reach.
    """
    dtype = getattr(torch, precision)
    rows = torch.ones(1576, 768, dtype=dtype, device=device)
    weight = torch.ones(3072, 768, dtype=dtype, device=device)
    on_cpu = torch.device(device).type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    best = float("inf")
    for _ in range(7):
        begin = clock()
        float(F.linear(rows, weight)[0, 0])  # waits for the device
        best = min(best, clock() - begin)
    return 2 * rows.numel() * len(weight) / best * (torch.get_num_threads() if on_cpu else 1)

"""One case in a process of its own: `python -m vitreous.bench.worker RESULT`, the request on stdin.

What it is doing is told on stderr, in lines that begin with `MARK`.
"""

import json
import math
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.bench.case import Case
from vitreous.bench.limits import bare_products, memory_bandwidth
from vitreous.bench.machine import machine, software
from vitreous.bench.measure import interleave
from vitreous.bench.memory import recorded_memory, working_memory
from vitreous.bench.plan import is_checkpoint
from vitreous.bench.roster import build_subject, version_of
from vitreous.bench.subject import LeftOutError, Subject, randomise
from vitreous.bench.work import Job, prepare
from vitreous.data.batch import normalise
from vitreous.durable import write_text
from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.classifier import Classifier
from vitreous.model.cost import multiply_adds
from vitreous.model.variants import variant_config
from vitreous.parallel.device import Engine
from vitreous.weights.passport import passport_of

MARK = "bench: "
PRODUCTS = "bare products"
"""The name under which the machine's matrix rate takes its turn among the subjects."""

_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "int8": 0.2, "float8": 0.2}
"""Largest difference of logits, as a share of the largest logit."""

_LEAST_SECONDS = 0.1  # of a round: below it the clock and other programs say too much
_COMPARED = 4  # images


def main() -> None:
    """Read the request, measure, write the result."""
    with suppress(OSError):  # short of memory, this process goes and not the one that reports
        Path("/proc/self/oom_score_adj").write_text("1000")
    warnings.simplefilter("ignore")
    request = json.loads(sys.stdin.read())
    result = measure(Case(**request["case"]), request["subjects"], request["rounds"])
    write_text(Path(sys.argv[1]), json.dumps(result))


def measure(case: Case, names: list[str], rounds: int) -> dict[str, Any]:
    """Build, compare, time.

    Args:
        case: What to do.
        names: Subjects, in the order of their turns.
        rounds: How many turns each has.

    Returns:
        A dictionary that `json.dumps` takes: what `heading` says;
        `flops` of one image's forward pass, `weights_bytes`, `bandwidth` (bytes a second);
        `products`, the bare ones' `flops` and seconds by round, or None;
        and `subjects`, by name: seconds by round, memory in bytes, the difference of logits; or
        `left_out`, and why.

    Raises:
        UserError: The case's model cannot be made.
    """
    threads, device = torch.get_num_threads(), torch.device(case.device)
    # Clocks, memory and compilers ask the current GPU.
    current = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    # Where float32 is asked for, nobody has TF32; unasked, each has what comes of it.
    engine = Engine(device, case.floating, "as asked")
    exact = engine.exact() if case.work != "default" else nullcontext()
    try:
        if case.threads:
            torch.set_num_threads(case.threads)
        with current, exact:
            return _measure(case, names, rounds)
    finally:
        torch.set_num_threads(threads)


def _measure(case: Case, names: list[str], rounds: int) -> dict[str, Any]:
    model = build_model(case)
    config = model.config
    height, width = config.image_size
    generator = torch.Generator().manual_seed(1)
    shape = (case.batch, config.channels, height, width)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    images = normalise(pixels, passport_of(model).preprocessing)
    reference = answer(model, images)
    result = {
        **heading(case, names, rounds),
        "parameters": sum(p.numel() for p in model.parameters()),
        "flops": 2 * multiply_adds(config),
        "pixels": height * width,
        "bandwidth": memory_bandwidth(case.device),
        "products": None,
        "subjects": {},
    }
    pixels, images = pixels.to(case.device), images.to(case.device)
    jobs: dict[str, Job] = {}
    for name in names:
        tell(f"making {name} ready")
        try:
            jobs[name], said = make_ready(name, model, case, pixels, images, reference)
        except LeftOutError as reason:
            said = {"left_out": str(reason)}
        except (UserError, RuntimeError, MemoryError, torch.OutOfMemoryError) as error:
            said = {"left_out": _one_line(error)}
        result["subjects"][name] = said
    del model
    runs = {name: job.run for name, job in jobs.items()}
    dtype = getattr(torch, case.floating)
    products = bare_products(config, case.batch, dtype, case.device)
    if products is not None:
        runs[PRODUCTS] = products.run  # type: ignore[assignment]
    tell("timing 0%")
    timings = interleave(
        runs,
        rounds,
        device=case.device,
        least_seconds=_LEAST_SECONDS,
        told=lambda share: tell(f"timing {share:.0%}"),
    )
    if products is not None:
        result["products"] = {"flops": products.operations} | asdict(timings.pop(PRODUCTS))
    for name, timing in timings.items():
        result["subjects"][name] |= asdict(timing)
    return result


def heading(case: Case, names: Sequence[str], rounds: int) -> dict[str, Any]:
    """What is kept of a case whatever comes of it: what was asked for, where, when and of whom.

    Args:
        case: What to do.
        names: Subjects; `packages` has the version of each, None where it is not installed.
        rounds: How many turns each has.
    """
    return {
        "case": case.to_dict(),
        "where": machine(case.device, case.threads),
        "software": software(),
        "packages": {name: version_of(name) for name in names},
        "date": str(date.today()),
        "rounds": rounds,
    }


def build_model(case: Case) -> Classifier:
    """The model whose weights all have: a checkpoint's, or random ones of a named variant.

    A named one has the exact GELU, which all packages have.
    """
    torch.manual_seed(0)
    if is_checkpoint(case.model):
        from vitreous.weights.load import load

        return load(case.model, image_size=case.image_size)
    side = {} if case.image_size is None else {"image_size": case.image_size}
    config = variant_config(case.model, **side)
    if config.kind == "vit":
        config = variant_config(case.model, activation="gelu", **side)
    return randomise(create_model(config))


@torch.inference_mode()
def answer(model: Classifier, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "b K"]:
    """Plain float32 logits of the first few images, where model and images are."""
    logits: Tensor = model(images[:_COMPARED])
    return logits


def make_ready(
    name: str, model: Classifier, case: Case, pixels: Tensor, images: Tensor, reference: Tensor
) -> tuple[Job, dict[str, Any]]:
    """Build a subject, compare it with ours, and put it to its work once.

    Raises:
        LeftOutError: It cannot take part, or gives other logits.
    """
    begin, others = time.perf_counter(), recorded_memory(case.device)
    subject = build_subject(name, model)
    expected = reference if subject.twin is None else answer(subject.twin, images.cpu())
    same_weights = subject.twin is None
    subject = Subject(subject.version, subject.model, subject.answer)  # the twin may go
    difference = None
    if case.work == "training":
        # A step gives no logits: what it trains is compared before.
        engine = Engine(torch.device(case.device), "float32", "as its answer is")
        moved = subject.model.to(case.device).eval()  # not in inference mode: it will train
        with torch.inference_mode(), engine.autocast():
            logits = subject.answer(moved, images[:_COMPARED])
        difference = _compare(logits, expected, "float32")
    job = prepare(subject, case, pixels, images, reference.shape[1])
    built = time.perf_counter()
    first = job.run()
    if difference is None:
        difference = _compare(first[:_COMPARED], expected, job.precision)
    elif not math.isfinite(float(first)):
        raise LeftOutError("its loss is not finite")
    ready = time.perf_counter()
    job.run()
    working = working_memory(job.run, case.device)
    held = job.held() + recorded_memory(case.device) - others
    return job, {
        "version": subject.version,
        "precision": job.precision,
        "same_weights": same_weights,
        "difference": difference,
        "build_seconds": built - begin,
        "first_call_seconds": ready - built,
        "held_bytes": held,
        "peak_bytes": None if working is None else held + working,
    }


def _compare(logits: Tensor, expected: Tensor, precision: str) -> float:
    """Largest difference, as a share of the largest logit.

    Raises:
        LeftOutError: It is more than the precision explains.
    """
    found = (logits.float().cpu() - expected).abs().max() / expected.abs().max().clamp(min=1e-9)
    if not float(found) <= _TOLERANCE[precision]:
        raise LeftOutError(f"gives other logits: {float(found):.1e} of the largest")
    return float(found)


def tell(words: str) -> None:
    """Say what is being done to whoever started this process."""
    print(f"{MARK}{words}", file=sys.stderr, flush=True)


def _one_line(error: BaseException) -> str:
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
        return "out of memory"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


if __name__ == "__main__":
    main()

"""A subject made ready: built with the case's weights, compared, and put to its work once."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.bench.case import Case
from vitreous.bench.limits import bare_products
from vitreous.bench.memory import recorded_memory, working_memory
from vitreous.bench.plan import config_of, is_checkpoint
from vitreous.bench.roster import build_subject
from vitreous.bench.subject import LeftOutError, Subject, randomise
from vitreous.bench.work import Job, prepare
from vitreous.data.batch import normalise
from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.classifier import Classifier
from vitreous.model.variants import variant_config
from vitreous.parallel.device import Engine
from vitreous.weights.passport import passport_of

PRODUCTS = "bare products"
"""The name under which the machine's matrix rate takes its turn among the subjects."""
NO_PRODUCTS = "it mostly convolves"
"""Why a model has none."""

_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "int8": 0.2, "float8": 0.2}
"""Largest difference of logits, as a share of the largest logit."""

_COMPARED = 4  # images


@contextmanager
def conditions(case: Case) -> Iterator[None]:
    """What a case asks of the process that runs it: threads, the device, TF32."""
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
            yield
    finally:
        torch.set_num_threads(threads)


def enter(name: str, case: Case) -> tuple[Job, dict[str, Any]]:
    """Make a subject, or the bare products of the case's model, ready to be timed.

    Args:
        name: Of a subject, or `PRODUCTS`.
        case: What it shall do, under its conditions.

    Returns:
        Its work, and what is told of it.

    Raises:
        LeftOutError: It cannot take part, or gives other logits.
        UserError: The case's model cannot be made.
    """
    if name == PRODUCTS:
        dtype = getattr(torch, case.floating)
        products = bare_products(config_of(case), case.batch, dtype, case.device)
        if products is None:
            raise LeftOutError(NO_PRODUCTS)
        return Job(products.run, lambda: 0, case.floating), {"flops": products.operations}
    model = build_model(case)
    config = model.config
    height, width = config.image_size
    generator = torch.Generator().manual_seed(1)
    shape = (case.batch, config.channels, height, width)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    images = normalise(pixels, passport_of(model).preprocessing)
    reference = answer(model, images)
    pixels, images = pixels.to(case.device), images.to(case.device)
    try:
        return make_ready(name, model, case, pixels, images, reference)
    except UserError as error:  # a precision or way that is not to be had here
        raise LeftOutError(str(error)) from error


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
    begin = time.perf_counter()
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
        # Unasked, a GPU's convolutions may read float32 as TF32.
        rounded = case.work == "default" and torch.device(case.device).type == "cuda"
        precision = "bfloat16" if rounded else job.precision
        difference = _compare(first[:_COMPARED], expected, precision)
    elif not math.isfinite(float(first)):
        raise LeftOutError("its loss is not finite")
    ready = time.perf_counter()
    job.run()
    working = working_memory(job.run, case.device)
    held = job.held() + recorded_memory(case.device)
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

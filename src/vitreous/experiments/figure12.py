"""Figure 12: speed, and the largest batch, against the size of the images."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitreous.experiments.experiment import Experiment, Scale, ScaleName, Setting
from vitreous.experiments.finding import Finding
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

SIZES = (64, 128, 224, 384, 512)
"""Sides of the images, pixels, as in the paper."""
_MODELS: Mapping[ScaleName, tuple[str, ...]] = {
    "pocket": ("ViT-B/32", "ViT-B/16", "BiT-R50x1"),
    "lab": (
        "BiT-R50x1", "BiT-R50x2", "BiT-R152x4",
        "ViT-B/32", "ViT-B/16", "ViT-L/32", "ViT-L/16", "ViT-H/14",
    ),
}  # fmt: skip
_BATCHES = {"cpu": (1,), "cuda": (1, 8, 64, 256, 1024)}
_SPEED, _LARGEST = "images/s at {}", "largest batch at {}"
_SECONDS, _LIMIT = 1.0, 1 << 16


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeedTrial(Trial):
    """Inference speed of one model at one size, the best over several batch sizes.

    Attributes:
        row: The variant.
        side: Of the images, pixels; the nearest that the patch divides is taken.
    """

    side: int

    @property
    def key(self) -> dict[str, Any]:
        """The variant, the size and the machine, which decides all."""
        import platform

        import torch

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
        machine = [platform.node(), platform.machine(), gpu, torch.get_num_threads()]
        return {"kind": "speed", "variant": self.row, "side": self.side, "machine": machine}

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Time whole passes; on a GPU find the largest batch too, by doubling.

        What does not fit into the memory one image at a time has no value.
        """
        import torch

        from vitreous.model.build import create_model
        from vitreous.model.config import ViTConfig
        from vitreous.model.variants import variant_config
        from vitreous.parallel.device import choose_engine

        engine = choose_engine("auto", "auto")
        config = variant_config(self.row)
        step = config.side_step if isinstance(config, ViTConfig) else 1
        side = max(round(self.side / step), 1) * step
        config = variant_config(self.row, image_size=(side, side))
        model = create_model(config).to(engine.device).eval()

        def images(batch: int) -> "Tensor":
            return torch.zeros(batch, 3, side, side, device=engine.device)

        speeds = {}
        for batch in _BATCHES[engine.device.type]:
            try:
                with engine.autocast():
                    speeds[batch] = batch / _pass_seconds(model, images(batch))
            except torch.OutOfMemoryError:
                break
        facts = {"side": side, "precision": engine.precision}
        if not speeds:
            return Outcome({}, facts=facts)
        best = max(speeds, key=speeds.__getitem__)
        values = {_SPEED.format(self.side): speeds[best]}
        if engine.device.type == "cuda":
            with engine.autocast():
                values[_LARGEST.format(self.side)] = float(_largest(model, images))
        return Outcome(values, facts=facts | {"batch": best})


def _pass_seconds(model: "nn.Module", images: "Tensor") -> float:
    """Median of passes over about a second, after one to warm up."""
    import torch

    seconds = list[float]()
    with torch.inference_mode():
        model(images)
        while sum(seconds) < _SECONDS and len(seconds) < 50 or len(seconds) < 3:
            _settle(images)
            begin = time.perf_counter()
            model(images)
            _settle(images)
            seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def _settle(images: "Tensor") -> None:
    import torch

    if images.device.type == "cuda":
        torch.cuda.synchronize()


def _largest(model: "nn.Module", images: "Callable[[int], Tensor]") -> int:
    """The largest power of two of images whose pass fits into the GPU's memory."""
    import torch

    batch = 0
    trial = 1
    while trial <= _LIMIT:
        try:
            with torch.inference_mode():
                model(images(trial))
        except torch.OutOfMemoryError:
            break
        finally:
            torch.cuda.empty_cache()
        batch, trial = trial, 2 * trial
    return batch


def _trials(setting: Setting) -> Sequence[Trial]:
    return [SpeedTrial(row=name, side=side) for name in _MODELS[setting.scale] for side in SIZES]


def curve(results: Results, row: str, form: str) -> list[tuple[int, float]]:
    """(side, value) of a row's columns of one kind; the side is the one that was run."""
    places = [(row, form.format(side)) for side in SIZES]
    return [
        (results[place].facts[0]["side"], results[place].mean)
        for place in places
        if place in results
    ]


def _findings(results: Results) -> Sequence[Finding]:
    found = []
    for row in results.rows:
        if row.startswith("ViT"):
            found.append(_growth(row, curve(results, row, _SPEED)))
    found.append(_memory(results))
    return found


def _growth(row: str, points: Sequence[tuple[int, float]]) -> Finding:
    claim = f"{row}: the cost that grows with the square of the tokens hardly shows"
    if len(points) < 2:
        return Finding(claim, "not shown", "fewer than two sizes fit into this machine's memory")
    (small, fast), (large, slow) = points[-2:]
    # Speed goes as pixels to the minus one, or minus two where attention were all.
    power = log(fast / slow) / log((large / small) ** 2)
    return Finding(
        claim,
        "holds" if power < 1.5 else "does not hold",
        f"from {small} to {large} pixels a side the time an image goes as its pixels to the power "
        f"{power:.2f}; attention alone would make it 2",
    )


def _memory(results: Results) -> Finding:
    claim = "a large ViT holds larger batches than a ResNet of like speed"
    at = _LARGEST.format(224)
    pair = ("ViT-L/16", "BiT-R152x4")
    if any((row, at) not in results for row in pair):
        return Finding(claim, "not shown", "the largest batch is found on a GPU, at --scale lab")
    vit, resnet = (results[row, at].mean for row in pair)
    why = f"at 224 pixels {pair[0]} holds {vit:,.0f} images and {pair[1]} {resnet:,.0f}"
    return Finding(claim, "holds" if vit > resnet else "does not hold", why)


def _draw(results: Results) -> "Figure":
    from vitreous.report.paper_figures import against_size

    panels = {
        name: {row: points for row in results.rows if (points := curve(results, row, form))}
        for name, form in (("images a second", _SPEED), ("largest batch", _LARGEST))
    }
    drawn = {name: rows for name, rows in panels.items() if rows}
    return against_size("Speed and largest batch" if len(drawn) > 1 else "Speed", drawn)


EXPERIMENT = Experiment(
    name="figure12",
    title="inference speed, and the largest batch, against image size",
    source="Figure 12, appendix D.5",
    published_as="drawn and not printed: images/s a TPUv3 core, best over batch sizes",
    form={"": ",.3g"},
    scales={
        "pocket": Scale(
            what="images a second on this machine: one at a time on its CPU, or on its GPU, where "
            "it has one, as at --scale lab",
            minutes=4,
            seeds=1,
        ),
        "lab": Scale(
            what="images a second on this machine's GPU, the best over batch sizes, and the "
            "largest batch, a power of two, that fits into its memory",
            minutes=10,
            seeds=1,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    timed=True,
)

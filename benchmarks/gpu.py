"""Speed on a GPU: each subject in a process of its own, all compiled at once, timed in turns.

    python benchmarks/gpu.py --out FOLDER --models ViT-B/16 ViT-L/16

`vitreous bench` compiles one subject after the other, a minute each, while a lent GPU waits. Here
they compile side by side, and then take turns (A B A B) with nothing else running.
"""

import argparse
import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import torch

from vitreous.bench.case import Case
from vitreous.bench.entrant import answer, build_model, make_ready
from vitreous.bench.limits import bare_products
from vitreous.bench.machine import machine, software
from vitreous.data.batch import normalise
from vitreous.model.cost import multiply_adds
from vitreous.model.variants import variant_config
from vitreous.weights.passport import passport_of

PRODUCTS = "bare products"
_ROUND_SECONDS = 0.15


@dataclass
class Entry:
    """A subject at one case, in its process.

    Attributes:
        case: What it does.
        subject: Who.
        process: Where.
        said: What it measured beside its time.
        seconds: Of a call, by round.
    """

    case: Case
    subject: str
    process: "subprocess.Popen[str]"
    said: dict[str, Any] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def group(self) -> tuple[str, str, int]:
        """Those who take turns with one another."""
        return self.case.work, self.case.model, self.case.batch

    @property
    def label(self) -> str:
        """Who, and how where that is not bfloat16."""
        own = self.case.precision
        return self.subject if own == "bfloat16" else f"{self.subject} {own}"

    def ask(self, words: str) -> dict[str, Any]:
        """One line to the process, one from it."""
        assert self.process.stdin is not None
        try:
            print(words, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return {"left_out": "its process has ended"}
        return self.hear()

    def hear(self, patience: float = 60.0) -> dict[str, Any]:
        """One line from the process, which is ended if none comes for so many seconds."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], max(patience, 0))[0]:
            self.process.kill()
            return {"left_out": "took too long"}
        line = self.process.stdout.readline()
        return json.loads(line) if line.strip() else {"left_out": "its process has ended"}


def start(case: Case, subject: str, file: str = __file__) -> Entry:
    """Begin to build and compile; `Entry.hear` waits for the end of that."""
    request = json.dumps({"case": case.to_dict(), "subject": subject})
    pipe = subprocess.PIPE
    command = [sys.executable, file, "--child", request]
    return Entry(case, subject, subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))


def child(request: str) -> None:
    """Build, say so, and take a turn whenever asked to."""
    asked = json.loads(request)
    case, name = Case(**asked["case"]), asked["subject"]
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        run, said = _made(case, name)
        run()
        torch.cuda.synchronize()
    except Exception as error:
        print(json.dumps({"left_out": f"{type(error).__name__}: {error}"[:400]}), file=out)
        return
    torch.cuda.empty_cache()
    print(json.dumps(said), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(_profile(run) if "profile" in line else _turn(run)), file=out, flush=True)
        torch.cuda.empty_cache()


def _made(case: Case, name: str) -> Any:
    torch.manual_seed(0)
    if name == PRODUCTS:
        products = bare_products(
            variant_config(case.model), case.batch, getattr(torch, case.floating), case.device
        )
        assert products is not None
        return products.run, {"operations": products.operations}
    model = build_model(case)
    shape = (case.batch, 3, *model.config.image_size)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    images = normalise(pixels, passport_of(model).preprocessing)
    on_gpu = (pixels.to(case.device), images.to(case.device))
    reference = answer(model.to(case.device), on_gpu[1]).cpu()
    model.cpu()
    job, said = make_ready(name, model, case, *on_gpu, reference)
    return job.run, said


def _turn(run: Any) -> dict[str, float]:
    alone = _timed(run, 2)
    calls = max(3, round(_ROUND_SECONDS / alone))
    return {"seconds": _timed(run, calls)}


def _timed(run: Any, calls: int) -> float:
    run()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    for _ in range(calls):
        run()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1000 / calls


def _profile(run: Any) -> dict[str, str]:
    from torch.profiler import ProfilerActivity, profile

    run()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        run()
        torch.cuda.synchronize()
    on_gpu = torch.autograd.DeviceType.CUDA
    kernels = [
        event
        for event in seen.key_averages()
        # The range of an optimiser's step counts its kernels once more.
        if event.device_type == on_gpu and not event.key.startswith("Optimizer.step#")
    ]
    kernels.sort(key=lambda event: -event.self_device_time_total)
    whole = sum(event.self_device_time_total for event in kernels)
    rows = [
        f"{event.self_device_time_total / 1e3:9.3f} ms {event.self_device_time_total / whole:6.1%}"
        f" {event.count:5} x  {event.key[:110]}"
        for event in kernels[:24]
    ]
    return {"table": "\n".join([f"{whole / 1e3:9.3f} ms in kernels", *rows, ""])}


def measure(
    entries: Sequence[Entry], rounds: int, folder: Path, profiled: bool, patience: float = 600.0
) -> None:
    """Wait for all, let those of a group take turns, write what was seen."""
    begin = time.perf_counter()
    for entry in entries:
        entry.said = entry.hear(patience - (time.perf_counter() - begin))
        state = entry.said.get("left_out", "ready")
        print(
            f"{time.perf_counter() - begin:5.0f} s  {entry.case.key}  {entry.subject}: {state}",
            flush=True,
        )
    ready = [entry for entry in entries if "left_out" not in entry.said]
    results = []
    for key in dict.fromkeys(entry.group for entry in ready):
        group = [entry for entry in ready if entry.group == key]
        for number in range(rounds + 1):
            for entry in group:
                seconds = entry.ask("turn").get("seconds", float("nan"))
                if number:  # the first round warms up
                    entry.seconds.append(seconds)
        results.append(_summary(group))
        print(_words(results[-1]), flush=True)
    for entry in ready if profiled else ():
        if entry.subject != PRODUCTS:
            said = entry.ask("profile")
            name = f"{entry.case.work}-{entry.case.model}-{entry.label}"
            file = folder / f"{name.replace('/', '_').replace(' ', '_').replace(':', '_')}.txt"
            file.write_text(said.get("table", str(said)))
    for entry in entries:
        entry.process.kill()
    about = {"where": machine("cuda"), "software": software(), "date": str(date.today())}
    (folder / "gpu.json").write_text(json.dumps(about | {"cases": results}, indent=1) + "\n")


def _summary(group: Sequence[Entry]) -> dict[str, Any]:
    case = group[0].case
    operations = 2 * multiply_adds(variant_config(case.model)) * case.batch
    operations *= 3 if case.work == "training" else 1
    return {
        "case": case.to_dict(),
        "operations": operations,
        "subjects": {entry.label: entry.said | {"seconds": entry.seconds} for entry in group},
    }


def _words(result: dict[str, Any]) -> str:
    """One line a subject: images a second, TFLOP/s, and its time as a multiple of ours."""
    case, subjects = Case(**result["case"]), result["subjects"]
    ours = subjects.get("vitreous")
    lines = [case.key]
    for name, said in subjects.items():
        seconds = said["seconds"]
        middle = statistics.median(seconds)
        work = said.get("operations", result["operations"])
        line = f"  {name:24} {middle * 1e3:8.2f} ms  {work / middle / 1e12:6.0f} TFLOP/s"
        if name != PRODUCTS:
            line += f"  {case.batch / middle:7.0f} images/s"
        if ours is not None:
            pairs = zip(seconds, ours["seconds"], strict=True)
            line += f"  {statistics.median(a / b for a, b in pairs):.3f} x ours"
        if said.get("difference") is not None:
            line += f"  off {said['difference']:.1e}"
        if said.get("peak_bytes"):
            line += f"  {said['peak_bytes'] / 2**30:.1f} GiB"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """The cases of the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where results go")
    parser.add_argument("--models", nargs="+", default=["ViT-B/16", "ViT-L/16"])
    parser.add_argument("--work", nargs="+", default=["inference", "float8", "training"])
    parser.add_argument("--peers", nargs="+", default=["timm"])
    parser.add_argument("--batch", type=int, default=256, help="images, inference")
    parser.add_argument("--training-batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--patience", type=float, default=600.0, help="seconds to be ready")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.child:
        return child(options.child)
    if options.out is None:
        parser.error("give --out FOLDER")
    if not torch.cuda.is_available():
        parser.error("this needs a CUDA GPU: on a CPU, vitreous bench measures")
    options.out.mkdir(parents=True, exist_ok=True)
    entries = []
    for model in options.models:
        for work in options.work:
            training = work == "training"
            case = Case(
                work="training" if training else "inference",
                model=model,
                precision="float8" if work == "float8" else "bfloat16",
                mode="compiled",
                batch=options.training_batch if training else options.batch,
                device="cuda",
            )
            others = [] if work == "float8" else [*options.peers, PRODUCTS]
            entries += [start(case, subject) for subject in ["vitreous", *others]]
    measure(entries, options.rounds, options.out, options.profile, options.patience)


if __name__ == "__main__":
    main()

"""Where something was measured."""

import platform
import subprocess
from datetime import date
from pathlib import Path

import torch


def where(device: str = "cpu") -> str:
    """Machine, date, versions and commit, in one line."""
    return f"{machine(device)}; {date.today()}; {software()}"


def machine(device: str = "cpu", threads: int = 0) -> str:
    """Processor or GPU, and threads: PyTorch's own choice where 0."""
    chosen = torch.device(device)
    if chosen.type == "cuda":
        return f"{torch.cuda.get_device_name(chosen)} (CUDA {torch.version.cuda})"
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    processor = f"{len(models)} x {models[0]}" if models else platform.processor()
    count = threads or torch.get_num_threads()
    threaded = f"{count} thread{'s' * (count > 1)}"
    return f"{processor} ({torch.backends.cpu.get_cpu_capability()}), {threaded}"


def software() -> str:
    """PyTorch, Python and the commit, which `+` says is changed."""
    return f"PyTorch {torch.__version__}, Python {platform.python_version()}; commit {_commit()}"


def _commit() -> str:
    """Of the checkout that this file is in; `unknown` where it was installed otherwise."""
    folder = Path(__file__).parent
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (
                ["rev-parse", "--short", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no", "--", str(folder.parent)],
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + "+" * bool(changes)

"""Mutated inputs against decoders, sources, checkpoint readers and the explorer.

  python tests/fuzz/campaign.py --minutes 10
  python tests/fuzz/campaign.py --inputs 20000 --out findings/

Each kind is read in processes of their own, which may take 10 seconds and 1.5 GiB for an input.
What ends a process, hangs, takes more or raises anything but this package's own errors is a
finding: it is written to OUT, and the exit code is 1.
"""

import argparse
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mutate import mutate

SECONDS, MEMORY = 10.0, 1536 * 2**20
HTTP = "http"
_REQUESTS = (
    b"GET /api/subjects HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/subjects/0/positions/3 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
    b"POST /api/subjects/0/looks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nP6 1 ",
    b"POST /api/subjects/0/looks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\n\r\n",
    b"POST /api/subjects/0/looks/x/masked HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n"
    b'\r\n{"patches": [1]}',
)


def main() -> int:
    """Read inputs until the time or their number is up, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--inputs", type=int, default=sys.maxsize, help="in all")
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        return work(asked)
    first, findings, until = 0, 0, time.time() + 60 * asked.minutes
    kinds: list[str] = []
    while first < asked.inputs and time.time() < until:
        first, finding, kinds = campaign(first, until - time.time(), asked)
        findings += finding
    total: Counter[str] = Counter()
    for place, kind in enumerate(kinds):
        total[kind.split()[0]] += max(0, first - place + len(kinds) - 1) // len(kinds)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in total.items())
    print(f"{first:,} inputs ({listed}): {findings} findings")
    return 1 if findings else 0


def campaign(first: int, seconds: float, asked: argparse.Namespace) -> tuple[int, bool, list[str]]:
    """Read mutated inputs in one process, up to its end or its first finding.

    Returns:
        The number of the next input, whether there was a finding, and the kinds in turn.
    """
    with tempfile.TemporaryDirectory(prefix="vitreous-fuzz-") as scratch:
        command = [sys.executable, __file__, "--worker", "--seed", str(asked.seed)]
        command += ["--first", str(first), "--inputs", str(asked.inputs), "--only", asked.only]
        command += ["--minutes", str(seconds / 60), "--out", scratch]
        with (
            open(Path(scratch, "stderr"), "w") as said,
            subprocess.Popen(command, stderr=said, text=True) as process,
        ):
            hung = _watch(process, Path(scratch, "number"))
        number = _number(Path(scratch, "number"))
        kinds = json.loads(Path(scratch, "kinds").read_text())
        if process.returncode == 0 and not hung:
            return number + 1, False, kinds
        told = Path(scratch, "finding")
        words = "hangs" if hung else told.read_text() if told.exists() else ""
        kind = kinds[number % len(kinds)]
        _keep(kind, number, words or f"ended with {process.returncode}", scratch, asked)
        return number + 1, True, kinds


def _watch(process: "subprocess.Popen[str]", place: Path) -> bool:
    """Wait for a worker; end it, and return True, where an input takes too long."""
    last, since = -1, time.monotonic() + 120  # it begins with imports
    while process.poll() is None:
        time.sleep(0.05)
        if (number := _number(place)) != last:
            last, since = number, time.monotonic()
        elif time.monotonic() - since > SECONDS:
            process.kill()
            return True
    return False


def _number(place: Path) -> int:
    try:
        return int(place.read_bytes() or b"-1")
    except OSError:
        return -1


def _keep(kind: str, number: int, words: str, scratch: str, asked: argparse.Namespace) -> None:
    asked.out.mkdir(parents=True, exist_ok=True)
    name = f"{kind.replace(' ', '-')}-{asked.seed}-{number}"
    (asked.out / f"{name}.txt").write_text(words)
    for file in Path(scratch).glob("input*"):
        (asked.out / f"{name}-{file.name}").write_bytes(file.read_bytes())
    print(f"{kind}: input {number}: {words.strip().splitlines()[-1]}", flush=True)


def work(asked: argparse.Namespace) -> int:
    """One process: read inputs of all kinds in turn, until one of them is a finding."""
    warnings.simplefilter("ignore")
    from seeds import inputs

    known = {kind: held for kind, held in inputs().items() if asked.only in kind}
    kinds = [*known, *([HTTP] if asked.only in HTTP else [])]
    (asked.out / "kinds").write_text(json.dumps(kinds))
    attempts = {kind: _file_attempt(*held, asked.out) for kind, held in known.items()}
    if HTTP in kinds:
        attempts[HTTP] = _http_attempt()
    until = time.time() + 60 * asked.minutes
    for number in range(asked.first, asked.inputs):
        kind = kinds[number % len(kinds)]
        (asked.out / "number").write_bytes(str(number).encode())
        try:
            attempts[kind](random.Random(f"{asked.seed} {kind} {number}"))
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            assert used < MEMORY, f"{used >> 20} MiB of memory"
        except Exception:
            (asked.out / "finding").write_text(traceback.format_exc())
            return 1
        if time.time() > until:
            break
    os._exit(0)  # the explorer's threads are not waited for: that is no input's fault


def _file_attempt(
    data: bytes, name: str, read: Callable[[Path], None], scratch: Path
) -> Callable[[random.Random], None]:
    def attempt(draw: random.Random) -> None:
        changed = mutate(data, draw)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            (scratch / "input").write_bytes(changed)
            path = Path(folder, name)
            path.write_bytes(changed)
            read(path)

    return attempt


def _http_attempt() -> Callable[[random.Random], None]:
    """Mutated requests on a real socket; a good one must be answered after each."""
    from http.client import HTTPConnection

    import torch
    import uvicorn

    import vitreous
    from vitreous.explorer.app import Explorer
    from vitreous.explorer.server import HOST, bind, configure
    from vitreous.explorer.subject import Subject
    from vitreous.parallel.device import choose_engine

    config = vitreous.ViTConfig(
        image_size=16, patch=8, width=8, depth=1, heads=2, mlp_width=8, num_classes=2
    )
    torch.manual_seed(0)
    subject = Subject("tiny", vitreous.create_model(config), choose_engine("cpu", "float32"))
    listener = bind(0)
    port = listener.getsockname()[1]
    server = uvicorn.Server(configure(Explorer([subject]).app()))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    sockets = {"sockets": [listener]}
    threading.Thread(target=server.run, kwargs=sockets, daemon=True).start()

    def attempt(draw: random.Random) -> None:
        with socket.create_connection((HOST, port), timeout=SECONDS) as connection:
            connection.settimeout(0.05)
            try:
                connection.sendall(mutate(draw.choice(_REQUESTS), draw))
                answer = connection.recv(65536)
                assert b" 500 " not in answer[:20], answer
            except OSError:
                pass
        good = HTTPConnection(HOST, port, timeout=SECONDS)
        good.request("GET", "/api/subjects")
        assert good.getresponse().status == 200
        good.close()

    return attempt


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())

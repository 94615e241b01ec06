"""How long the explorer's answers take, from the request to the last byte.

Beside it the processor's time for the same, which other programs on the machine change little: of
one thread it is about twice what two free cores take by the clock.

OMP_NUM_THREADS=1 python benchmarks/explore.py
"""

import argparse
import json
import statistics
import threading
import time
from http.client import HTTPConnection

import numpy as np
import torch
import uvicorn

import vitreous
from vitreous.bench.machine import where
from vitreous.explorer.app import Explorer
from vitreous.explorer.examples import encode_png
from vitreous.explorer.server import HOST, bind
from vitreous.explorer.subject import Subject
from vitreous.parallel.device import choose_engine


class Client:
    """One connection that is kept open, as a browser's."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection(HOST, port, timeout=600)

    def ask(self, path: str, data: bytes | None = None) -> tuple[bytes, tuple[float, float]]:
        """The answer, and the seconds that it took: by the clock, and of the processor."""
        begin, worked = time.perf_counter(), time.process_time()
        self.connection.request("GET" if data is None else "POST", path, data)
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body, (time.perf_counter() - begin, time.process_time() - worked)


def measure(port: int, rounds: int, tokens: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each kind of answer, in turns."""
    client, draw = Client(port), np.random.default_rng(0)
    seconds: dict[str, list[tuple[float, float]]] = {}
    for round_ in range(rounds + 1):
        photo = encode_png(draw.integers(256, size=(480, 640, 3), dtype=np.uint8))
        body, taken = client.ask("/api/subjects/0/looks", photo)
        path = f"/api/subjects/0/looks/{json.loads(body)['digest']}"
        patches = draw.choice(tokens - 1, 30, replace=False).tolist()
        mask = json.dumps({"patches": patches}).encode()
        found = {
            "image in: prediction, rollout, distances": taken,
            "a click: all layers and heads, both ways": client.ask(
                f"{path}/tokens/{int(draw.integers(tokens))}"
            )[1],
            "position similarity of a patch": client.ask("/api/subjects/0/positions/7")[1],
            "a mask: prediction without 30 patches": client.ask(f"{path}/masked", mask)[1],
            "relevance of the first class (begun when the image is in)": client.ask(
                f"{path}/maps/1"
            )[1],
            "relevance of another class": client.ask(f"{path}/maps/2")[1],
            "relevance of a class again": client.ask(f"{path}/maps/1")[1],
        }
        for name, value in found.items():
            if round_:
                seconds.setdefault(name, []).append(value)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ViT-B/16")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = vitreous.create_model(options.model)
    torch.nn.init.normal_(model.head.weight, std=0.02)
    subject = Subject(options.model, model, choose_engine("auto", options.precision))
    tokens = subject.grid[0] * subject.grid[1] + len(subject.facts["prefix"])
    with bind(0) as listener:
        config = uvicorn.Config(Explorer([subject]).app(), log_level="warning", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        seconds = measure(listener.getsockname()[1], options.rounds, tokens)
        server.should_exit = True
        thread.join()
    print(where())
    print(f"\n| {options.model}, {options.precision} | clock, ms | processor, ms |")
    print("|---|---|---|")
    for name, values in seconds.items():
        clock, worked = (1000 * statistics.median(column) for column in zip(*values, strict=True))
        print(f"| {name} | {clock:.1f} | {worked:.1f} |")


if __name__ == "__main__":
    main()

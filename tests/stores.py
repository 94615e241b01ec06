"""Stores of images that misbehave; in a module, so that other processes can import them."""

import os
import signal
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Plain:
    """The same file for every image."""

    data: bytes

    def fetch(self, position: int) -> bytes:
        return self.data


@dataclass(frozen=True)
class Hanging(Plain):
    """Storage that does not answer in time."""

    seconds: float

    def fetch(self, position: int) -> bytes:
        time.sleep(self.seconds)
        return self.data


@dataclass(frozen=True)
class Stuck(Plain):
    """Storage that never answers."""

    def fetch(self, position: int) -> bytes:
        threading.Event().wait()
        return self.data


@dataclass(frozen=True)
class Deadly(Plain):
    """The machine kills whoever reads one image, as it does when memory is out."""

    victim: int

    def fetch(self, position: int) -> bytes:
        if position == self.victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.data


@dataclass(frozen=True)
class Partly(Plain):
    """Some files are damaged."""

    bad: tuple[int, ...]

    def fetch(self, position: int) -> bytes:
        return b"\xff\xd8\xff" if position in self.bad else self.data

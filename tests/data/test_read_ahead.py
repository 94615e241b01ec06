"""Processes that read, and what happens when they cannot; threads are in `test_loader`."""

import contextlib
import gc
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stores import Deadly, Hanging, Partly, Plain
from vitreous.data import read_ahead, workers
from vitreous.data.augmentation import Augmentation
from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader, TrainingLoader
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sources.encoded import EncodedPart
from vitreous.data.sources.pixels import PixelPart
from vitreous.data.workers import Workers
from vitreous.errors import UserError

RULE = Preprocessing(size=(8, 8))
EVERYTHING = Augmentation(
    crop_area=(0.3, 1.0),
    flip=0.5,
    rotate=5,
    contrast=0.3,
    erase=0.5,
    policy="randaugment",
    repeats=2,
)


def jpeg() -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def part(store: object, count: int = 24) -> EncodedPart:
    names = [f"{number}.jpg" for number in range(count)]
    return EncodedPart(names, np.arange(count) % 3, np.arange(count), store, 3)


def loader(store: object, kind: str, timeout: float = 60, **options: object) -> TrainingLoader:
    return TrainingLoader(
        part(store),
        RULE,
        EVERYTHING,
        **{
            "batch_size": 6,
            "seed": 3,
            "faults": Faults(24, 0.5),
            "workers": Workers(kind=kind, count=2, timeout=timeout),
            "cache_bytes": 0,
        }
        | options,
    )


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    gc.collect()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_processes_and_threads_give_the_same_batches(cache_bytes: int) -> None:
    store = Partly(jpeg(), (5, 6))
    kinds = ("threads", "processes")
    both = [loader(store, kind, cache_bytes=cache_bytes) for kind in kinds]
    pairs = zip(*(one.batches(2, 8) for one in both), strict=True)
    for threads, processes in pairs:
        assert processes.images.is_shared()
        for name, value in vars(threads).items():
            assert torch.equal(value, getattr(processes, name)), name
    assert both[0].faults.reasons == both[1].faults.reasons
    assert set(both[0].faults.reasons) == {"5.jpg", "6.jpg"}


def test_the_programs_own_randomness_is_left_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    next(loader(Plain(jpeg()), "processes").batches(0, 1))
    assert torch.equal(torch.rand(3), expected)


def test_a_killed_process_is_one_clear_line() -> None:
    batches = loader(Deadly(jpeg(), 7), "processes", timeout=10_000).batches(0, 9)
    begin = time.perf_counter()
    with pytest.raises(UserError, match=r"was killed: give it more memory.*--workers threads"):
        list(batches)
    assert time.perf_counter() - begin < 40, "it does not wait for the timeout"


def test_storage_that_hangs_is_given_up() -> None:
    batches = loader(Hanging(jpeg(), 60), "processes", timeout=3).batches(0, 9)
    with pytest.raises(UserError, match="no images came within 3 seconds"):
        next(batches)


HUNG = """
import sys
sys.path[:0] = sys.argv[1:]
from stores import Stuck
from test_read_ahead import jpeg, loader
from vitreous.errors import UserError
try:
    next(loader(Stuck(jpeg()), "threads", timeout=1).batches(0, 9))
except UserError as error:
    print(error)
"""


def test_threads_that_never_answer_are_left_behind() -> None:
    here = Path(__file__).parent
    ended = subprocess.run(
        [sys.executable, "-c", HUNG, str(here), str(here.parent)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("no images came within 1 seconds")
    assert ended.stderr == ""


def test_storage_that_is_slow_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "_LOOK", 0.2)
    batches = list(loader(Hanging(jpeg(), 0.1), "processes").batches(0, 3))
    assert [len(batch) for batch in batches] == [6] * 3


def test_evaluation_by_processes_masks_and_counts() -> None:
    faults = Faults(24, 0.5)
    workers = Workers(kind="processes", count=2)
    store = Partly(jpeg(), (5,))
    made = EvaluationLoader(part(store), RULE, batch_size=10, faults=faults, workers=workers)
    mask = torch.cat([batch.mask for batch in made])
    assert mask.nonzero().flatten().tolist() == [n for n in range(24) if n != 5]
    assert list(faults.reasons) == ["5.jpg"]


def test_leaving_early_leaves_no_process() -> None:
    batches = loader(Plain(jpeg()), "processes").batches(0, 1000)
    next(batches)
    assert multiprocessing.active_children()
    batches.close()
    assert not multiprocessing.active_children()


def script(path: Path, *, steps: int, ending: str) -> list[str]:
    """A program that reads with two processes and prints the size of each batch."""
    path.write_text(
        f"import signal, sys\nsys.path[:0] = {[p for p in sys.path if p]!r}\n"
        # A shell that starts tests in the background has them, and what they start, ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import numpy as np\n"
        "from stores import Plain\n"
        "from vitreous.data.augmentation import Augmentation\n"
        "from vitreous.data.faults import Faults\n"
        "from vitreous.data.loader import TrainingLoader\n"
        "from vitreous.data.preprocessing import Preprocessing\n"
        "from vitreous.data.sources.encoded import EncodedPart\n"
        "from vitreous.data.workers import Workers\n"
        "print('begun')\n"
        f"store = Plain({jpeg()!r})\n"
        "part = EncodedPart(['a', 'b'], np.arange(2), np.arange(2), store, 3)\n"
        "made = TrainingLoader(part, Preprocessing(size=(8, 8)), Augmentation(), batch_size=2,\n"
        "    seed=0, faults=Faults(2), workers=Workers(kind='processes', count=2), cache_bytes=0)\n"
        "try:\n"
        f"    for batch in made.batches(0, {steps}):\n"
        "        print(len(batch), flush=True)\n"
        f"except KeyboardInterrupt:\n    {ending}\n"
    )
    return [sys.executable, str(path)]


def test_a_script_without_a_guard_is_not_run_again(tmp_path: Path) -> None:
    """As users write them: new processes must not import it."""
    command = script(tmp_path / "script.py", steps=3, ending="raise")
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout.split() == ["begun", "2", "2", "2"], run.stderr


def in_session(number: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if int(session) == number and state != "Z":
                found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_ctrl_c_while_processes_read_ends_all_of_them_with_one_line(tmp_path: Path) -> None:
    """As a terminal does it: every process of the group gets the signal."""
    command = script(tmp_path / "script.py", steps=1_000_000, ending="sys.exit('stopped')")
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert [run.stdout.readline().strip() for _ in range(30)] == ["begun", *["2"] * 29]
        processes = in_session(run.pid)
        assert len(processes) >= 3
        begin = time.perf_counter()
        os.killpg(run.pid, signal.SIGINT)
        _, told = run.communicate(timeout=60)
    assert time.perf_counter() - begin < 20  # a second, where the machine does nothing else
    assert (run.returncode, told) == (1, "stopped\n")
    patience = time.perf_counter() + 20
    while in_session(run.pid) and time.perf_counter() < patience:
        time.sleep(0.05)
    assert in_session(run.pid) == []
    files = os.listdir("/dev/shm")
    assert [name for name in files for number in processes if f"_{number}_" in name] == []


def test_arrays_are_for_threads_whatever_is_done_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process would read the whole array into memory of its own."""
    told = []
    monkeypatch.setattr(
        Workers, "chosen", lambda _, decodes, **__: told.append(decodes) or "threads"
    )
    pixels = np.zeros((24, 8, 8, 3), np.uint8)
    own = PixelPart([f"{n}" for n in range(24)], np.arange(24) % 3, lambda: pixels)
    asked = Augmentation(policy="randaugment")
    made = TrainingLoader(own, RULE, asked, batch_size=6, seed=0, faults=Faults(24))
    next(made.batches(0, 1))
    assert told == [False]


@given(st.integers(1, 2000), st.integers(1, 64), st.sampled_from([28**2, 64**2, 224**2]))
def test_every_thread_has_work_and_reads_several_images_where_there_are_many(
    images: int, readers: int, pixels: int
) -> None:
    few = read_ahead._stretch(images, readers, pixels)
    under_way = 4 * -(-images // few)  # stretches of the batches that are made at once
    assert under_way >= min(images, readers)
    assert few >= min(8, images // readers)
    assert -(-images // few) <= max(5 * readers, images // 8 + 1, 2 * readers)


def test_small_images_are_read_by_the_hundred() -> None:
    assert read_ahead._stretch(1024, 16, 32**2) == 128
    assert read_ahead._stretch(1024, 16, 224**2) == 16
    assert read_ahead._stretch(64, 2, 32**2) == 64
    assert read_ahead._stretch(64, 16, 32**2) == 8, "for each of the sixteen"


def choose(make: Callable[..., Workers] = Workers, **facts: object) -> str:
    asked = {"images": 10**6, "decodes": True, "batch_bytes": 1} | facts
    return make(count=16).chosen(**asked)


def test_processes_of_a_run_share_the_cores_and_the_shared_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "available_cores", lambda: 32)
    assert [Workers(local_size=size).readers for size in (1, 4, 64)] == [32, 8, 1]
    assert Workers(count=5, local_size=4).readers == 5
    monkeypatch.setattr(workers, "_shared_room", lambda: 100)
    facts = {"images": 10**6, "decodes": True, "batch_bytes": 5}
    assert Workers(count=8).chosen(**facts) == "processes"
    assert Workers(count=8, local_size=2).chosen(**facts) == "threads"


def test_the_choice_is_by_rule() -> None:
    assert choose() == "processes"
    assert choose(images=9_999) == "threads"
    assert choose(decodes=False) == "threads"
    assert choose(batch_bytes=1 << 50) == "threads", "no room in shared memory"
    assert Workers(count=4).chosen(images=10**6, decodes=True, batch_bytes=1) == "threads"
    asked = Workers(kind="processes", count=1)
    assert asked.chosen(images=1, decodes=False, batch_bytes=1 << 50) == "processes"


@pytest.mark.parametrize(
    ("asked", "cache_bytes", "costs"),
    [
        (Augmentation(policy="randaugment"), 1 << 20, True),
        (Augmentation(flip=0.5), 1 << 20, False),
        (Augmentation(flip=0.5), 0, True),
    ],
)
def test_files_are_for_processes_unless_their_pixels_are_kept_and_stay_as_they_are(
    asked: Augmentation, cache_bytes: int, costs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    monkeypatch.setattr(
        Workers, "chosen", lambda _, decodes, **__: told.append(decodes) or "threads"
    )
    made = TrainingLoader(
        part(Plain(jpeg())),
        RULE,
        asked,
        batch_size=6,
        seed=0,
        faults=Faults(24),
        cache_bytes=cache_bytes,
    )
    next(made.batches(0, 1))
    assert told == [costs]


@pytest.mark.parametrize(
    ("options", "line"),
    [({"kind": "fork"}, "workers is 'fork': choose auto, threads"), ({"count": 0}, "readers is 0")],
)
def test_a_wrong_choice_is_refused(options: dict[str, object], line: str) -> None:
    with pytest.raises(UserError, match=line):
        Workers(**options)

"""Processes that share one plan: each trial is run once, and nothing of a dead one is lost."""

import json
import subprocess
import sys
import threading
import time
from contextlib import nullcontext

import pytest

from vitreous.errors import UserError
from vitreous.experiments.cache import TrialCache
from vitreous.experiments.catalogue import find_experiment
from vitreous.experiments.collection import Collection
from vitreous.experiments.experiment import Setting
from vitreous.experiments.sharing import run_shared, usual_jobs


def share(trials, cache, told) -> None:
    run_shared(trials, cache, lambda _: nullcontext(), lambda trial, _: told.append(trial.row))


def test_two_at_once_run_each_trial_once_and_both_hear_of_all(tmp_path, drawn) -> None:
    class Slow(drawn):
        def run(self, folder, finished):
            time.sleep(0.05)
            return super().run(folder, finished)

    first = Slow(row="first", mean=0.1)
    trials = [first, *(Slow(row=f"{n}", mean=0.2 + n, before=(first,)) for n in range(6))]
    told: list[list[str]] = [[], []]
    threads = [
        threading.Thread(target=share, args=(trials, TrialCache(tmp_path), heard)) for heard in told
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [file.read_text() for file in tmp_path.glob("*/runs")] == ["1"] * 7
    assert sorted(told[0]) == sorted(told[1]) == sorted(trial.row for trial in trials)


def test_a_trial_that_another_holds_is_left_until_it_lets_go(tmp_path, drawn) -> None:
    cache, trial, told = TrialCache(tmp_path), drawn(row="a"), list[str]()
    with cache.claimed(trial) as ours:
        assert ours
        thread = threading.Thread(target=share, args=([trial], cache, told))
        thread.start()
        time.sleep(0.2)
        assert cache.read(trial) is None
    thread.join()
    assert told == ["a"]


def test_what_stops_a_trial_stops_the_work(tmp_path, drawn) -> None:
    class Broken(drawn):
        def run(self, folder, finished):
            raise UserError("no")

    cache = TrialCache(tmp_path)
    with pytest.raises(UserError, match="no"):
        share([Broken(row="a")], cache, [])
    with cache.claimed(Broken(row="a")) as ours:
        assert ours, "the claim ended with the trial"


def test_how_many_at_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    data = Collection(tmp_path)
    plain = Setting(scale="pocket", seeds=1, data=data)
    assert usual_jobs(find_experiment("table8"), plain) == 4
    assert usual_jobs(find_experiment("figure12"), plain) == 1
    weights = Setting(scale="pocket", seeds=1, data=data, weights=tmp_path)
    assert usual_jobs(find_experiment("table5"), weights) == 1
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert usual_jobs(find_experiment("table8"), plain) == 1


PARENT = """
import multiprocessing, time
from vitreous.parallel.parent import end_with_parent

def help_out():
    end_with_parent()
    print("at work", flush=True)
    time.sleep(60)

child = multiprocessing.get_context("fork").Process(target=help_out)
child.start()
child.join()
"""


def test_a_helper_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "at work\n"
        run.kill()
        begin = time.perf_counter()
        run.stdout.read()  # to the end, which comes when the last that holds it has ended
        assert time.perf_counter() - begin < 20


def test_two_processes_of_the_command(tmp_path) -> None:
    command = [sys.executable, "-m", "vitreous", "reproduce", "table1", "--jobs", "2"]
    ran = subprocess.run(
        [*command, "--out", str(tmp_path), "--json", "-"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["trials"] == len(list(tmp_path.glob("trials/*/outcome.json")))
    assert "5/5" in ran.stderr

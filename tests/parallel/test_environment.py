import pytest
import torch

from vitreous.errors import UserError
from vitreous.parallel.collect import ToldElsewhereError
from vitreous.parallel.environment import Ranks, process_group, ranks


def test_alone_without_torchrun(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert ranks() == Ranks()
    with process_group() as here:
        assert here.first


def test_what_torchrun_says(monkeypatch):
    told = {"RANK": 5, "WORLD_SIZE": 8, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 4}
    told |= {"TORCHELASTIC_RESTART_COUNT": 2, "TORCHELASTIC_RUN_ID": "x"}
    for name, value in told.items():
        monkeypatch.setenv(name, str(value))
    assert ranks() == Ranks(5, 8, local_rank=1, local_size=4, restarts=2, launched=True)
    assert not ranks().first


@pytest.mark.parametrize(("rank", "error"), [(0, UserError), (2, ToldElsewhereError)])
def test_more_processes_than_gpus_are_refused_at_once(monkeypatch, rank, error):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    told = {"RANK": rank, "WORLD_SIZE": 3, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 3}
    for name, value in told.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(error, match="3 processes on a machine with 2 GPUs"), process_group():
        pass


@pytest.mark.parametrize(("rank", "error"), [(0, UserError), (1, ToldElsewhereError)])
def test_a_gpu_by_its_number_is_for_one_process(monkeypatch, rank, error):
    told = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2}
    for name, value in told.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(error, match="2 processes cannot share cuda:1: give --device cuda"):
        process_group("cuda:1").__enter__()


def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="'cuda:7' is not to be had here"):
        process_group("cuda:7").__enter__()

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

"""A short campaign; `make fuzz MINUTES=10` runs a longer one."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_a_short_campaign_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "campaign.py"), "--inputs", "740", "--minutes", "5"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith(" 0 findings\n")


def test_the_same_seed_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    from mutate import mutate

    data = bytes(range(256))
    changed = {seed: mutate(data, random.Random(seed)) for seed in range(50)}
    assert changed == {seed: mutate(data, random.Random(seed)) for seed in range(50)}
    assert len(set(changed.values())) > 40
    assert mutate(b"", random.Random(0)) == b""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("import os; os.kill(os.getpid(), 11)", "ended with -11"),
        ("while True: pass", "hangs"),
        ("raise TypeError('no')", "TypeError: no"),
        ("held = bytearray(1700 << 20)", "MiB of memory"),
    ],
)
def test_a_campaign_sees_every_kind_of_end(tmp_path: Path, body: str, told: str) -> None:
    """A reader that fails in each way is a finding, and the campaign goes on behind it."""
    for name in ("campaign.py", "mutate.py"):
        (tmp_path / name).write_text((HERE / name).read_text().replace("= 10.0, ", "= 2.0, "))
    seeds = (
        f"def read(path):\n    {body}\n\ndef inputs():\n    return {{'bad': (b'x', 'a', read)}}\n"
    )
    (tmp_path / "seeds.py").write_text(seeds)
    command = [sys.executable, str(tmp_path / "campaign.py"), "--inputs", "2", "--only", "bad"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.count(told) == 2
    assert "2 findings" in done.stdout

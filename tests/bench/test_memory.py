"""What a call needs, and what stays between calls."""

from typing import Any

import pytest
import torch

from vitreous.bench.memory import recorded_memory


def test_what_graphs_keep_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    segments: list[dict[str, Any]] = [
        {"total_size": 2, "segment_pool_id": (0, 0)},
        {"total_size": 30, "segment_pool_id": (0, 1)},
        {"total_size": 400, "segment_pool_id": (0, 2)},
    ]
    monkeypatch.setattr(torch.cuda, "memory_snapshot", lambda: segments)
    assert recorded_memory("cuda") == 430
    assert recorded_memory("cpu") == 0

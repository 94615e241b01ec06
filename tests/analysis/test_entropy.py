from collections.abc import Callable
from math import log

import torch

from vitreous.analysis.entropy import attention_entropy
from vitreous.model.recording import Recording


def test_uniform_identity_and_half(recorded: Callable[..., Recording]) -> None:
    uniform, identity = torch.full((6, 6), 1 / 6), torch.eye(6)
    half = (torch.eye(6) + torch.eye(6).roll(1, 0)) / 2
    rows = torch.stack([uniform, identity, half])[None]
    entropy = attention_entropy(recorded([rows], (1, 5), 1), 0)
    torch.testing.assert_close(entropy, torch.tensor([[log(6), 0, log(2)]]), atol=1e-6, rtol=0)

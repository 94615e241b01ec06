"""A model in evaluation for a while, and then as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def answering(model: nn.Module) -> Iterator[None]:
    """No dropout inside; afterwards, whatever was raised, each module trains or not as before.

    `model.train(before)` would not do: who freezes a part keeps that in evaluation alone.
    """
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training

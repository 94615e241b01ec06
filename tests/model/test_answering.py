from collections.abc import Callable

import pytest

from vitreous.model.answering import answering
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig


def test_each_module_is_as_it_was(tiny: Callable[..., ViTConfig]) -> None:
    model = create_model(tiny()).train()
    model.patch.eval()
    before = [module.training for module in model.modules()]
    assert len(set(before)) == 2

    def inside(fault: bool) -> None:
        with answering(model):
            assert not any(module.training for module in model.modules())
            assert not fault

    inside(fault=False)
    assert [module.training for module in model.modules()] == before
    with pytest.raises(AssertionError):
        inside(fault=True)
    assert [module.training for module in model.modules()] == before

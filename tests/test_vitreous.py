"""The public face."""

import subprocess
import sys

import pytest

import vitreous


def test_every_promised_name_is_there() -> None:
    for name in vitreous.__all__:
        assert getattr(vitreous, name) is not None
    assert dir(vitreous) == sorted(vitreous.__all__)
    assert vitreous.list_models()[0] == "ViT-Ti/16"


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="module 'vitreous' has no attribute 'resnet'"):
        vitreous.resnet  # noqa: B018


@pytest.mark.parametrize("module", ["vitreous", "vitreous.cli.main"])
def test_importing_it_imports_nothing_heavy(module: str) -> None:
    heavy = {"torch", "numpy", "PIL", "sklearn", "matplotlib", "rich", "safetensors", "jaxtyping"}
    program = f"import sys, {module}; print({heavy!r} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "set()\n", run.stderr

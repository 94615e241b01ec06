"""What every test may ask for."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _shared(folder: str) -> Path:
    path = SHARED / folder
    if not path.is_dir():
        pytest.skip(f"needs {folder}/ of the shared folder beside the checkout")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos and data sets, where the checkout has them beside it."""
    return _shared("data")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Small random checkpoints of every family with their own code's outputs."""
    return _shared("golden")

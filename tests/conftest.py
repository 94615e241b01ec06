"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Models in tests are small: a second thread only waits for the first, all the more beside another
# worker. Read by torch when it is imported, and by the programs that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Every signature's shapes and dtypes are checked at run time, in all tests that follow.
install_import_hook("vitreous", "shapes.check")

# A machine that is busy with something else is no fault of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

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

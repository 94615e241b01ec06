import pickle  # noqa: TID251 (what multiprocessing does to a part that is sent to a worker)
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def png(level: int = 0, mode: str = "RGB") -> bytes:
    colour = level if mode == "L" else (level, level, level)
    file = BytesIO()
    Image.new(mode, (6, 5), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Path]:
    """Writes a tree of small images (or other content), one a name, and gives its root."""

    def write(names: Iterable[str], content: bytes | None = None, mode: str = "RGB") -> Path:
        for level, name in enumerate(names):
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(level, mode) if content is None else content)
        return tmp_path / "root"

    return write


@pytest.fixture
def send() -> Callable[[Any], tuple[Any, int]]:
    """Gives what a worker process gets of an object, and how many bytes travel."""

    def there(thing: Any) -> tuple[Any, int]:
        data = pickle.dumps(thing)
        return pickle.loads(data), len(data)  # noqa: S301

    return there

"""`vitreous explore`, up to where the page is served."""

import sys
from pathlib import Path

import pytest

import vitreous
from vitreous.cli.main import main
from vitreous.explorer import server


@pytest.fixture
def model(tmp_path: Path) -> str:
    sizes = {"image_size": (16, 24), "width": 12, "depth": 2, "mlp_width": 12, "heads": 2}
    config = vitreous.ViTConfig(name="tiny", patch=8, num_classes=2, **sizes)
    vitreous.save(vitreous.create_model(config), tmp_path / "tiny.safetensors")
    return str(tmp_path / "tiny.safetensors")


def test_it_says_where_the_page_is(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = []
    monkeypatch.setattr(server, "serve", lambda app, listener, browser: served.append(browser))
    assert main(["explore", model, "--compare", model, "--port", "0"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("tiny.safetensors and tiny.safetensors: http://127.0.0.1:")
    assert served == [False]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere"),
        (["MODEL", "--compare", "nowhere"], "nowhere"),
        (["MODEL", "--port", "99999"], "--port is 99999"),
        (["MODEL", "--device", "abacus"], "abacus"),
    ],
)
def test_mistakes_are_one_line(
    model: str, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    given = [model if argument == "MODEL" else argument for argument in arguments]
    port = [] if "--port" in given else ["--port", "0"]
    assert main(["explore", *given, *port]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_without_the_extra_it_gives_the_install_line(
    model: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    library: str,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    assert main(["explore", model]) == 2
    assert f"needs {library}: pip install 'vitreous[serve]'" in capsys.readouterr().err

"""The page as a reader's browser shows it, and as a reader's hands use it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image

from chromium import Tab, find_chromium, open_tab
from vitreous.explorer.app import Explorer
from vitreous.explorer.server import address, bind
from vitreous.explorer.shelf import Shelf
from vitreous.explorer.subject import Subject

READY = "document.querySelector('.panel[aria-busy=false]') && document.images.length"
CAPTION = "(document.querySelector('.panel .caption')?.textContent ?? '')"
SHARES = "[...document.querySelectorAll('.classes .share')].map((e) => e.textContent).join(' ')"


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    if find_chromium() is None:
        pytest.skip("needs chromium to look at the page")
    with open_tab(tmp_path / "profile") as found:
        yield found


@contextmanager
def running(*subjects: Subject, shelf: Shelf | None = None) -> Iterator[str]:
    """The address of a page of some subjects."""
    with bind(0) as listener:
        config = uvicorn.Config(Explorer(subjects, shelf).app(), log_level="warning", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture
def photo_file(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(256, size=(60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "my photo.png")
    return tmp_path / "my photo.png"


def changed(tab: Tab, expression: str, before: str) -> str:
    """The new value of an expression, once it is another one."""
    tab.wait(f"({expression}) !== {before!r}")
    return str(tab.evaluate(expression))


def set_slider(tab: Tab, name: str, value: int) -> None:
    tab.evaluate(
        f"(() => {{ const s = document.querySelector('.{name} input'); s.value = {value};"
        "s.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )


def assert_sound(tab: Tab, origin: str) -> None:
    """No fault in the console, no request to elsewhere, no scrolling sideways."""
    assert tab.faults == []
    assert tab.requests
    assert [url for url in tab.requests if not url.startswith((origin, "data:"))] == []
    width, space = tab.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= space, "the page scrolls sideways"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_reader_looks_inside(
    tab: Tab, make_subject: Callable[..., Subject], photo_file: Path, width: int
) -> None:
    with running(make_subject("a <b>model</b>", depth=3)) as origin:
        tab.resize(width, 900)
        tab.open(origin)
        tab.wait(READY)  # an example is there without a click
        first = tab.wait(f"{CAPTION}.includes('gives most') && {CAPTION}")
        assert tab.evaluate("document.querySelector('h1').textContent") == "a <b>model</b>"

        tab.choose_file("#file", photo_file)
        caption = changed(tab, CAPTION, first)
        assert caption.startswith("The class token in layer 3, mean of heads, gives most to row")

        tab.click(".stage", across=0.9, down=0.1)  # of 3 x 5 patches
        caption = changed(tab, CAPTION, caption)
        assert caption.startswith("Row 1, column 5")

        before = caption
        set_slider(tab, "layer", 1)
        set_slider(tab, "head", 2)
        caption = changed(tab, CAPTION, before)
        assert "in layer 1, head 2," in caption
        figures = tab.evaluate("document.querySelector('.distances figcaption').textContent")
        assert "Layer 1, head 2" in figures
        assert (
            len(tab.evaluate("[...document.querySelectorAll('.distances circle')].map(String)"))
            == 9
        )

        tab.evaluate("document.querySelector('.stage').focus()")
        tab.press("ArrowLeft")
        tab.press("ArrowDown")
        caption = changed(tab, CAPTION, caption)
        tab.wait(f"{CAPTION}.startsWith('Row 2, column 4')")
        positions = tab.wait("document.querySelector('.position figcaption').textContent")
        assert "row 2, column 4" in positions

        for view, words in (
            ("received", "gets most from"),
            ("rollout", "Through all layers"),
            ("relevance", "For “"),
            ("given", "gives most to"),
        ):
            tab.click(f".views [value={view}]")
            tab.wait(f"{CAPTION}.includes({words!r})")

        tab.click(".sequence button")
        tab.wait(f"{CAPTION}.startsWith('The class token')")

        whole = tab.evaluate(SHARES)
        tab.click(".paint")
        left, top, across, down = tab.box(".stage")
        tab.drag(
            (left + 9, top + 9), (left + across / 2, top + down / 2), (left + across - 9, top + 9)
        )
        tab.wait("document.querySelector('.hint').textContent.startsWith('3 of 15 patches')")
        masked = changed(tab, SHARES, whole)
        assert "+" in masked or "−" in masked
        tab.click(".clear")
        tab.wait(f"({SHARES}) === {whole!r}")
        assert_sound(tab, origin)


def test_what_cannot_be_shown_is_said(
    tab: Tab, make_subject: Callable[..., Subject], tmp_path: Path
) -> None:
    text = tmp_path / "notes.png"
    text.write_text("just text")
    Image.new("1", (20_000, 10_000)).save(tmp_path / "huge.png")
    message = "document.querySelector('#message').textContent"
    with running(make_subject()) as origin:
        tab.resize(1280, 900)
        tab.open(origin)
        tab.wait(READY)
        tab.choose_file("#file", text)
        said = tab.wait(message)
        assert said.startswith("notes.png: not an image of a known format")
        tab.choose_file("#file", tmp_path / "huge.png")
        said = tab.wait(f"{message}.startsWith('huge.png: 20000 x 10000 pixels') && {message}")
        assert "over the limit of 64 million" in said
        tab.evaluate("document.querySelectorAll('#examples button')[1].click()")
        assert changed(tab, message, said) == ""
        # A refused upload is logged by the browser itself, and by nothing else.
        assert all("422" in fault for fault in tab.faults), tab.faults


def test_two_models_of_different_grids(tab: Tab, make_subject: Callable[..., Subject]) -> None:
    fine = make_subject("fine", image_size=(24, 40), patch=4)
    with running(fine, make_subject("coarse")) as origin:
        tab.resize(1280, 900)
        tab.open(origin)
        tab.wait("document.querySelectorAll('.panel[aria-busy=false]').length === 2")
        assert "6 × 10 and 3 × 5" in tab.evaluate("document.querySelector('#grids').textContent")
        captions = "[...document.querySelectorAll('.caption')].map((c) => c.textContent)"
        tab.wait(f"{captions}.every((c) => c.startsWith('The class token'))")
        tab.click(".stage", across=0.95, down=0.95)
        tab.wait(f"{captions}[0].startsWith('Row 6, column 10')")
        tab.wait(f"{captions}[1].startsWith('Row 3, column 5')")
        tab.click(".paint")
        left, top, across, down = tab.box(".stage")
        corner = [(left + x * across, top + y * down) for x, y in ((0.05, 0.05), (0.15, 0.05))]
        tab.drag(*corner)
        hints = "[...document.querySelectorAll('.hint')].map((h) => h.textContent.split(' p')[0])"
        tab.wait(f"{hints}.join() === '2 of 60,1 of 15'")
        tab.resize(390, 900)
        assert_sound(tab, origin)


def test_an_image_that_the_server_let_go_of_is_given_again(
    tab: Tab, make_subject: Callable[..., Subject]
) -> None:
    shelf = Shelf()
    with running(make_subject(), shelf=shelf) as origin:
        tab.resize(1280, 900)
        tab.open(origin)
        tab.wait(f"{CAPTION}.includes('gives most')")
        tab.wait("document.querySelectorAll('.classes button').length")
        shelf._looks.clear()
        tab.click(".stage", across=0.1, down=0.1)
        tab.wait(f"{CAPTION}.startsWith('Row 1, column 1')")
        assert tab.evaluate("document.querySelector('#message').hidden")


@pytest.mark.parametrize("kind", ["resnet", "headless", "mean"])
def test_models_that_lack_something(
    tab: Tab, make_subject: Callable[..., Subject], resnet: Subject, kind: str
) -> None:
    fields = {
        "headless": {"num_classes": 0},
        "mean": {"pooling": "mean", "class_token": False, "registers": 1},
    }
    subject = make_subject(**fields[kind]) if kind in fields else resnet
    with running(subject) as origin:
        tab.resize(390, 900)
        tab.open(origin)
        tab.wait(READY)
        note = tab.evaluate("document.querySelector('.note').textContent")
        if kind == "resnet":
            assert "no attention" in note
            tab.click(".views [value=occlusion]")
            tab.wait(f"{CAPTION}.includes('probability falls')")
            assert tab.evaluate("document.querySelector('.heads')") is None
        elif kind == "headless":
            assert "no head" in note
            tab.wait(f"{CAPTION}.startsWith('The class token')")
            assert tab.evaluate("document.querySelector('.paint').hidden")
        else:
            assert note == ""
            tab.wait(f"{CAPTION}.startsWith('The register 1')")
        assert_sound(tab, origin)

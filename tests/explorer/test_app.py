"""Every address of the page, asked well and badly."""

import struct
import threading
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from vitreous.explorer import app
from vitreous.explorer.look import look_at_fitted
from vitreous.explorer.shelf import Shelf
from vitreous.explorer.subject import Subject

Serving = Callable[..., TestClient]
MakeSubject = Callable[..., Subject]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int, height: int) -> bytes:
    """A file of few bytes whose header promises many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_the_page_and_its_parts(serving: Serving, make_subject: MakeSubject) -> None:
    client = serving(make_subject())
    page = client.get("/")
    assert page.status_code == 200
    assert "<template" in page.text
    for address in ("/explorer.css", "/main.js", "/panel.js", "/report/page.css"):
        assert client.get(address).status_code == 200, address
    assert client.get("/main.js").headers["content-type"].startswith("text/javascript")


def test_facts_and_examples(serving: Serving, make_subject: MakeSubject, resnet: Subject) -> None:
    client = serving(make_subject("first"), resnet)
    facts = client.get("/api/subjects").json()
    assert [subject["name"] for subject in facts["subjects"]] == ["first", "resnet"]
    for example in facts["examples"]:
        answer = client.get(f"/api/examples/{example['name']}")
        assert answer.status_code == 200
        for subject in (0, 1):
            look = client.post(f"/api/subjects/{subject}/looks", content=answer.content)
            assert look.status_code == 200


def test_an_image_and_all_that_can_be_asked_of_it(
    serving: Serving, subject: Subject, photo: bytes
) -> None:
    client = serving(subject)
    look = client.post("/api/subjects/0/looks", content=photo).json()
    path = f"/api/subjects/0/looks/{look['digest']}"
    h, w = subject.grid
    tokens = h * w + len(subject.facts["prefix"])
    assert len(look["rollout"]) == h * w
    assert np.shape(look["distance"]) == (3, 3)

    seen = np.asarray(Image.open(BytesIO(client.get(f"{path}/seen.png").content)))
    assert seen.shape[:2] == subject.passport.preprocessing.size

    attention = np.frombuffer(client.get(f"{path}/tokens/{tokens - 1}").content, "<f4")
    given, received = attention.reshape(2, 3, 3, tokens)
    assert given.sum(-1) == pytest.approx(np.ones((3, 3)), abs=1e-5)
    assert given[:, :, -1] == pytest.approx(received[:, :, -1], abs=5e-6)  # of itself

    positions = np.frombuffer(client.get("/api/subjects/0/positions/2").content, "<f4")
    assert positions.shape == (h * w,)
    assert positions[2] == pytest.approx(1)

    mask = {"patches": [0, h * w - 1]}
    if not subject.passport.class_names:
        assert look["probabilities"] is None
        assert client.post(f"{path}/masked", json=mask).status_code == 404
        assert client.get(f"{path}/maps/0").status_code == 404
        return
    assert sum(look["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert len(client.get(f"{path}/maps/6").json()["map"]) == h * w
    masked = client.post(f"{path}/masked", json=mask).json()["probabilities"]
    assert sum(masked) == pytest.approx(1, abs=1e-5)
    assert masked != look["probabilities"]
    whole = client.post(f"{path}/masked", json={"patches": []}).json()["probabilities"]
    assert whole == look["probabilities"]


def test_a_resnet_s_answers(serving: Serving, resnet: Subject, photo: bytes) -> None:
    client = serving(resnet)
    look = client.post("/api/subjects/0/looks", content=photo).json()
    path = f"/api/subjects/0/looks/{look['digest']}"
    assert "rollout" not in look
    assert len(client.get(f"{path}/maps/0").json()["map"]) == 8 * 12
    for address in (f"{path}/tokens/0", "/api/subjects/0/positions/0"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "resnet has no" in answer.json()["error"]


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"just text in a file called .png", 422, "not an image of a known format"),
        (b"", 422, "the file is empty"),
        (huge_png(20_000, 10_000), 422, "20000 x 10000 pixels are over the limit of 64 million"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), 422, ""),
    ],
)
def test_files_that_are_no_images(
    serving: Serving, make_subject: MakeSubject, data: bytes, status: int, words: str
) -> None:
    client = serving(make_subject())
    answer = client.post("/api/subjects/0/looks", content=data)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_a_file_of_too_many_bytes(
    serving: Serving, make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MAX_UPLOAD", 2**20)
    client = serving(make_subject())
    told = client.post("/api/subjects/0/looks", content=bytes(2**20 + 1))
    untold = client.post("/api/subjects/0/looks", content=iter([bytes(2**19)] * 4))
    for answer in (told, untold):
        assert answer.status_code == 413
        assert answer.json()["error"] == "the file is over the limit of 1 MiB"


@pytest.mark.parametrize(
    "address",
    [
        "/api/subjects/1/positions/0",
        "/api/subjects/0/positions/15",
        "/api/subjects/0/looks/DIGEST/tokens/16",
        "/api/subjects/0/looks/DIGEST/maps/7",
        "/api/subjects/-1/positions/0",
        "/api/examples/none.png",
        "/api/examples/..%2f..%2fsecret",
        "/..%2f..%2f..%2fpyproject.toml",
        "/nowhere",
    ],
)
def test_what_is_not_there(
    serving: Serving, make_subject: MakeSubject, photo: bytes, address: str
) -> None:
    client = serving(make_subject())
    digest = client.post("/api/subjects/0/looks", content=photo).json()["digest"]
    answer = client.get(address.replace("DIGEST", digest))
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "question",
    [
        b"{",
        b"[]",
        b"3",
        b'{"patches": 3}',
        b'{"patches": [15]}',
        b'{"patches": [-1]}',
        b'{"patches": [true]}',
        b'{"patches": [0.5]}',
        b'{"patches": ' + b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_masks_that_are_none(
    serving: Serving, make_subject: MakeSubject, photo: bytes, question: bytes
) -> None:
    client = serving(make_subject())
    digest = client.post("/api/subjects/0/looks", content=photo).json()["digest"]
    answer = client.post(f"/api/subjects/0/looks/{digest}/masked", content=question)
    assert answer.status_code == 400
    assert "patches" in answer.json()["error"]


def test_an_image_that_was_let_go(
    serving: Serving, make_subject: MakeSubject, photo: bytes
) -> None:
    client = serving(make_subject(), shelf=Shelf(most_looks=1))
    digest = client.post("/api/subjects/0/looks", content=photo).json()["digest"]
    other = client.get("/api/examples/flower.jpg").content
    client.post("/api/subjects/0/looks", content=other)
    gone = client.get(f"/api/subjects/0/looks/{digest}/tokens/0")
    assert gone.status_code == 410
    assert "give it again" in gone.json()["error"]
    assert client.post("/api/subjects/0/looks", content=photo).json()["digest"] == digest
    assert client.get(f"/api/subjects/0/looks/{digest}/tokens/0").status_code == 200


def test_an_image_is_looked_at_once(
    serving: Serving, make_subject: MakeSubject, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []

    def counted(*arguments: Any) -> Any:
        passes.append(1)
        return look_at_fitted(*arguments)

    monkeypatch.setattr(app, "look_at_fitted", counted)
    client = serving(make_subject(), make_subject())
    for _ in range(3):
        first, second = (client.post(f"/api/subjects/{n}/looks", content=photo) for n in (0, 1))
        assert first.json() == second.json()
    assert len(passes) == 2


def test_a_full_line_is_told_at_once_and_others_are_served(
    serving: Serving, make_subject: MakeSubject, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return look_at_fitted(*arguments)

    monkeypatch.setattr(app, "look_at_fitted", slow)
    client = serving(make_subject(), places={"passes": 1, "maps": 1, "cuts": 1})
    answers = []
    post = lambda: answers.append(client.post("/api/subjects/0/looks", content=photo))  # noqa: E731
    thread = threading.Thread(target=post)
    thread.start()
    assert begun.wait(60)
    refused = client.post("/api/subjects/0/looks", content=photo)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert client.get("/api/subjects/0/positions/0").status_code == 200
    go_on.set()
    thread.join(60)
    assert answers[0].status_code == 200
    assert client.post("/api/subjects/0/looks", content=photo).status_code == 200


def test_a_failure_is_one_line_and_the_server_lives(
    serving: Serving, make_subject: MakeSubject, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serving(make_subject())
    with monkeypatch.context() as patch:
        patch.setattr(app, "look_at_fitted", lambda *_: torch.zeros(2) @ torch.zeros(3))
        answer = client.post("/api/subjects/0/looks", content=photo)
        assert answer.status_code == 500
        assert "terminal" in answer.json()["error"]
    assert client.post("/api/subjects/0/looks", content=photo).status_code == 200


def test_a_slow_image_holds_no_other(
    serving: Serving, make_subject: MakeSubject, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large image is decoded beside the small ones, however long it takes."""
    begun, go_on = threading.Event(), threading.Event()
    real = app.decode

    def slow(data: bytes, *more: Any) -> Any:
        if data != photo:
            begun.set()
            assert go_on.wait(60)
        return real(data, *more)

    monkeypatch.setattr(app, "decode", slow)
    monkeypatch.setattr(app, "_LARGE", 60 * 90)
    file = BytesIO()
    Image.new("RGB", (100, 90)).save(file, "PNG")
    client, answers = serving(make_subject()), []
    post = lambda: answers.append(  # noqa: E731
        client.post("/api/subjects/0/looks", content=file.getvalue())
    )
    thread = threading.Thread(target=post)
    thread.start()
    assert begun.wait(60)
    assert client.post("/api/subjects/0/looks", content=photo).status_code == 200
    go_on.set()
    thread.join(60)
    assert answers[0].status_code == 200


@pytest.mark.parametrize("digits", [10, 4400, 20_000])
def test_numbers_without_end_are_no_place(
    serving: Serving, make_subject: MakeSubject, digits: int
) -> None:
    client = serving(make_subject())
    for address in ("/api/subjects/{}/looks/x/seen.png", "/api/subjects/0/positions/{}"):
        assert client.get(address.format("9" * digits)).status_code == 404


@pytest.mark.parametrize("name", ["document.py", "__init__.py", "page.js", "../explorer/app.py"])
def test_sources_are_not_served(serving: Serving, make_subject: MakeSubject, name: str) -> None:
    assert serving(make_subject()).get(f"/report/{name}").status_code == 404

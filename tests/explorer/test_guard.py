"""Nobody but the page itself is answered, and the page reaches nothing outside."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from vitreous.explorer.guard import HEADERS
from vitreous.explorer.subject import Subject


@pytest.fixture
def client(serving: Callable[..., TestClient], make_subject: Callable[..., Subject]) -> TestClient:
    return serving(make_subject())


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "127.0.0.1"])
def test_loopback_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "a@localhost", "::"]
)
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    """DNS rebinding: the name of another site that points here."""
    for answer in (
        client.get("/api/subjects", headers={"host": host}),
        client.post("/api/subjects/0/looks", headers={"host": host}, content=b"x"),
    ):
        assert answer.status_code == 403
        assert "localhost only" in answer.json()["error"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_other_sites_may_not_send(client: TestClient, origin: str) -> None:
    answer = client.post("/api/subjects/0/looks", headers={"origin": origin}, content=b"x")
    assert answer.status_code == 403
    own = {"origin": "http://127.0.0.1:8765"}
    assert client.post("/api/subjects/0/looks", headers=own, content=b"x").status_code == 422


@pytest.mark.parametrize("address", ["/", "/main.js", "/api/subjects", "/nowhere"])
def test_every_answer_forbids_the_outside(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    for name, value in HEADERS.items():
        assert headers[name] == value
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]

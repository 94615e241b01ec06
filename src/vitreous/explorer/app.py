"""What the page asks for, address by address.

GET  /                                        the page, its style and its scripts
GET  /api/subjects                            facts of the models; names of the examples
GET  /api/examples/NAME                       an image file
GET  /api/subjects/M/positions/P              float32 (N,): cosine of P's position with each
POST /api/subjects/M/looks                    an image file -> its look: digest, probabilities
GET  /api/subjects/M/looks/DIGEST/seen.png    the image as the model saw it
GET  /api/subjects/M/looks/DIGEST/tokens/T    float32 (2, L, k, S): given by T, received by T
GET  /api/subjects/M/looks/DIGEST/maps/CLASS  relevance, or occlusion
POST /api/subjects/M/looks/DIGEST/masked      {"patches": [...]} -> probabilities without them

Decoding, decoding of large images, passes forward, maps of classes (which take longest) and cuts
out of what is there have threads of their own, so that none waits for another kind; where a line is
full the answer is 503, at once. An upload takes a place when it is there.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ExceptionHandler
from torch import Tensor

from vitreous.data.decode import decode, image_size
from vitreous.data.transform import fit_for_test
from vitreous.errors import BadImageError, MachineError, UserError
from vitreous.explorer.answers import masked_probabilities, token_attention
from vitreous.explorer.body import MAX_UPLOAD, Uploads
from vitreous.explorer.class_maps import ClassMaps
from vitreous.explorer.examples import Example, encode_png, examples_for
from vitreous.explorer.guard import Guard
from vitreous.explorer.lane import BusyError, ClosedError, Lane
from vitreous.explorer.look import Look, look_at_fitted
from vitreous.explorer.shelf import Shelf
from vitreous.explorer.subject import Subject
from vitreous.files import parse_json

_PAGE = Path(__file__).parent / "page"
_STYLE = Path(__file__).parents[1] / "report" / "page.css"
_MAX_QUESTION = 2**18

_PLACES = {"decodes": 16, "large": 4, "passes": 16, "maps": 8, "cuts": 64}
# Pixels from which an image waits behind others of its kind: a tenth of a second to decode.
_LARGE = 8_000_000


class _Place(Convertor[int]):
    """A number in an address, of few digits: Python refuses to read very many."""

    regex = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("place", _Place())


class Explorer:
    """The server behind the page.

    Args:
        subjects: Models, one or two.
        shelf: Where looks are kept.
        places: How many requests of each kind are taken at a time.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        shelf: Shelf | None = None,
        places: Mapping[str, int] = _PLACES,
    ) -> None:
        self.subjects = tuple(subjects)
        self.shelf = Shelf() if shelf is None else shelf
        found = examples_for(subjects[0].passport.preprocessing)
        self.examples: dict[str, Example] = {example.name: example for example in found}
        self.uploads = Uploads()
        lanes = {kind: Lane(count) for kind, count in (_PLACES | dict(places)).items()}
        self.decodes, self.large = lanes["decodes"], lanes["large"]
        self.passes, self.maps, self.cuts = lanes["passes"], lanes["maps"], lanes["cuts"]
        self._lanes = tuple(lanes.values())
        self.class_maps = [ClassMaps(subject, self.maps.check) for subject in self.subjects]

    def app(self) -> Starlette:
        """The application, for any ASGI server."""
        of_subject, of_look = "/api/subjects/{subject:place}", "/looks/{digest}"
        looks = f"{of_subject}{of_look}"
        routes: list[BaseRoute] = [
            Route("/api/subjects", self.facts),
            Route("/api/examples/{name}", self.example),
            Route(f"{of_subject}/positions/{{patch:place}}", self.positions),
            Route(f"{of_subject}/looks", self.look, methods=["POST"]),
            Route(f"{looks}/seen.png", self.seen),
            Route(f"{looks}/tokens/{{token:place}}", self.token),
            Route(f"{looks}/maps/{{label:place}}", self.map),
            Route(f"{looks}/masked", self.masked, methods=["POST"]),
            Route("/report/page.css", self.style),
            Mount("/", StaticFiles(directory=_PAGE, html=True)),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard)],
            exception_handlers=_HANDLERS,
            lifespan=self._life,
        )

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for lane in self._lanes:
                lane.close()

    async def facts(self, request: Request) -> Response:
        """The models and the examples."""
        examples = [
            {"name": example.name, "title": example.title, "credit": example.credit}
            for example in self.examples.values()
        ]
        facts = [subject.facts for subject in self.subjects]
        return JSONResponse({"subjects": facts, "examples": examples, "most_bytes": MAX_UPLOAD})

    async def style(self, request: Request) -> Response:
        """The reports' style, which is the page's too."""
        return FileResponse(_STYLE, media_type="text/css")

    async def example(self, request: Request) -> Response:
        """One example's file."""
        example = self.examples.get(request.path_params["name"])
        if example is None:
            raise HTTPException(404, "no such example")
        return Response(example.data, media_type=example.media_type)

    async def positions(self, request: Request) -> Response:
        """How alike the position of one patch is to that of each."""
        _, subject = self._subject(request)
        patch = _index(request, "patch", subject.grid[0] * subject.grid[1])
        with self.cuts.place():
            similarity = await self.cuts.run(lambda: subject.positions)
        if similarity is None:
            raise HTTPException(404, f"{subject.name} has no positions")
        return _floats(similarity[patch])

    async def look(self, request: Request) -> Response:
        """Take an image in."""
        number, subject = self._subject(request)
        data = await self.uploads.read(request, MAX_UPLOAD)
        digest = hashlib.sha256(data).hexdigest()[:32]
        rule = subject.passport.preprocessing
        look = self.shelf.get((number, digest))
        if look is None:
            height, width = image_size(data, "the image")
            lane = self.large if height * width > _LARGE else self.decodes
            with lane.place():
                fitted = await lane.run(
                    lambda: fit_for_test(decode(data, "the image", rule.channels), rule)
                )
            with self.passes.place():
                look = await self.passes.run(lambda: look_at_fitted(subject, fitted))
            self.shelf.put((number, digest), look)
        answer: dict[str, object] = {"digest": digest, "probabilities": _shares(look)}
        if look.inside is not None:
            answer |= {
                "distance": look.inside.distance.tolist(),
                "rollout": look.inside.rollout.flatten().tolist(),
            }
        return JSONResponse(answer)

    async def seen(self, request: Request) -> Response:
        """What the model saw of the image."""
        _, _, look = self._look(request)
        with self.cuts.place():
            data = await self.cuts.run(partial(encode_png, look.seen))
        return Response(data, media_type="image/png")

    async def token(self, request: Request) -> Response:
        """One token's attention, both ways, in every layer and head."""
        _, subject, look = self._look(request)
        inside = look.inside
        if inside is None:
            raise HTTPException(404, f"{subject.name} has no attention")
        token = _index(request, "token", inside.keys.shape[2])
        with self.cuts.place():
            return _floats(await self.cuts.run(lambda: token_attention(inside, token)))

    async def map(self, request: Request) -> Response:
        """Where the image counts for a class."""
        number, subject, look = self._look(request)
        label = _index(request, "label", len(subject.passport.class_names))
        with self.maps.place():
            found = await self.maps.run(partial(self.class_maps[number].of, look, label))
        return JSONResponse({"map": found.flatten().tolist()})

    async def masked(self, request: Request) -> Response:
        """What the model says without some patches."""
        _, subject, look = self._look(request)
        if look.probabilities is None:
            raise HTTPException(404, f"{subject.name} has no head to predict with")
        patches = _patches(await self.uploads.read(request, _MAX_QUESTION), subject)
        with self.passes.place():
            work = partial(masked_probabilities, subject, look, patches)
            shares = await self.passes.run(work)
        return JSONResponse({"probabilities": shares.tolist()})

    def _subject(self, request: Request) -> tuple[int, Subject]:
        number = _index(request, "subject", len(self.subjects))
        return number, self.subjects[number]

    def _look(self, request: Request) -> tuple[int, Subject, Look]:
        number, subject = self._subject(request)
        look = self.shelf.get((number, request.path_params["digest"]))
        if look is None:
            raise HTTPException(410, "this image is held no longer: give it again")
        return number, subject, look


def _index(request: Request, name: str, count: int) -> int:
    value: int = request.path_params[name]
    if value >= count:
        raise HTTPException(404, f"no {name} {value}: there are {count}")
    return value


def _shares(look: Look) -> list[float] | None:
    return None if look.probabilities is None else look.probabilities.tolist()


def _floats(values: Float[Tensor, "..."]) -> Response:
    """Little-endian float32, as browsers on all machines of today read them."""
    array = values.numpy().astype(np.dtype("<f4"), copy=False)
    return Response(array.tobytes(), media_type="application/octet-stream")


def _patches(body: bytes, subject: Subject) -> list[int]:
    """The numbers of a question's patches."""
    try:
        patches = parse_json(body, "the question")["patches"]
    except (ValueError, TypeError, KeyError) as error:
        raise HTTPException(400, 'ask with {"patches": [numbers]}') from error
    count = subject.grid[0] * subject.grid[1]
    if not isinstance(patches, list) or not all(
        type(patch) is int and 0 <= patch < count for patch in patches
    ):
        raise HTTPException(400, f"patches are whole numbers from 0 to {count - 1}")
    return patches


def _answer(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": reason}, status, headers)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, error.detail, error.headers)


async def _on_bad_image(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadImageError)
    return _answer(422, error.reason)


async def _on_user_error(request: Request, error: Exception) -> Response:
    return _answer(422, str(error))


async def _on_busy(request: Request, error: Exception) -> Response:
    return _answer(503, "too many requests at once: try again", {"Retry-After": "1"})


async def _on_closed(request: Request, error: Exception) -> Response:
    return _answer(503, "the server is going down")


async def _on_machine(request: Request, error: Exception) -> Response:
    return _answer(503, "this machine is short of memory: try again", {"Retry-After": "5"})


async def _on_failure(request: Request, error: Exception) -> Response:
    return _answer(500, "this failed; the terminal tells more")


_HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    HTTPException: _on_http,
    BadImageError: _on_bad_image,
    UserError: _on_user_error,
    BusyError: _on_busy,
    ClosedError: _on_closed,
    MachineError: _on_machine,
    Exception: _on_failure,
}

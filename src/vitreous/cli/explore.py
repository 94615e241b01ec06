"""Look inside a model in the browser: a page on this machine, which needs no network.

  vitreous explore runs/photos
  vitreous explore runs/photos --compare runs/other
  vitreous explore runs/photos --port 0 --browser

Drop a photo on the page: what the model says of it, what each patch attends to and what attends to
it in every layer and head, rollout and relevance, and what becomes of the answer when patches are
painted over. It answers on 127.0.0.1 only; from another machine: ssh -L 8765:127.0.0.1:8765.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from vitreous.errors import UserError


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("model", metavar="MODEL", help="run folder or checkpoint")
    parser.add_argument("--compare", metavar="MODEL", help="a second model beside it")
    parser.add_argument(
        "--port", metavar="INT", type=int, default=8765, help="0 takes any that is free"
    )
    parser.add_argument("--browser", action="store_true", help="open the page in the browser")
    parser.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--precision", metavar="NAME", default="float32", help="float32 (exact), bfloat16 or auto"
    )


def run(arguments: Namespace) -> int:
    """Load, listen, say where, answer until Ctrl-C."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"explore needs {error.name}: pip install 'vitreous[serve]'",
        ) from error
    from vitreous.explorer.app import Explorer
    from vitreous.explorer.server import address, bind, serve
    from vitreous.explorer.subject import Subject
    from vitreous.parallel.device import choose_engine
    from vitreous.weights.load import load

    with bind(arguments.port) as listener:
        engine = choose_engine(arguments.device, arguments.precision)
        paths = [arguments.model] + ([arguments.compare] if arguments.compare else [])
        subjects = [Subject(Path(path).resolve().name, load(path), engine) for path in paths]
        app = Explorer(subjects).app()
        names = " and ".join(subject.name for subject in subjects)
        print(f"{names}: {address(listener)} (Ctrl-C ends it)", flush=True)
        serve(app, listener, browser=arguments.browser)
    return 0

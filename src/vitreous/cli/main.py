"""The console script: finds the verb, runs it, and turns faults into one line and an exit code."""

import argparse
import difflib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NoReturn

from vitreous import __version__
from vitreous.errors import UserError

VERBS = {
    "train": "train a classifier on a data set, from scratch or from weights",
    "evaluate": "measure a model on a data set",
    "predict": "name what is on images",
    "compare": "put runs side by side, class by class",
    "explain": "show what a model looks at and what its layers do, as a page, figures and numbers",
    "explore": "look inside a model in the browser: patches, attention, masks",
    "convert": "write a model in another family's format, and prove it",
    "reproduce": "run a table or figure of the paper, and see whether its finding holds",
    "probe": "how good a model's features are: few-shot, neighbours, linear probe",
    "vtab": "measure a model on VTAB-1k: 19 tasks, 1,000 training images each",
    "embed": "write features of a data set to a Parquet file",
    "bench": "how fast models run here, beside other packages and the machine's limits",
    "models": "what models there are, what they cost, where weights are",
    "data": "look after a data set: faults, duplicates, shards",
}

OK, FAILURE, USER_ERROR, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """Argparse with errors of one line that name the nearest option."""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse the whole line; an unknown option names its nearest relative."""
        known, unknown = self.parse_known_args(arguments)
        if unknown:
            option = unknown[0].split("=")[0]
            nearest = difflib.get_close_matches(option, self._option_string_actions, n=1)
            hint = f": did you mean {nearest[0]}?" if nearest else ""
            self.error(f"unknown argument {option}{hint}")
        return known

    def error(self, message: str) -> NoReturn:
        """One line, exit 2."""
        self.exit(USER_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: Of the command line, without the program's name; sys.argv's where None.

    Returns:
        The exit code: 0, 1 for a failure, 2 for a mistake of the user's, 130 for Ctrl-C.
    """
    _bear_any_name()
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except UserError as error:
        return _fail(str(error), USER_ERROR)
    except ArithmeticError as error:
        return _fail(str(error), FAILURE)
    except KeyboardInterrupt:
        return _fail("stopped", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has left: nothing more can be said, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _bear_any_name() -> None:
    r"""Let file names that the terminal's code cannot say be printed, as `\udcXX`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # tests and notebooks put others there
            stream.reconfigure(errors="backslashreplace")


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0] == "--version":
        print(f"vitreous {__version__}", flush=True)
        return OK
    if not arguments or arguments[0] in ("-h", "--help"):
        title = "Vision Transformers you can see through."
        print(_list_verbs(title, VERBS, "vitreous") + "; vitreous --version prints the version.")
        return OK
    return _run_verb(arguments, VERBS, "vitreous")


def _run_verb(arguments: list[str], verbs: Mapping[str, str], program: str) -> int:
    """Run one of some verbs, or one of those that it is the heading of (`COMMANDS`)."""
    name, *rest = arguments
    if name not in verbs:
        nearest = difflib.get_close_matches(name, verbs, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(verbs)}"
        raise UserError(f"unknown verb {name!r}: {hint}")
    program = f"{program} {name}"
    # `vitreous data check` lives in cli/data_check.py.
    verb = import_module("vitreous.cli." + "_".join(program.split()[1:]))
    if hasattr(verb, "COMMANDS"):
        if not rest or rest[0] in ("-h", "--help"):
            print(_list_verbs(str(verb.__doc__), verb.COMMANDS, program), flush=True)
            return OK
        return _run_verb(rest, verb.COMMANDS, program)
    parser = Parser(
        prog=program,
        description=verb.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.add_arguments(parser)
    code: int = verb.run(parser.parse(rest))
    sys.stdout.flush()
    return code


def _list_verbs(title: str, verbs: Mapping[str, str], program: str) -> str:
    width = max(10, *map(len, verbs))
    listed = "\n".join(f"  {name:{width}} {words}" for name, words in verbs.items())
    return (
        f"{title.strip()}\n\nusage: {program} VERB ...\n\n{listed}\n\n"
        f"{program} VERB --help tells more"
    )


def _fail(message: str, code: int) -> int:
    print(f"vitreous: {' '.join(message.split())}", file=sys.stderr)
    return code

"""The console script: finds the verb, runs it, and turns faults into one line and an exit code."""

import argparse
import difflib
import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from vitreous import __version__
from vitreous.cli.terminal import plain_streams
from vitreous.errors import MachineError, UserError

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

OK, FAILURE, USER_ERROR, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


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
    with plain_streams():
        try:
            code = _caught(sys.argv[1:] if arguments is None else list(arguments))
        except SystemExit as leaving:  # argparse has printed help, or a mistake
            if (unwritten := _flushed()) is not None:
                raise SystemExit(unwritten) from leaving
            raise
        unwritten = _flushed()
        return unwritten if unwritten is not None and code == OK else code


def _caught(arguments: list[str]) -> int:
    """Run the line, and turn what it raises into a line and a code."""
    try:
        return _run(arguments)
    except UserError as error:
        return _fail(str(error), USER_ERROR)
    except (ArithmeticError, MachineError) as error:
        return _fail(str(error), FAILURE)
    except KeyboardInterrupt:
        return _fail("stopped", INTERRUPTED)
    except BrokenPipeError:
        _abandon_stdout()  # whoever read our output has left: nothing more can be said
        return OK
    except OSError as error:
        if error.errno == errno.ENOSPC and error.filename is None:
            _abandon_stdout()
            return _fail(f"cannot write the output: {error.strerror}", FAILURE)
        return _last_resort(error)
    except MemoryError as error:
        return _last_resort(error, "there is not enough memory: use a smaller batch or model")
    except Exception as error:
        return _last_resort(error)


def _last_resort(error: BaseException, advice: str = "") -> int:
    """One line for what nobody foresaw, and the traceback in a file that it names."""
    words = " ".join(str(error).split())[:300]
    told = advice or f"{type(error).__name__}{': ' if words else ''}{words}"
    try:
        descriptor, name = tempfile.mkstemp(prefix="vitreous-", suffix=".traceback.txt")
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"vitreous {__version__}\n{sys.argv!r}\n\n")
            traceback.print_exception(error, file=file)
        where = f"the traceback is in {name}"
    except Exception:  # a full disk, or no memory left
        where = "the traceback could not be written"
    return _fail(f"{told} ({where})", FAILURE)


def _flushed() -> int | None:
    """Write out what is waiting; None where that went well, else an exit code."""
    if sys.stdout is None:
        return None
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
    except (OSError, ValueError) as error:
        _abandon_stdout()
        return _fail(f"cannot write the output: {getattr(error, 'strerror', error)}", FAILURE)
    return None


def _abandon_stdout() -> None:
    """Drop what is still waiting to be written: Python would complain of it at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    return code


def _list_verbs(title: str, verbs: Mapping[str, str], program: str) -> str:
    width = max(10, *map(len, verbs))
    listed = "\n".join(f"  {name:{width}} {words}" for name, words in verbs.items())
    return (
        f"{title.strip()}\n\nusage: {program} VERB ...\n\n{listed}\n\n"
        f"{program} VERB --help tells more"
    )


def _fail(message: str, code: int) -> int:
    with suppress(OSError):  # where stderr is full too, the code alone tells
        print(f"vitreous: {' '.join(message.split())}", file=sys.stderr)
    return code

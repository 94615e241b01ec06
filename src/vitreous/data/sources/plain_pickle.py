"""Python pickles that hold plain values and NumPy arrays, read without running any of them.

The opcodes are listed by `pickletools`, which executes nothing, and carried out here: containers,
strings and numbers, and of all callables only those that rebuild a NumPy array. Everything else is
refused by name.
"""

import pickletools
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np

from vitreous.errors import UserError

_ARRAY, _TYPE, _CLASS, _ENCODE, _BYTES = "array", "dtype", "ndarray", "encode", "bytes"

# What a pickle may name -> what it stands for here. None of it is imported or called.
_NAMES = {
    "numpy.core.multiarray _reconstruct": _ARRAY,
    "numpy._core.multiarray _reconstruct": _ARRAY,
    "numpy ndarray": _CLASS,
    "numpy dtype": _TYPE,
    "_codecs encode": _ENCODE,
    "__builtin__ bytes": _BYTES,
}

# Opcode -> the value it pushes, made of its argument.
_VALUES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "BINFLOAT", "FLOAT"), lambda v: v
    ),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "UNICODE", "BINUNICODE8"), lambda v: v),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), lambda v: v),
    # Python 2's strings are bytes.
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), lambda v: v.encode("latin-1")),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
}

_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")


def read_plain_pickle(data: bytes, name: str) -> dict[str, Any]:
    """Read a pickled dictionary of numbers, strings, lists and NumPy arrays.

    Python 2's strings come as bytes, keys as str.

    Args:
        data: The whole file.
        name: What to call it in an error.

    Raises:
        UserError: The file is damaged, no dictionary, or holds anything else: that is not run.
    """
    try:
        value = _Machine().run(data)
        if not isinstance(value, dict):
            raise ValueError("no dictionary")
        return {
            key.decode("latin-1") if isinstance(key, bytes) else str(key): (
                held.value if isinstance(held, _Array) else held
            )
            for key, held in value.items()
        }
    except Exception as fault:
        # Damaged opcodes meet the stack in as many ways as there are exceptions.
        reason = " ".join(str(fault).split())[:120] or type(fault).__name__
        raise UserError(f"{name}: cannot be read ({reason}): download it again") from fault


class _Array:
    """A NumPy array that is being rebuilt."""

    value: np.ndarray | None = None

    def fill(self, state: Any) -> None:
        """From the state that NumPy pickles: (version, shape, dtype, Fortran order, bytes)."""
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise ValueError("an array of objects")
        self.value = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")


class _Type:
    """A NumPy dtype of numbers."""

    def __init__(self, code: Any) -> None:
        self.dtype = np.dtype(code.decode() if isinstance(code, bytes) else str(code))
        if self.dtype.kind not in "biuf":
            raise ValueError(f"an array of {self.dtype}")

    def fill(self, state: Any) -> None:
        """From NumPy's state: (version, byte order, ...)."""
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        if order == ">":
            self.dtype = self.dtype.newbyteorder(">")


class _Named(str):
    """A callable's place on the stack: its name, and nothing that could be called."""


class _Machine:
    """Pickle's stack machine, of few words."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        """The value of a pickle."""
        argument: Any
        for opcode, argument, _ in pickletools.genops(BytesIO(data)):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in _VALUES:
                self.stack.append(_VALUES[name](argument))
            elif name in _PUTS:
                self.memo[int(argument)] = self.stack[-1]
            elif name in _GETS:
                self.stack.append(self.memo[int(argument)])
            elif name in _TUPLES:
                count = _TUPLES[name]
                self.stack[-count:] = [tuple(self.stack[-count:])]
            elif name == "GLOBAL":
                self._name(argument)
            else:
                step = getattr(self, f"_{name.lower()}", None)
                if step is None:
                    raise ValueError(f"it holds more than plain values: {name}")
                step()
        raise ValueError("it ends early")

    def _proto(self) -> None:
        pass

    _frame = _proto

    def _mark(self) -> None:
        self.marks.append(len(self.stack))

    def _cut(self) -> list[Any]:
        """What lies above the last mark."""
        start = self.marks.pop()
        top = self.stack[start:]
        del self.stack[start:]
        return top

    def _memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _tuple(self) -> None:
        self.stack.append(tuple(self._cut()))

    def _list(self) -> None:
        self.stack.append(self._cut())

    def _dict(self) -> None:
        top = self._cut()
        self.stack.append(dict(zip(top[::2], top[1::2], strict=True)))

    def _append(self) -> None:
        value = self.stack.pop()
        self._top(list).append(value)

    def _appends(self) -> None:
        values = self._cut()
        self._top(list).extend(values)

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._top(dict)[key] = value

    def _setitems(self) -> None:
        top = self._cut()
        self._top(dict).update(zip(top[::2], top[1::2], strict=True))

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"no {kind.__name__} where one is filled")
        return self.stack[-1]

    def _name(self, spelt: str) -> None:
        if spelt not in _NAMES:
            raise ValueError(f"it names {spelt.replace(' ', '.')}, which is not run")
        self.stack.append(_Named(_NAMES[spelt]))

    def _stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(f"{module} {name}")

    def _reduce(self) -> None:
        arguments, what = self.stack.pop(), self.stack.pop()
        if not isinstance(what, _Named):
            raise ValueError("it calls a value")
        if what == _ARRAY:
            self.stack.append(_Array())
        elif what == _TYPE:
            self.stack.append(_Type(arguments[0]))
        elif what == _ENCODE and arguments[1] in ("latin1", "latin-1"):
            self.stack.append(arguments[0].encode("latin-1"))
        elif what == _BYTES and arguments == ():  # how Python 3 spells b"" to Python 2
            self.stack.append(b"")
        else:
            raise ValueError(f"it calls {what}")

    def _build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _Type):
            raise ValueError("it fills an object")
        self.stack[-1].fill(state)

import os
import pickle  # noqa: TID251 (to write what is read here without it)
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.data.sources.plain_pickle import read_plain_pickle
from vitreous.errors import UserError

PLAIN = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary()
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
        max_leaves=6,
    ),
)  # fmt: skip


@given(PLAIN, st.sampled_from([2, 3, 4, 5]))
def test_plain_values_of_every_protocol(tmp_path_factory, values, protocol):
    path = tmp_path_factory.getbasetemp() / "plain.pickle"
    path.write_bytes(pickle.dumps(values, protocol))
    assert read_plain_pickle(path.read_bytes(), str(path)) == values


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["u1", "<i4", ">i2", "f8", "?"])
def test_arrays(tmp_path, protocol, dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    held = {"plain": array, "turned": np.asfortranarray(array), "again": [1]}
    (tmp_path / "a").write_bytes(pickle.dumps(held, protocol))
    read = read_plain_pickle((tmp_path / "a").read_bytes(), str(tmp_path / "a"))
    for key in ("plain", "turned"):
        np.testing.assert_array_equal(read[key], array)


def test_python_2(tmp_path):
    """As Python 2's cPickle wrote CIFAR's batches: strings are bytes there."""
    data = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\n"
        b"q\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01"
        b"\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x06\x00\x00\x00"
        b"\x00\x01\x02\xfd\xfe\xfftbU\x06labelsq\x08]q\x09(K\x06K\x09eU\x05wordsq\x0a]q\x0bU\x03catau."
    )
    (tmp_path / "a").write_bytes(data)
    read = read_plain_pickle((tmp_path / "a").read_bytes(), str(tmp_path / "a"))
    np.testing.assert_array_equal(read["data"], [[0, 1, 2], [253, 254, 255]])
    assert read["labels"] == [6, 9]
    assert read["words"] == [b"cat"]


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_run(tmp_path, protocol):
    for held in ({"a": Trap(tmp_path / "ran")}, {"a": np.array([Trap(tmp_path / "ran")], object)}):
        (tmp_path / "a").write_bytes(pickle.dumps(held, protocol))
        with pytest.raises(UserError, match="cannot be read") as caught:
            read_plain_pickle((tmp_path / "a").read_bytes(), str(tmp_path / "a"))
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cposix\nsystem\n(S'true'\ntR.", "it names posix.system, which is not run"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "it names builtins.eval"),
        (b"(S'true'\niposix\nsystem\n.", "it holds more than plain values: INST"),
        (b"(cnumpy\nndarray\no.", "it holds more than plain values: OBJ"),
        (b"cnumpy\nndarray\n)R.", "it calls ndarray"),
        (b"}}b.", "it fills an object"),
        (b"K\x01)R.", "it calls a value"),
        (b"]K\x01K\x02s.", "no dict where one is filled"),
        (b"K\x01.", "no dictionary"),
        (b"", "ended without a STOP|exhausted"),
        (b"}", "exhausted|STOP"),
        (b"h\x07.", "7"),
        (b"s.", "pop from empty list"),
        (b"\xfe\xff", "opcode"),
    ],
)
def test_all_else_is_refused(tmp_path, data, message):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_plain_pickle((tmp_path / "a").read_bytes(), str(tmp_path / "a"))


@given(st.binary(max_size=200))
def test_noise_is_refused_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "noise.pickle"
    path.write_bytes(b"\x80\x02}q\x01(" + data)
    try:
        read_plain_pickle(path.read_bytes(), str(path))
    except UserError as error:
        assert str(error).count("\n") == 0  # noqa: PT017

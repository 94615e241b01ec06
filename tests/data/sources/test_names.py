import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vitreous.data.sources.names import PackedNames

LISTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])))


@given(LISTS, LISTS)
def test_as_a_list(first, second):
    packed = PackedNames.join([PackedNames.pack(first), PackedNames.pack(second)])
    names = first + second
    assert packed == names
    assert names == packed
    assert list(packed) == names
    assert packed[1:] == names[1:]
    assert packed[::-2] == names[::-2]
    backwards = np.arange(len(names))[::-1]
    assert packed.take(backwards) == names[::-1]
    assert PackedNames.pack(packed.take(backwards)) == names[::-1]


def test_differences_and_odd_names(send):
    names = ["a/1", "größe", "\udcff.png", ""]
    packed = PackedNames.pack(names)
    assert send(packed)[0] == names
    assert packed[-1] == ""
    assert packed != ["a/1"]
    assert packed != "a"
    assert repr(packed) == "PackedNames('a/1', 'größe', '\\udcff.png', ...)"


def test_a_million_names_take_few_bytes_to_send(send):
    packed = PackedNames.pack(f"{number:07d}" for number in range(100_000))
    _, size = send(packed)
    assert size < 24 * 100_000

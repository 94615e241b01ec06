import pytest

from vitreous.data.sources.brace import expand_braces
from vitreous.errors import UserError


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("a-{008..010}.tar", ["a-008.tar", "a-009.tar", "a-010.tar"]),
        ("{9..11}", ["9", "10", "11"]),
        ("{a,b}-{0..1}", ["a-0", "a-1", "b-0", "b-1"]),
    ],
)
def test_as_a_shell_does(pattern, names):
    assert expand_braces(pattern) == names


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a-{3..1}.tar", r"runs backwards: write \{1\.\.3\}"),
        ("a-{x}.tar", "neither"),
        ("a-{0..9999999}.tar", "10,000,000 files"),
        ("{0..99999}{0..99999}", "10,000,000,000 files"),
    ],
)
def test_slips(pattern, message):
    with pytest.raises(UserError, match=message):
        expand_braces(pattern)

import pytest

from vitreous.data.faults import Faults
from vitreous.errors import BadImageError, UserError


def bad(number: int) -> BadImageError:
    return BadImageError(f"{number}.jpg", "cut short")


def test_up_to_the_limit_images_are_named() -> None:
    faults = Faults(total=200, limit=0.01)
    for number in (1, 2, 1, 2, 1):
        faults.add(bad(number))
    assert faults.reasons == {"1.jpg": "cut short", "2.jpg": "cut short"}
    with pytest.raises(
        UserError, match=r"3 of 200 images .* limit of 1%: .*bad_limit .*--resume\): 1.jpg \(cut"
    ):
        faults.add(bad(3))


def test_one_image_never_stops_a_run() -> None:
    faults = Faults(total=3, limit=0)
    faults.add(bad(1))
    with pytest.raises(UserError, match="2 of 3"):
        faults.add(bad(2))


@pytest.mark.parametrize(("total", "limit"), [(1, 0.01), (3, 1.0)])
def test_nothing_left_always_does(total: int, limit: float) -> None:
    faults = Faults(total, limit)
    for number in range(total - 1):
        faults.add(bad(number))
    with pytest.raises(UserError, match=f"{total} of {total} images cannot be read"):
        faults.add(bad(total))


def test_the_list_is_cut_and_stays_one_line() -> None:
    faults = Faults(total=1000, limit=0.02)
    for number in range(20):
        faults.add(bad(number))
    with pytest.raises(UserError) as caught:
        faults.add(bad(20))
    assert str(caught.value).count(".jpg") == 10
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), -0.1, 2])
def test_a_limit_that_is_no_share_is_refused(limit: float) -> None:
    with pytest.raises(UserError, match="bad_limit is .*: give a share"):
        Faults(10, limit)

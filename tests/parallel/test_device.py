from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch

from vitreous.errors import UserError
from vitreous.parallel import device as module
from vitreous.parallel.device import Engine, choose_engine


@pytest.fixture(autouse=True)
def _fresh() -> None:
    module._best_precision.cache_clear()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_asked_for_is_taken(precision: str) -> None:
    engine = choose_engine("cpu", precision)
    assert (engine.device, engine.precision) == (torch.device("cpu"), precision)
    assert engine.reason == "as asked"


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_engine("auto", "float32").device.type == (
        "cuda" if torch.cuda.is_available() else "cpu"
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_engine("auto", "float32").device.type == "cpu"


@pytest.mark.parametrize("name", ["gpu", "", "cuda:77", "xpu", "cpu;", "meta"])
def test_a_device_that_is_not_here(name: str) -> None:
    with pytest.raises(UserError, match=f"device {name!r} is not to be had here: try device auto"):
        choose_engine(name)


def test_an_unknown_precision() -> None:
    with pytest.raises(UserError, match="precision 'fp8': choose auto, float32 or bfloat16"):
        choose_engine("cpu", "fp8")


@pytest.mark.parametrize(
    ("ratio", "precision", "reason"),
    [
        (3.14, "bfloat16", "measured 3.1 x float32 on this CPU"),
        (1.3, "float32", "measured only 1.3 x float32"),
        (0.2, "float32", "measured only 0.2 x float32"),
    ],
)
def test_a_cpu_takes_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, ratio: float, precision: str, reason: str
) -> None:
    monkeypatch.setattr(module, "_bfloat16_speed_ratio", lambda: ratio)
    engine = choose_engine("cpu")
    assert engine.precision == precision
    assert reason in engine.reason


def test_it_measures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(module, "_bfloat16_speed_ratio", lambda: measured.append(1) or 2.0)
    assert choose_engine("cpu") == choose_engine("cpu")
    assert measured == [1]


def test_the_measure_is_a_ratio_of_this_machine() -> None:
    assert 0.001 < module._bfloat16_speed_ratio() < 100


def test_the_measure_heeds_no_mode_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def linear(x: torch.Tensor, weight: torch.Tensor) -> None:
        seen.append((x.device.type, weight.device.type, torch.is_autocast_enabled("cpu")))

    monkeypatch.setattr(module.F, "linear", linear)
    with torch.device("meta"), torch.autocast("cpu"):
        module._ratio_of_products(rows=4, width=2, rounds=1)
    assert seen == [("cpu", "cpu", False)] * 2


@pytest.mark.parametrize(("small", "sizes"), [(0.02, [256]), (0.9, [256, 512])])
def test_bfloat16_without_a_kernel_is_not_measured_at_length(
    monkeypatch: pytest.MonkeyPatch, small: float, sizes: list[int]
) -> None:
    asked = []

    def ratio(rows: int, width: int, rounds: int) -> float:
        asked.append(width)
        return small if width == 256 else 2.0

    monkeypatch.setattr(module, "_ratio_of_products", ratio)
    assert module._bfloat16_speed_ratio() == (small if small < 0.5 else 2.0)
    assert asked == sizes


@pytest.mark.parametrize(("supported", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_is_asked_for_its_matrix_units(
    monkeypatch: pytest.MonkeyPatch, supported: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert module._best_precision("cuda")[0] == precision
    assert module._best_precision("mps") == ("float32", "not measured on this kind of device")


def test_autocast_is_on_for_bfloat16_only() -> None:
    x = torch.ones(2, 2)
    with choose_engine("cpu", "bfloat16").autocast():
        assert (x @ x).dtype == torch.bfloat16
    with choose_engine("cpu", "float32").autocast() as nothing:
        assert (x @ x).dtype == torch.float32
    assert nothing is nullcontext().enter_result


def flags() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.fixture
def _tf32() -> Iterator[None]:
    """Both on, and as they were afterwards."""
    before = flags()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.usefixtures("_tf32")
def test_float32_on_a_gpu_is_no_tf32() -> None:
    engine = Engine(torch.device("cuda"), "float32", "as asked")
    with engine.exact():
        with engine.autocast():
            assert flags() == (False, False)
        assert flags() == (False, False)
    assert flags() == (True, True)


@pytest.mark.usefixtures("_tf32")
def test_flags_of_gpus_are_left_alone_elsewhere() -> None:
    with choose_engine("cpu", "float32").autocast():
        assert flags() == (True, True)
    with Engine(torch.device("cuda"), "bfloat16", "as asked").exact():
        assert flags() == (True, True)


@pytest.mark.usefixtures("_tf32")
def test_flags_set_by_their_newer_names_are_heeded() -> None:
    """PyTorch refuses to read the older ones then."""
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    with Engine(torch.device("cuda"), "float32", "as asked").autocast():
        assert torch.backends.cuda.matmul.fp32_precision != "tf32"
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    torch.backends.cudnn.allow_tf32 = True


@pytest.mark.usefixtures("_tf32")
def test_flags_are_let_be_in_what_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_compiling", lambda: True)
    with Engine(torch.device("cuda"), "float32", "as asked").autocast():
        assert flags() == (True, True)

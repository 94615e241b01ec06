"""Which cases there are."""

from pathlib import Path

import pytest

from vitreous.bench.case import Case
from vitreous.bench.plan import Plan, config_of, estimate
from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.weights.save import save


@pytest.fixture(autouse=True)
def _bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitreous.bench.plan.kernel_has", lambda dtype: True)


def test_bfloat16_is_left_out_where_a_cpu_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitreous.bench.plan.kernel_has", lambda dtype: False)
    assert {case.precision for case in Plan().cases()} == {"float32"}
    assert "bfloat16" in {case.precision for case in Plan(device="cuda").cases()}
    assert {case.precision for case in Plan(precisions=("bfloat16",)).cases()} >= {"bfloat16"}


def test_quick() -> None:
    cases = Plan(quick=True).cases()
    assert {case.model for case in cases} == {"ViT-B/16"}
    assert {case.batch for case in cases} == {8}
    assert [case.work for case in cases] == ["inference", "inference", "default"]


def test_all_of_it() -> None:
    cases = Plan().cases()
    assert len({case.key for case in cases}) == len(cases)
    table = [case for case in cases if case.work == "inference" and case.image_size is None]
    assert {case.batch for case in table} >= {1, 8, 64}
    assert {case.model for case in table} == {f"ViT-{size}/16" for size in ("Ti", "S", "B", "L")}
    assert {(case.precision, case.mode) for case in table} == {
        (precision, mode) for precision in ("float32", "bfloat16") for mode in ("eager", "compiled")
    }
    assert {case.image_size for case in cases} >= {128, 512, 1024}
    assert "ViT-H/14" in {case.model for case in Plan(device="cuda").cases()}


def test_what_is_asked_for() -> None:
    (case,) = Plan(
        tasks=("training",),
        models=("ViT-Ti/16",),
        precisions=("bfloat16",),
        modes=("compiled",),
        batches=(4,),
        threads=1,
    ).cases()
    assert case.key == "training ViT-Ti/16 bfloat16 compiled batch 4 cpu on 1 thread"
    assert config_of(case).name == "ViT-Ti/16"
    sides = {case.image_size for case in Plan(tasks=("growth",), models=("ViT-H/14",)).cases()}
    assert all(side % 14 == 0 for side in sides - {None})


def test_sizes_are_those_that_a_checkpoint_takes(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save(create_model("ViT-Ti/14", image_size=28, depth=1, width=16, heads=1), file)
    for case in Plan(tasks=("growth",), models=(str(file),)).cases():
        config = config_of(case)
        assert config.image_size[0] == (case.image_size or 28)
    odd = Case(work="inference", model=str(file), image_size=100)
    with pytest.raises(UserError, match="image height 100 is no multiple of the patch side 14"):
        config_of(odd)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(tasks=("sleeping",)), "task 'sleeping'"),
        (Plan(precisions=("int3",)), "precision 'int3'"),  # type: ignore[arg-type]
        (Plan(modes=("slow",)), "mode 'slow'"),  # type: ignore[arg-type]
        (Plan(batches=(0,)), "batch is 0"),
    ],
)
def test_mistakes(plan: Plan, words: str) -> None:
    with pytest.raises(UserError, match=words):
        plan.cases()


def test_an_estimate_grows_with_the_work() -> None:
    def rate(precision: str, device: str) -> float:
        return 1e11

    small, large, step = (
        estimate(Case(work=work, model="ViT-B/16", batch=batch), 5, 9, rate)
        for work, batch in (("inference", 1), ("inference", 8), ("training", 8))
    )
    assert small < large < step < 3.1 * large

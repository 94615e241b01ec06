"""A teacher from disk, and a student that learns from it."""

from dataclasses import replace

import pytest

from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.objective.config import DistillationConfig
from vitreous.objective.distill import Distillation
from vitreous.parallel.device import choose_engine
from vitreous.train.objectives import build_objective
from vitreous.train.run import train
from vitreous.weights.load import load

ENGINE = choose_engine("cpu", "float32")


@pytest.fixture
def teacher(make_config, digits, console, tmp_path) -> str:
    model = BiTConfig(
        image_size=(8, 8), channels=1, units=(1,), stem_width=8, num_classes=10, norm_groups=4
    )
    train(make_config(model=model, steps=2), digits, tmp_path / "teacher", console)
    return str(tmp_path / "teacher")


def test_a_convolutional_teacher_and_a_student_with_a_token(
    make_config, digits, console, tmp_path, teacher
) -> None:
    config = make_config(objective=DistillationConfig(teacher=teacher), steps=4)
    model = replace(config.model, pooling="distilled", registers=1)
    report = train(replace(config, model=model), digits, tmp_path / "student", console)
    assert report["num_images"] == 360
    student = load(tmp_path / "student")
    assert student.config.pooling == "distilled"
    assert student.passport.origin["objective"] == "distillation"


def test_the_teachers_classes_are_matched_by_name(make_config, digits, teacher) -> None:
    config = make_config(objective=DistillationConfig(teacher=teacher))
    backwards = replace(digits, class_names=digits.class_names[::-1])
    built = build_objective(config, backwards, ENGINE)
    assert isinstance(built, Distillation)
    assert built.teacher.columns.tolist() == list(range(10))[::-1]
    assert not any(p.requires_grad for p in built.teacher.model.parameters())


def test_a_teacher_that_does_not_fit_is_refused(
    make_config, digits, console, tmp_path, teacher
) -> None:
    def build(address: str, **model: int) -> None:
        config = make_config(objective=DistillationConfig(teacher=address))
        if model:
            config = replace(
                config,
                model=replace(config.model, **model),
                preprocessing=replace(
                    config.preprocessing, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3
                ),
            )
        build_objective(config, digits, ENGINE)

    with pytest.raises(UserError, match="learn from whom"):
        build("")
    with pytest.raises(UserError, match="takes 1 channels and the student 3"):
        build(teacher, channels=3)
    with pytest.raises(UserError, match="nowhere"):
        build(str(tmp_path / "nowhere"))

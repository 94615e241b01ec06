from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.vit import VisionTransformer
from vitreous.weights.passport import (
    Passport,
    canary_answer,
    canary_image,
    check_canary,
    passport_of,
)

Trained = Callable[..., VisionTransformer]


def test_it_comes_back_from_its_text(trained: Trained) -> None:
    passport = replace(passport_of(trained()), canary=(1.0, 2.0, 0.1), licence="MIT")
    text = passport.to_json()
    assert "\n" not in text
    assert Passport.from_json(text) == passport


def test_fields_of_a_later_version_are_passed_over(trained: Trained) -> None:
    text = passport_of(trained()).to_json()
    later = text[:-1] + ', "horoscope": "aries"}'
    assert Passport.from_json(later) == Passport.from_json(text)


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (224, 224)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_canary_is_the_same_everywhere_and_never_plain(
    size: tuple[int, int], channels: int
) -> None:
    half = (0.5,) * channels
    rule = Preprocessing(size=size, channels=channels, mean=half, std=half)
    image = canary_image(rule)
    assert image.shape == (1, channels, *size)
    assert torch.equal(image, canary_image(rule))
    turned = [image.flip(2), image.flip(3), image.flip(2, 3)]
    turned += [image.roll(shift, 1) for shift in range(1, channels)]
    assert not any(torch.equal(image, other) for other in turned)


def test_its_pixels_are_written_down() -> None:
    """Another image would fail every file that was ever saved."""
    image = canary_image(Preprocessing(size=(16, 24)))
    assert image[0, :, 3, 5].tolist() == [43, 170, 104]
    assert (image.flatten().long() * torch.arange(1, 1153)).sum() == 84_946_164


def test_a_small_difference_of_machines_passes(trained: Trained) -> None:
    model = trained()
    passport = passport_of(model)
    logits, _ = canary_answer(model, passport.preprocessing)
    scale = max(float(logits.abs().max()), 1.0)
    for share, passes in ((1e-4, True), (1e-2, False)):
        noted = replace(passport, canary=tuple((logits + share * scale).tolist()))
        if passes:
            check_canary(model, noted)
        else:
            with pytest.raises(UserError, match="the canary failed"):
                check_canary(model, noted)


def test_a_head_of_zeros_has_a_canary_all_the_same(trained: Trained) -> None:
    model = trained()
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    passport = passport_of(model)
    logits, features = canary_answer(model, passport.preprocessing)
    assert not logits.any()
    noted = replace(passport, canary=logits.tolist(), canary_features=features.tolist())
    check_canary(model, noted)
    with torch.no_grad():
        model.encoder.blocks[0].attention.qkv.weight.mul_(1.5)
    with pytest.raises(UserError, match="the canary failed"):
        check_canary(model, noted)
    check_canary(model, replace(noted, canary_features=()))  # a passport of before


def test_another_number_of_logits_fails(trained: Trained) -> None:
    model = trained()
    with pytest.raises(UserError, match="the canary failed"):
        check_canary(model, replace(passport_of(model), canary=(0.0, 0.0)))


def test_a_model_without_one_has_the_official_preprocessing() -> None:
    passport = passport_of(create_model("Ti/16", image_size=32, depth=1, channels=1))
    assert passport.preprocessing == Preprocessing(
        size=(32, 32), channels=1, mean=(0.5,), std=(0.5,)
    )
    assert len(passport.class_names) == 1000

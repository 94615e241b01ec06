import weakref
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from vitreous.data.batch import normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.transform import fit_for_test
from vitreous.errors import BadImageError, UserError
from vitreous.evaluate.predict import predict, read_picture
from vitreous.model.build import create_model
from vitreous.model.vit import VisionTransformer
from vitreous.weights.passport import passport_of

NAMES = ("daisy", "rose", "tulip")
Model = Callable[..., VisionTransformer]


@pytest.fixture
def model() -> Model:
    def make(channels: int = 3, num_classes: int = 3) -> VisionTransformer:
        torch.manual_seed(0)
        made = create_model(
            "Ti/16", image_size=32, depth=1, channels=channels, num_classes=num_classes
        )
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        made.passport = replace(passport_of(made), class_names=NAMES[:num_classes])
        return made.eval()

    return make


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    draw = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path in paths:
        Image.fromarray(draw.integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    return paths


Shares = tuple[tuple[str, float], ...]


def same(one: Shares, other: Shares) -> bool:
    alike = [name for name, _ in one] == [name for name, _ in other]
    return alike and [p for _, p in one] == pytest.approx([p for _, p in other])


def test_it_is_the_softmax_of_the_model_under_its_own_preprocessing(
    model: Model, photos: list[Path]
) -> None:
    made = model()
    rule = Preprocessing(size=(32, 32), mean=(0.3, 0.4, 0.5), std=(0.2, 0.2, 0.3), fit="squash")
    made.passport = replace(passport_of(made), preprocessing=rule)
    (prediction,) = predict(made, photos[0], precision="float32")
    pixels = fit_for_test(np.array(Image.open(photos[0])), rule)
    shares = made(normalise(pixels[None], rule)).softmax(1)[0].tolist()
    for name, share in zip(NAMES, shares, strict=True):
        assert dict(prediction.probabilities)[name] == pytest.approx(share, abs=1e-5)
    assert prediction.name == str(photos[0])
    assert prediction.label == NAMES[int(np.argmax(shares))]
    assert prediction.confidence == max(share for _, share in prediction.probabilities)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 32])
def test_order_and_names_are_kept_across_batches(
    model: Model, photos: list[Path], batch_size: int
) -> None:
    made = model()
    many = predict(made, photos, batch_size=batch_size, precision="float32")
    assert [p.name for p in many] == [str(path) for path in photos]
    for path, prediction in zip(photos, many, strict=True):
        (alone,) = predict(made, path, precision="float32")
        assert same(alone.probabilities, prediction.probabilities)
        values = [share for _, share in prediction.probabilities]
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-5)


def test_of_a_batch_no_more_than_one_whole_photograph_is_held(
    model: Model, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[weakref.ref[np.ndarray]] = []

    def watched(*arguments: Any) -> np.ndarray:
        assert not [one for one in whole if one() is not None]
        pixels = read_picture(*arguments)
        whole.append(weakref.ref(pixels))
        return pixels

    monkeypatch.setattr("vitreous.evaluate.predict.read_picture", watched)
    assert len(predict(model(), photos)) == len(whole) == 5


def test_paths_pictures_and_arrays_are_alike(model: Model, photos: list[Path]) -> None:
    made = model()
    picture = Image.open(photos[0])
    kinds = [str(photos[0]), photos[0], picture, np.array(picture), np.asarray(picture)]
    together = predict(made, iter(kinds))
    assert [p.name for p in together] == [str(photos[0])] * 2 + ["image 2", "image 3", "image 4"]
    for kind, prediction in zip(kinds, together, strict=True):
        (alone,) = predict(made, kind)
        assert same(alone.probabilities, prediction.probabilities)
        assert same(together[0].probabilities, prediction.probabilities)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "CMYK", "1", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_mode(model: Model, photos: list[Path], mode: str, channels: int) -> None:
    picture = Image.open(photos[0]).convert("L" if mode == "I;16" else "RGB").convert(mode)
    assert len(predict(model(channels), picture)) == 1


def test_a_picture_stands_upright(model: Model, photos: list[Path]) -> None:
    made, picture = model(), Image.open(photos[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = BytesIO()
    picture.rotate(90, expand=True).save(stored, "PNG", exif=exif)
    turned = Image.open(stored)
    assert same(predict(made, turned)[0].probabilities, predict(made, picture)[0].probabilities)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_arrays_of_other_channels_are_read_as_pictures_are(
    model: Model, photos: list[Path], mode: str, channels: int
) -> None:
    made, picture = model(channels), Image.open(photos[0]).convert(mode)
    if "A" in mode:
        picture.putalpha(120)
    (expected,) = predict(made, picture, precision="float32")
    for array in (np.asarray(picture), np.asarray(picture)[None]):
        if mode == "L" and array.ndim == 3:
            array = array[..., None]  # a batch has its channels
        (found,) = predict(made, array, precision="float32")
        assert same(found.probabilities, expected.probabilities)


def test_an_array_of_strings_is_paths(model: Model, photos: list[Path]) -> None:
    texts = list(map(str, photos))
    for images in (np.array(texts), np.array(texts, object)):
        assert [p.name for p in predict(model(), images)] == texts
    assert [p.name for p in predict(model(), np.array(texts[0]))] == texts[:1]


def test_grey_arrays_may_be_flat(model: Model) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    flat, deep = predict(model(1), [grey, grey[:, :, None]])
    assert flat.probabilities == deep.probabilities


def test_classes_of_one_name_stay_apart(model: Model, photos: list[Path]) -> None:
    made = model()
    made.passport = replace(passport_of(made), class_names=("crane", "rose", "crane"))
    (prediction,) = predict(made, photos[0])
    assert sorted(name for name, _ in prediction.probabilities) == ["crane", "crane", "rose"]


@pytest.mark.parametrize(("top", "named"), [(1, 1), (2, 2), (3, 3), (99, 3)])
def test_top(model: Model, photos: list[Path], top: int, named: int) -> None:
    (prediction,) = predict(model(), photos[0], top=top)
    assert len(prediction.probabilities) == named


@pytest.mark.parametrize("option", ["top", "batch_size"])
@pytest.mark.parametrize("value", [0, -1])
def test_nothing_at_a_time_is_refused(
    model: Model, photos: list[Path], option: str, value: int
) -> None:
    with pytest.raises(UserError, match=f"{option} is {value}: give at least 1"):
        predict(model(), photos, **{option: value})


@pytest.fixture
def bad(tmp_path: Path, photos: list[Path]) -> dict[str, object]:
    cut = tmp_path / "cut.png"
    cut.write_bytes(photos[0].read_bytes()[:3000])
    (tmp_path / "text.jpg").write_text("no image")
    return {
        str(tmp_path / "none.png"): tmp_path / "none.png",
        str(tmp_path): tmp_path,
        str(cut): cut,
        str(tmp_path / "text.jpg"): str(tmp_path / "text.jpg"),
        "image 4": np.zeros((4, 4, 3)),
        "image 5": np.zeros((4, 4, 5), np.uint8),
        "image 6": np.zeros(4, np.uint8),
        "image 7": np.zeros((0, 4, 3), np.uint8),
        "image 8": Image.open(BytesIO(cut.read_bytes())),
        "image 9": Image.fromarray(np.full((4, 4), 1e6, np.float32)),
    }


def test_bad_images_are_left_out_where_someone_listens(
    model: Model, photos: list[Path], bad: dict[str, object]
) -> None:
    told: list[BadImageError] = []
    images = [*bad.values(), photos[1]]
    (prediction,) = predict(model(), images, on_bad=told.append, batch_size=2)
    assert prediction.name == str(photos[1])
    assert [error.name for error in told] == list(bad)


def test_a_bad_image_is_an_error_where_nobody_listens(model: Model, bad: dict[str, object]) -> None:
    for place, image in enumerate(bad.values()):
        name = list(bad)[place] if place < 4 else "image 0"
        with pytest.raises(UserError, match=f"cannot read {name}: .*: give ") as caught:
            predict(model(), image)
        assert str(caught.value).count(": give ") == 1


def test_files_for_a_model_of_four_channels(model: Model, photos: list[Path]) -> None:
    assert len(predict(model(4), np.zeros((9, 9, 4), np.uint8))) == 1
    for image in (photos[0], Image.new("RGBA", (9, 9))):
        with pytest.raises(UserError, match=r"give an array of \(H, W, 4\)"):
            predict(model(4), image)


def test_no_image_gives_no_prediction(model: Model) -> None:
    assert predict(model(), []) == []


def test_a_model_without_a_head(model: Model, photos: list[Path]) -> None:
    with pytest.raises(UserError, match="no head to predict with: load it with num_classes="):
        predict(model(num_classes=0), photos)


PIXELS = np.zeros((9, 9, 3), np.uint8)


def test_each_module_trains_or_not_as_before(model: Model) -> None:
    made = model().train()
    made.encoder.eval()
    predict(made, PIXELS)
    assert made.training
    assert not made.encoder.training
    made.train()
    with pytest.raises(UserError, match="cannot read"):
        predict(made, [PIXELS, np.zeros((9, 9, 5), np.uint8)])
    assert all(module.training for module in made.modules())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_of_another_precision(model: Model, dtype: torch.dtype, precision: str) -> None:
    (expected,) = predict(model(), PIXELS, precision="float32")
    (prediction,) = predict(model().to(dtype), PIXELS, precision=precision)
    assert prediction.label == expected.label
    assert prediction.confidence == pytest.approx(expected.confidence, abs=0.05)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ([None], r"is NoneType: give a path, a PIL image, or an array, uint8 of \(H, W, 3\)"),
        (5, "is int: give a path"),
        (b"abc", "is bytes: give a path"),
        (torch.zeros(2, 3, 9, 9, dtype=torch.uint8), r"is a tensor: give tensor\.permute\(1, 2, 0"),
    ],
)
def test_what_is_no_picture(
    model: Model, image: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a user meets it, without the tests' type checks."""
    made = model()
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(UserError, match=f"cannot read image 0: {words}"):
        predict(made, image)


def test_what_is_no_model_of_ours(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: Any = torch.compile(model(), backend="eager")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    stranger: Any = torch.nn.Linear(3, 3)
    with pytest.raises(UserError, match="predict takes a model of vitreous and got Linear: give"):
        predict(stranger, PIXELS)
    assert predict(compiled, []) == []


def test_names_of_another_head(model: Model) -> None:
    made = model()
    made.head = torch.nn.Linear(made.head.in_features, 5)
    with pytest.raises(UserError, match="this model gives 5 logits and its passport names 3"):
        predict(made, PIXELS)


def test_logits_that_are_no_numbers(model: Model) -> None:
    made = model()
    torch.nn.init.constant_(made.head.weight, float("nan"))
    made.passport = replace(passport_of(made), origin={"file": "mine.safetensors"})
    with pytest.raises(UserError, match="mine.safetensors gives logits that are not finite: its"):
        predict(made, PIXELS)

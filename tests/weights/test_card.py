from vitreous.data.preprocessing import Preprocessing
from vitreous.model.config import ViTConfig
from vitreous.weights.card import model_card
from vitreous.weights.passport import Passport


def test_what_is_not_known_is_not_said() -> None:
    config = ViTConfig(name="ViT-B/16", num_classes=0)
    card = model_card(
        Passport(architecture=config, preprocessing=Preprocessing(size=(224, 224))), 85_798_656
    )
    assert card.startswith("---\nlibrary_name: vitreous\npipeline_tag: image-feature-extraction\n")
    assert "license" not in card
    assert "predict" not in card
    assert "Classes" not in card
    assert "| Measured" not in card
    assert "85,798,656 parameters for images of 224x224 pixels" in card


def test_many_classes_are_counted() -> None:
    names = tuple(f"class {label}" for label in range(30))
    passport = Passport(
        architecture=ViTConfig(num_classes=30),
        preprocessing=Preprocessing(size=(224, 224), fit="squash"),
        class_names=names,
        licence="CC-BY-NC-4.0",
    )
    card = model_card(passport, 1)
    assert "class 19 and 10 more." in card
    assert "license: cc-by-nc-4.0\n" in card
    assert "Images are squashed, bicubic" in card

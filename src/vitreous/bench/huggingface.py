"""Hugging Face transformers' ViT as a subject."""

from jaxtyping import Float
from torch import Tensor, nn

from vitreous.bench.subject import Subject, check_sayable, fill, layout_for
from vitreous.model.classifier import Classifier
from vitreous.weights.huggingface import HUGGINGFACE
from vitreous.weights.passport import passport_of

_WITH_A_HEAD = tuple(layout for layout in HUGGINGFACE if "bare" not in layout.layout)


def build(model: Classifier) -> Subject:
    """`ViTForImageClassification` with the model's weights.

    Raises:
        LeftOutError: It cannot say this architecture.
    """
    import transformers

    check_sayable(_WITH_A_HEAD, model.config)
    said = _WITH_A_HEAD[0].config_json(passport_of(model))
    kind = getattr(transformers, said.pop("architectures")[0])
    theirs = kind(kind.config_class(**said))
    fill(theirs, layout_for(_WITH_A_HEAD, model.config, theirs), model)
    return Subject(transformers.__version__, theirs, _logits)


def _logits(model: nn.Module, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
    logits: Tensor = model(pixel_values=images).logits
    return logits

"""torchvision's Vision Transformer as a subject."""

from vitreous.bench.subject import LeftOutError, Subject, check_sayable, fill, layout_for, plainly
from vitreous.model.classifier import Classifier
from vitreous.weights.passport import passport_of
from vitreous.weights.torchvision import TORCHVISION


def build(model: Classifier) -> Subject:
    """`VisionTransformer` with the model's weights.

    Raises:
        LeftOutError: It cannot say this architecture, or was built for another PyTorch.
    """
    try:
        import torchvision
    except RuntimeError as error:  # operators that its compiled library lacks
        raise LeftOutError(f"does not load beside this PyTorch: {error}") from error
    check_sayable(TORCHVISION, model.config)
    said = TORCHVISION[0].config_json(passport_of(model))
    theirs = torchvision.models.VisionTransformer(
        **said, representation_size=getattr(model.config, "pre_logits", None)
    )
    fill(theirs, layout_for(TORCHVISION, model.config, theirs), model)
    return Subject(torchvision.__version__, theirs, plainly)

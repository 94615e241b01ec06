"""timm (PyTorch image models) as a subject."""

from vitreous.bench.subject import Subject, check_sayable, fill, plainly
from vitreous.model.classifier import Classifier
from vitreous.weights.passport import passport_of
from vitreous.weights.timm import TIMM
from vitreous.weights.timm_bit import TIMM_BIT


def build(model: Classifier) -> Subject:
    """What `timm.create_model` gives, with the model's weights.

    Raises:
        LeftOutError: timm cannot say this architecture.
    """
    import timm

    layouts = (TIMM, TIMM_BIT)
    check_sayable(layouts, model.config)
    layout = next(layout for layout in layouts if isinstance(model.config, layout.architecture))
    said = layout.config_json(passport_of(model))
    theirs = timm.create_model(
        said["architecture"], num_classes=said["num_classes"], **said.get("model_args", {})
    )
    fill(theirs, layout, model)
    return Subject(timm.__version__, theirs, plainly)

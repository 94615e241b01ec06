"""Which family a checkpoint is of, told from the names of its tensors."""

from vitreous.errors import UserError
from vitreous.model.config import ModelConfig
from vitreous.weights import huggingface_types, timm_names
from vitreous.weights.facebook import FACEBOOK
from vitreous.weights.family import Family
from vitreous.weights.google import GOOGLE
from vitreous.weights.google_bit import BIG_TRANSFER, GOOGLE_BIT
from vitreous.weights.huggingface import HUGGINGFACE
from vitreous.weights.huggingface_dinov2 import HUGGINGFACE_DINOV2
from vitreous.weights.huggingface_tower import HUGGINGFACE_TOWERS
from vitreous.weights.inner_model import inner_model, without_training_parts
from vitreous.weights.lucidrains import LUCIDRAINS
from vitreous.weights.openai import OPENAI
from vitreous.weights.openclip_timm import OPENCLIP_TIMM
from vitreous.weights.read import Checkpoint
from vitreous.weights.timm import TIMM, TIMM_2020
from vitreous.weights.timm_bit import TIMM_BIT
from vitreous.weights.torchvision import TORCHVISION
from vitreous.weights.torchvision_resnet import TORCHVISION_RESNET

FAMILIES: tuple[Family, ...] = (
    *GOOGLE,
    GOOGLE_BIT,
    TIMM_2020,  # before those that a wrapper tells from it
    *FACEBOOK,
    TIMM,
    TIMM_BIT,
    *HUGGINGFACE,
    *HUGGINGFACE_DINOV2,
    *HUGGINGFACE_TOWERS,
    *TORCHVISION,
    OPENAI,
    OPENCLIP_TIMM,
    *LUCIDRAINS,
    BIG_TRANSFER,
    TORCHVISION_RESNET,
)
"""Every layout; the first that fits is the one to read, and of a family the one to write."""

_OF_TODAY = tuple(family for family in FAMILIES if not family.superseded)


def recognise(checkpoint: Checkpoint, wrapper: str | None = None) -> tuple[Family, Checkpoint]:
    """The layout of a checkpoint, and the tensors that it is about.

    Args:
        checkpoint: As it was opened.
        wrapper: The caller's word for what stands before the names of the model that is meant.

    Raises:
        UserError: A config that names an architecture which is not read here, or a layout that
            nobody knows; it says what was found and which family is nearest.
    """
    refuse_unread_config(checkpoint)
    checkpoint = without_training_parts(checkpoint)
    own = wrapper in (None, checkpoint.wrapper)
    if own and (family := _fitting(checkpoint)) is not None:
        return family, checkpoint
    inside = inner_model(checkpoint, FAMILIES, None if own else wrapper)
    if (family := _fitting(inside)) is not None:
        return family, inside
    names = sorted(checkpoint.shapes)
    if not names:
        raise UserError(f"{checkpoint.file} holds no tensors")
    nearest = max(_OF_TODAY, key=lambda family: family.likeness(names))
    likeness = nearest.likeness(names)
    hint = f"nothing like any of {', '.join(dict.fromkeys(f.name for f in _OF_TODAY))}"
    if likeness:
        lacking = next((name for name in nearest.signature if name not in checkpoint.shapes), "")
        hint = f"nearest is {nearest.name} ({likeness:.0%} of the names), but {lacking} is missing"
    shown = ", ".join(f"{name} {checkpoint.shapes[name]}" for name in names[:3])
    raise UserError(
        f"{checkpoint.file} has no passport and is of no family known here: {len(names)} tensors "
        f"({shown}{', ...' if len(names) > 3 else ''}); {hint}"
    )


def _fitting(checkpoint: Checkpoint) -> Family | None:
    return next((family for family in FAMILIES if family.recognises(checkpoint)), None)


def refuse_unread_config(checkpoint: Checkpoint) -> None:
    """Refuse a config that names an architecture or a model type which is not read here.

    Raises:
        UserError: It names what the config says, why it is not read, and what is.
    """
    said = checkpoint.config
    tower = (said.get("model_cfg") or {}).get("vision_cfg") or {}
    if isinstance(said.get("model_type"), str):
        huggingface_types.refuse_unread(checkpoint.file, said)
    elif isinstance(said.get("architecture"), str):
        timm_names.refuse_unread(checkpoint.file, said["architecture"])
    elif isinstance(tower, dict) and isinstance(tower.get("timm_model_name"), str):
        timm_names.refuse_unread(checkpoint.file, tower["timm_model_name"])


def family_to_write(name: str, config: ModelConfig, origin: dict[str, object]) -> Family:
    """Choose the layout to write: that of the weights' own file, or the first that can say it.

    A superseded layout is for weights that came from its family, where no other layout can say the
    architecture.

    Raises:
        UserError: No such family, or none of its layouts can say this architecture.
    """
    layouts = [
        family
        for family in FAMILIES
        if family.name == name and not (family.superseded and origin.get("family") != name)
    ]
    if not layouts:
        known = dict.fromkeys(family.name for family in _OF_TODAY)
        raise UserError(f"unknown family {name!r}: choose vitreous, {', '.join(known)}")
    layouts.sort(
        key=lambda layout: (
            layout.superseded,
            (layout.name, layout.layout) != (origin.get("family"), origin.get("layout")),
        )
    )
    of_this_kind = [layout for layout in layouts if isinstance(config, layout.architecture)]
    if not of_this_kind:
        raise UserError(f"no layout of {name} is of models of kind {config.kind!r}: choose another")
    objections = [layout.objection(config) for layout in of_this_kind]
    if None in objections:
        return of_this_kind[objections.index(None)]
    raise UserError(f"the layout of {name} cannot say {objections[0]}: choose another --to")

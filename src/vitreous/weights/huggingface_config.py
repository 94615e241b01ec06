"""What `config.json` and `preprocessor_config.json` of Hugging Face say alike for every model.

Source: transformers 4 and 5, configuration_utils.py and models/*/image_processing_*.py.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from vitreous.data.preprocessing import Fit, Interpolation, Preprocessing
from vitreous.errors import UserError
from vitreous.model.config import Activation, ViTConfig
from vitreous.weights.evidence import IMAGENET_MEAN, IMAGENET_STD, Evidence, pair
from vitreous.weights.passport import Passport

WORDS = {
    "patch": "patch_size",
    "channels": "num_channels",
    "width": "hidden_size",
    "depth": "num_hidden_layers",
    "mlp_width": "intermediate_size",
    "heads": "num_attention_heads",
}
"""What the config calls fields of `ViTConfig`."""

_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
}
ACTIVATIONS = tuple(_ACTIVATIONS.values())
"""Those that it can say."""

# What models of a type are given where no processor is saved with them: mean, deviation, fit,
# filter, and the share of the shorter side that is cut out.
_USUAL: dict[str, tuple[tuple[float, ...], tuple[float, ...], Fit, Interpolation, float]] = {
    "deit": (IMAGENET_MEAN, IMAGENET_STD, "crop", "bicubic", 0.875),
    "vit_mae": (IMAGENET_MEAN, IMAGENET_STD, "crop", "bicubic", 0.875),
    "vit_msn": (IMAGENET_MEAN, IMAGENET_STD, "crop", "bicubic", 0.875),
}

_FILTERS: dict[int, Interpolation] = {0: "nearest", 2: "bilinear", 3: "bicubic"}


def read_activation(evidence: Evidence, said: Mapping[str, Any], usual: str) -> Activation:
    """The activation by its name there; the model's usual one where a config says none.

    Raises:
        UserError: One that is not here.
    """
    name = said.get("hidden_act")
    if name is None and any(word in said for word in WORDS.values()):
        name = usual  # a config of theirs leaves out what is as usual
    if name is None:
        because = "as usual in Hugging Face's models of this kind"
        asked = evidence.assume("activation", _ACTIVATIONS[usual], because)
        name = next((theirs for theirs, ours in _ACTIVATIONS.items() if ours == asked), asked)
    if name not in _ACTIVATIONS:
        raise UserError(f"{evidence.checkpoint.file}: activation {name!r} is not known here")
    return _ACTIVATIONS[name]


def read_norm_eps(evidence: Evidence, said: Mapping[str, Any], usual: float) -> float:
    """The layer norms' epsilon; the model's usual one where a config says none."""
    if not any(word in said for word in ("layer_norm_eps", *WORDS.values())):
        evidence.assumed.append(f"layer norm epsilon {usual}")
    return float(said.get("layer_norm_eps", usual))


def read_class_names(
    evidence: Evidence, said: Mapping[str, Any], num_classes: int
) -> tuple[str, ...]:
    """The names in `id2label`, where they are no placeholders.

    Raises:
        UserError: Its numbers are not those of the head's logits: more, fewer, counted from one,
            or with gaps.
    """
    names = said.get("id2label") or {}
    if not names and (back := said.get("label2id")):
        names = {str(label): name for name, label in back.items()}
    if not names or not num_classes:
        return ()
    numbers = [str(label) for label in range(num_classes)]
    if set(names) != set(numbers):
        evidence.agree("number of id2label", num_classes, len(names))
        raise UserError(
            f"{evidence.checkpoint.file}: id2label of its config names {_listed(names)} and the "
            f"head has {_listed(numbers)}: number the names there as the logits are, from 0"
        )
    ordered = tuple(str(names[label]) for label in numbers)
    placeholders = all(name == f"LABEL_{label}" for label, name in enumerate(ordered))
    return () if placeholders else ordered


def read_multi_label(evidence: Evidence, said: Mapping[str, Any], num_classes: int) -> bool:
    """True where each logit is a yes or no by itself: several labels, or a head of one output.

    Raises:
        UserError: The head gives a number to regress, and no class.
    """
    problem = said.get("problem_type")
    if problem == "regression":
        raise UserError(
            f"{evidence.checkpoint.file}: its config says problem_type regression: its head gives "
            "numbers and no classes, which is not read here"
        )
    if num_classes == 1 and problem != "multi_label_classification":
        evidence.assumed.append(
            "a head of one output answers yes or no by a sigmoid, as in Hugging Face's pipeline"
        )
    return problem == "multi_label_classification" or num_classes == 1


def read_preprocessing(
    evidence: Evidence,
    config: ViTConfig,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    fit: Fit,
    interpolation: Interpolation,
    shorter: float | None = None,
    any_size: bool = False,
) -> Preprocessing:
    """The rule in `preprocessor_config.json`; the model's usual one in what it does not say.

    A plain number for `size` is the shorter side where a centre is cut out, and both sides where
    none is. DeiT's processor makes both sides equal before it cuts, its training does not; here it
    is as in its training.

    Args:
        evidence: Of the checkpoint.
        config: The architecture.
        mean: Usual.
        std: Usual.
        fit: Usual.
        interpolation: Usual.
        shorter: Usual shorter side before the cut; the image size where not given.
        any_size: Whether the model takes the processor's size where that is not its own.

    Raises:
        UserError: Levels are rescaled by something that is no number over 0.
    """
    said = evidence.checkpoint.preprocessor
    model_type = evidence.checkpoint.config.get("model_type", "")
    if not said and (usual := _USUAL.get(model_type)):
        mean, std, fit, interpolation, fraction = usual
        shorter = min(config.image_size) / fraction
    because = ""
    if "image_mean" not in said and said.get("do_normalize", True):
        because = "the model's usual: no preprocessor_config.json beside it says another"
    size, cut = said.get("size"), bool(said.get("do_center_crop", fit == "crop" and not said))
    sides = size if isinstance(size, dict) else {}
    edge = sides.get("shortest_edge") or (size if isinstance(size, int) else None)
    wanted = said.get("crop_size") if cut else size
    if isinstance(wanted, dict):
        wanted = (wanted["height"], wanted["width"]) if "height" in wanted else None
    own = pair(wanted) if wanted else config.image_size
    if cut:
        shorter = edge or min(sides.values(), default=shorter)
    return evidence.preprocessing(
        config,
        *_normalisation(evidence, config.channels, mean, std),
        size=own if any_size else config.image_size,
        fit="crop" if cut or "shortest_edge" in sides else "squash",
        crop_fraction=min(1.0, min(own) / shorter) if cut and shorter else 1.0,
        interpolation=_filter(evidence, said.get("resample"), interpolation),
        because=because,
    )


def _filter(evidence: Evidence, said: Any, usual: Interpolation) -> Interpolation:
    """Pillow's number of a filter; the usual one, which is noted, in place of one we lack."""
    return evidence.interpolation(None if said is None else _FILTERS.get(said, f"{said}"), usual)


def _listed(names: Iterable[object]) -> str:
    shown = [str(name) for name in names]
    return ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "")


def _normalisation(
    evidence: Evidence, channels: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of pixels in [0, 1], also where theirs are on another scale.

    Theirs multiplies levels of 0 to 255 with `rescale_factor`, then subtracts and divides; either
    step may be left out.
    """
    said = evidence.checkpoint.preprocessor
    factor = said.get("rescale_factor", 1 / 255) if said.get("do_rescale", True) else 1.0
    if not isinstance(factor, int | float) or not 0 < factor < math.inf:
        raise UserError(
            f"{evidence.checkpoint.file}: rescale_factor {factor!r} beside it is no number over 0: "
            "write 1/255 there"
        )
    if said.get("do_normalize", True):
        mean, std = tuple(said.get("image_mean", mean)), tuple(said.get("image_std", std))
    else:
        mean, std = (0.0,) * channels, (1.0,) * channels
    white = 1.0 if math.isclose(255 * factor, 1) else 255 * factor
    return tuple(m / white for m in mean), tuple(s / white for s in std)


def config_json(passport: Passport, **own: Any) -> dict[str, Any]:
    """The fields that every model's config has, and `own`."""
    config, names = passport.architecture, passport.class_names
    assert isinstance(config, ViTConfig)
    if passport.class_order != "named":
        names = tuple(f"LABEL_{label}" for label in range(len(names)))
    square = config.image_size[0] == config.image_size[1]
    said = {word: getattr(config, name) for name, word in WORDS.items()}
    said |= {
        "layer_norm_eps": config.norm_eps,
        "image_size": config.image_size[0] if square else list(config.image_size),
        "qkv_bias": config.qkv_bias,
        "id2label": {str(label): name for label, name in enumerate(names)},
        "label2id": {name: label for label, name in enumerate(names)},
    }
    if passport.multi_label:
        said["problem_type"] = "multi_label_classification"
    theirs = {ours: theirs for theirs, ours in _ACTIVATIONS.items()}
    if config.activation in theirs:
        said["hidden_act"] = theirs[config.activation]
    return said | own


def preprocessor_json(passport: Passport, kind: str = "") -> dict[str, Any]:
    """The rule as `preprocessor_config.json`.

    Args:
        passport: Of the model.
        kind: Name of the image processor; without it, one that does the same.
    """
    rule = passport.preprocessing
    height, width = rule.size
    size: dict[str, int] = {"height": height, "width": width}
    crop = rule.fit == "crop"
    return {
        "image_processor_type": kind or ("DeiTImageProcessor" if crop else "ViTImageProcessor"),
        "do_resize": True,
        "size": {"shortest_edge": round(min(rule.size) / rule.crop_fraction)} if crop else size,
        "do_center_crop": crop,
        "crop_size": size,
        "resample": next(n for n, name in _FILTERS.items() if name == rule.interpolation),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(rule.mean),
        "image_std": list(rule.std),
    }

"""Translation equivariance: built into a convolution, and not into a Vision Transformer."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from vitreous.data.open import EMBEDDED
from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import BadImageError, UserError
from vitreous.experiments.checkpoints import checkpoints, digest_of, try_load
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.figure6 import packed, unpacked
from vitreous.experiments.finding import Finding
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.subject import drawn_of
from vitreous.experiments.trial import Trial
from vitreous.model.bit_config import BiTConfig
from vitreous.model.classifier import Classifier
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.residual_config import ResidualConfig
from vitreous.model.variants import variant_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

Pixels = UInt8[np.ndarray, "H W C"]

# With random weights, which decide nothing here: equivariance is a matter of architecture. The
# ResNet is so small that the middle of its last map does not see the border of the image.
_UNTRAINED: Sequence[ModelConfig] = (
    variant_config("ViT-Ti/16"),
    BiTConfig(name="ResNet-16x6", units=(2, 2, 2), stem_width=16, norm_groups=8),
)
_COLUMNS = ("a pixel", "half a step", "a step", "two steps")
_SUFFIXES = (".png", ".jpg", ".jpeg")
_BORDER = 0.2  # of a map, on each side: it sees the zeros around the image
# Rounding stays far below the first, and what does not move with the image far above the last.
_SAME, _NEAR, _OTHER = 1e-3, 0.2, 0.1
_PHOTO_SIDE, _DRAWN = 112, 2  # pixels of a picture that is kept; models that a figure has room for


@dataclass(frozen=True, kw_only=True, eq=False)
class EquivarianceTrial(Trial):
    """Moves images under one map of one model.

    Attributes:
        row: Model and map.
        model: The user's checkpoint, or the config of a model with random weights.
        map: Which of `feature_maps`.
        step: Pixels of a whole step: the patch of a ViT, the stride of a ResNet's last stage.
        image: Pixels of any size.
        shown: The image's name.
    """

    model: Path | ModelConfig
    map: str
    step: int
    image: Pixels
    shown: str

    @cached_property
    def key(self) -> dict[str, Any]:
        """The weights, the map and the images."""
        subject = digest_of(self.model) if isinstance(self.model, Path) else asdict(self.model)
        seen = hashlib.sha256(f"{self.shown} {self.image.shape}".encode())
        seen.update(self.image.tobytes())
        return {
            "kind": "equivariance",
            "model": subject,
            "map": self.map,
            "step": self.step,
            "image": seen.hexdigest(),
        }

    def check(self) -> None:
        """Refuse a model whose map is too small for what is measured.

        Raises:
            UserError: Names the model, and what is wrong.
        """
        from vitreous.analysis.equivariance import feature_maps, shift_differences

        model = _model(self.model)
        images = _normalised(self.image, _rule(model))
        try:
            shift_differences(
                feature_maps(model)[self.map], images, [2 * self.step], border=_BORDER
            )
        except UserError as error:
            raise UserError(f"{self.row}: {error}; or take it out of --weights") from error

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Compare at each shift, and keep what the map shows of the first image."""
        from vitreous.analysis.colour_map import colour_map
        from vitreous.analysis.equivariance import feature_maps, shift_differences

        model = _model(self.model)
        rule = _rule(model)
        images = _normalised(self.image, rule)
        features = feature_maps(model)[self.map]
        shifts = shifts_of(self.step)
        found = shift_differences(features, images, shifts, border=_BORDER)[:, 0].tolist()
        moved = [images.roll(shift, 3) for shift in (0, _half(self.step), self.step)]
        maps = _features(features, moved)
        facts = {
            "step": self.step,
            "map": self.map,
            "architecture": model.config.name,
            "photo": [packed(_seen(image, rule), _PHOTO_SIDE) for image in moved],
            "colours": [
                packed((255 * one).round().astype(np.uint8), _PHOTO_SIDE)
                for one in colour_map(maps.permute(0, 2, 3, 1))
            ],
            "curve": list(zip(shifts, found, strict=True)),
            "image": self.shown,
        }
        values = {
            column: found[shifts.index(shift)]
            for column, shift in zip(
                _COLUMNS, (1, _half(self.step), self.step, 2 * self.step), strict=True
            )
        }
        return Outcome(values, facts=facts)


def shifts_of(step: int) -> list[int]:
    """Return shifts from none to two whole steps, sixteen or fewer in each, and one pixel."""
    return sorted({1, _half(step), *range(0, 2 * step + 1, max(step // 16, 1)), 2 * step, step})


def _half(step: int) -> int:
    return max(step // 2, 1)


def _model(model: Path | ModelConfig) -> Classifier:
    import torch

    from vitreous.model.build import create_model

    if isinstance(model, Path):
        return try_load(model).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return create_model(model).eval()


def _rule(model: Classifier) -> Preprocessing:
    """Return the model's preprocessing, at the size that its positions were made for."""
    from vitreous.weights.passport import passport_of

    return replace(passport_of(model).preprocessing, size=model.config.image_size)


def _normalised(image: Pixels, rule: Preprocessing) -> "Tensor":
    from vitreous.data.batch import normalise
    from vitreous.data.transform import fit_for_test

    return normalise(fit_for_test(_channels(image, rule.channels), rule)[None], rule)


def _channels(pixels: Pixels, channels: int) -> UInt8[np.ndarray, "H W c"]:
    """Return grey pixels for a model that takes grey ones, and three channels for one of three."""
    if pixels.shape[2] == channels:
        return pixels
    grey = pixels.mean(2, keepdims=True).round().astype(np.uint8)
    return np.repeat(grey, channels, 2)


def _seen(image: "Tensor", rule: Preprocessing) -> Pixels:
    """Return one normalised image as pixels again, of three channels or one."""
    mean, std = (np.asarray(one)[:, None, None] for one in (rule.mean, rule.std))
    pixels = 255 * (image[0].numpy() * std + mean)
    shown = pixels.round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    return shown[:, :, : 3 if shown.shape[2] >= 3 else 1]


def _features(features: Callable[["Tensor"], "Tensor"], moved: Sequence["Tensor"]) -> "Tensor":
    import torch

    with torch.inference_mode():
        return torch.cat([features(image) for image in moved])


def photograph(folder: Path) -> tuple[str, Pixels]:
    """Return the first image in `photos/` of the user's data, or else an embedded digit.

    Raises:
        UserError: It is no image; names the file.
    """
    from vitreous.data.decode import decode

    found = sorted((folder / "photos").glob("*"))
    for path in found:
        if path.suffix.lower() in _SUFFIXES:
            try:
                return path.name, decode(path.read_bytes(), str(path))
            except BadImageError as error:
                raise UserError(f"{error}: take it out of {folder / 'photos'}") from error
    part = EMBEDDED["digits"]().parts["test"]
    return f"digit {part.names[0]}", part.read(0)


def _trials(setting: Setting) -> Sequence[Trial]:
    from vitreous.analysis.equivariance import feature_maps

    shown, image = photograph(setting.data.folder)
    subjects: Mapping[str, Path | ModelConfig]
    if setting.weights is None:
        subjects = {f"{config.name}, random weights": config for config in _UNTRAINED}
    else:
        subjects = checkpoints(setting.weights)
    trials = []
    for row, subject in subjects.items():
        model = _model(subject)
        try:
            maps = list(feature_maps(model))
        except UserError as error:
            raise UserError(f"{row}: {error}; take it out of --weights") from error
        trials += [
            EquivarianceTrial(
                row=f"{row}: {name}",
                model=subject,
                map=name,
                step=_step(model),
                image=image,
                shown=shown,
            )
            for name in maps
        ]
    return trials


def _step(model: Classifier) -> int:
    config = model.config
    if isinstance(config, ViTConfig):
        return config.patch_size[1]  # images are shifted along the width
    assert isinstance(config, ResidualConfig)
    return (4 if config.root == "pooled" else 1) * 2 ** (len(config.units) - 1)


def _findings(results: Results) -> Sequence[Finding]:
    found = []
    for row in results.rows:
        name, _, kind = row.rpartition(": ")
        value = {column: cell.mean for column, cell in results.row(row).items()}
        step = results[row, "a step"].facts[0]["step"]
        whole, between = max(value["a step"], value["two steps"]), value["half a step"]
        told = f"{whole:.2g} after whole steps of {step} pixels, {between:.2g} after half of one"
        if kind == "first convolution":
            claim = f"{name}: a convolution's map moves with the image"
            found.append(_judge(claim, whole < _SAME, told))
        elif kind == "last stage":
            claim = f"{name}: its last map nearly moves with the image, in steps of its stride"
            why = f"{told}; its norms see the whole image, and its edges the zeros around it"
            found.append(_judge(claim, whole < _NEAR, why))
        elif kind == "patches":
            moves = whole < _SAME and between > _OTHER
            found.append(_judge(f"{name}: its patches move with whole patches alone", moves, told))
        elif kind.endswith("without positions") and (f"{name}: patches", "a step") in results:
            with_them = results[f"{name}: last layer", "a step"].mean
            moves = whole < _SAME
            claim = f"{name}: it is the positions that keep whole patches from moving"
            why = f"without them {told}; with them {with_them:.2g} after one whole patch"
            found.append(_judge(claim, moves and with_them > 10 * _SAME, why))
    return found


def _judge(claim: str, holds: bool, why: str) -> Finding:
    return Finding(claim, "holds" if holds else "does not hold", why)


def _draw(results: Results) -> "Figure":
    from vitreous.report.paper_figures import moved_features

    models: dict[str, dict[str, Any]] = {}
    for row in results.rows:
        name, _, kind = row.rpartition(": ")
        facts = results[row, "a step"].facts[0]
        band = models.setdefault(
            name,
            {"step": facts["step"], "maps": {}, "photo": [unpacked(t) for t in facts["photo"]]},
        )
        band["maps"][kind] = {
            "curve": facts["curve"],
            "pictures": [unpacked(text) for text in facts["colours"]],
        }
    drawn = dict(list(models.items())[:_DRAWN])
    return moved_features(f"What moves with the image{drawn_of(list(models), _DRAWN)}", drawn)


EXPERIMENT = Experiment(
    name="equivariance",
    title="translation equivariance: built into a convolution, and not into a ViT",
    source="section 3.1, inductive bias; not measured in the paper",
    form={"": ".2g"},
    scales={
        "pocket": Scale(
            what="by how much the features of a moved image differ from the moved features, as a "
            "share of how much they vary: 0 is equivariant, and about 1.4 has nothing to do with "
            "it; on the first of photos/ in --data, or else on a digit, moved to the right "
            "cyclically (a step is a ViT's patch, or the stride of a ResNet's last map), without a "
            "fifth of the map at each border; of each checkpoint of --weights, or else of "
            "ViT-Ti/16 and a ResNet of 6 units with random weights",
            minutes=1,
            seeds=1,
        )
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    drawn=("photo", "colours"),
    takes_weights=True,
)

"""Google's BiT ResNets: the published `.npz`, and the state dict of their PyTorch port.

Source: google-research/big_transfer, bit_tf2/models.py and bit_pytorch/models.py.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from vitreous.model.bit_config import BiTConfig
from vitreous.model.variants import BIT_UNITS
from vitreous.weights.evidence import Evidence
from vitreous.weights.family import Family, Hints, Reading, first_objection
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import HWIO_KERNEL, KEEP, Operation, Rule

HEAD_HWIO = Operation(lambda x: x[0, 0].mT, lambda x: x.mT[None, None])
"""A head that is a 1x1 convolution, (1, 1, D, K), to (K, D)."""
HEAD_OIHW = Operation(lambda x: x[:, :, 0, 0], lambda x: x[:, :, None, None])
"""The same as PyTorch keeps it, (K, D, 1, 1)."""

_SIDE = 224  # of the images that the paper pre-trains on; no tensor says it


@dataclass(frozen=True, kw_only=True)
class ResNetLayout:
    """How a family names the tensors of a BiT ResNet.

    Attributes:
        root: Of the first kernel.
        unit: Prefix of one unit, with `{stage}` and `{unit}`.
        first: The number of the first stage and unit.
        conv: Of the three kernels in a unit.
        norm: Of the three norms in a unit, without their scale and bias.
        shortcut: Of the projection in a unit.
        last_norm: Of the norm before the head.
        head: Of the head, without its kernel and bias.
        scale: Of every norm: its scale and its bias.
        head_parts: Of the head: its kernel and its bias.
        kernel: From its kernels to ours.
        head_kernel: The same for the head's.
        kernel_eps: See `BiTConfig`.
    """

    root: str
    unit: str
    first: int
    conv: tuple[str, str, str]
    norm: tuple[str, str, str]
    shortcut: str
    last_norm: str
    head: str
    scale: tuple[str, str] = ("weight", "bias")
    head_parts: tuple[str, str] = ("weight", "bias")
    kernel: Operation = KEEP
    head_kernel: Operation = HEAD_OIHW
    kernel_eps: float = 1e-10

    def prefix(self, stage: int, unit: int) -> str:
        """Of one unit, counted from 0."""
        return self.unit.format(stage=stage + self.first, unit=unit + self.first)

    def rules(self, config: BiTConfig) -> list[Rule]:
        """The table, for an architecture."""
        return list(self._rules(config))

    def _rules(self, config: BiTConfig) -> Iterator[Rule]:
        yield Rule(self.root, "root.weight", self.kernel)
        for stage, units in enumerate(config.units):
            for unit in range(units):
                theirs, ours = self.prefix(stage, unit), f"stages.{stage}.{unit}"
                for number in range(3):
                    conv = theirs + self.conv[number]
                    yield Rule(conv, f"{ours}.conv{number + 1}.weight", self.kernel)
                    yield from self._norm(theirs + self.norm[number], f"{ours}.norm{number + 1}")
                if unit == 0:
                    yield Rule(theirs + self.shortcut, f"{ours}.shortcut.weight", self.kernel)
        yield from self._norm(self.last_norm, "norm")
        if config.num_classes:
            yield Rule(self.head + self.head_parts[0], "head.weight", self.head_kernel)
            yield Rule(self.head + self.head_parts[1], "head.bias")

    def _norm(self, theirs: str, ours: str) -> Iterator[Rule]:
        for part, own in zip(self.scale, ("weight", "bias"), strict=True):
            yield Rule(theirs + part, f"{ours}.{own}")

    @property
    def signature(self) -> tuple[str, ...]:
        """Names that every checkpoint of the layout has; kernels may be numbered in some."""
        first = self.prefix(0, 0)
        return (
            *(first + norm + self.scale[0] for norm in self.norm),
            self.last_norm + self.scale[0],
        )

    def config(self, evidence: Evidence, image_size: tuple[int, int]) -> BiTConfig:
        """The architecture that the tensors show."""
        shape = evidence.shape(self.root, 4)
        channels, root = (shape[2], shape[3]) if self.kernel is HWIO_KERNEL else shape[1::-1]
        pattern = re.escape(self.unit.replace("{unit:02d}", "{unit}") + self.conv[0])
        pattern = pattern.replace(r"\{stage\}", r"(\d+)").replace(r"\{unit\}", r"\d+")
        found = (re.fullmatch(pattern, name) for name in evidence.checkpoint.shapes)
        counted = Counter(int(match[1]) for match in found if match)
        units = tuple(counted[stage] for stage in sorted(counted))
        factor, stem = (root // 64, 64) if root % 64 == 0 else (1, root)
        head = self.head + self.head_parts[1]
        depths = {row: depth for depth, row in BIT_UNITS.items()}
        return BiTConfig(
            name=f"BiT-R{depths[units]}x{factor}" if units in depths and stem == 64 else "BiT",
            image_size=image_size,
            channels=channels,
            num_classes=evidence.shape(head, 1)[0] if evidence.has(head) else 0,
            units=units,
            width_factor=factor,
            stem_width=stem,
            kernel_eps=self.kernel_eps,
        )


def resnet_objection(config: BiTConfig) -> str | None:
    """What no code but ours can say: other groups, another root, another number of stages."""
    if len(config.units) != 4:
        return f"units {config.units} of {len(config.units)} stages"
    return first_objection(config, {"root": "pooled", "norm_groups": 32})


def without_numbers(checkpoint: Checkpoint) -> Checkpoint:
    """Some published files number their convolutions, `standardized_conv2d_17`; others do not."""
    old = {re.sub(r"(standardized_conv2d)_\d+", r"\1", name): name for name in checkpoint.shapes}
    return replace(
        checkpoint,
        shapes={name: checkpoint.shapes[numbered] for name, numbered in old.items()},
        read=lambda name: checkpoint.read(old[name]),
    )


def _understand(layout: ResNetLayout, checkpoint: Checkpoint, hints: Hints) -> Reading:
    evidence = Evidence(checkpoint, hints)
    if hints.image_size is None:
        evidence.assumed.append(f"images of {_SIDE} pixels; any size works")
    config = layout.config(evidence, hints.image_size or (_SIDE, _SIDE))
    half = (0.5, 0.5, 0.5)
    rule = evidence.preprocessing(config, half, half, fit="squash", interpolation="bilinear")
    return Reading(config=config, preprocessing=rule, assumed=tuple(evidence.assumed))


_NPZ = ResNetLayout(
    root="resnet/root_block/standardized_conv2d/kernel",
    unit="resnet/block{stage}/unit{unit:02d}/",
    first=1,
    conv=tuple(f"{part}/standardized_conv2d/kernel" for part in "abc"),  # type: ignore[arg-type]
    norm=("a/group_norm/", "b/group_norm/", "c/group_norm/"),
    shortcut="a/proj/standardized_conv2d/kernel",
    last_norm="resnet/group_norm/",
    head="resnet/head/conv2d/",
    scale=("gamma", "beta"),
    head_parts=("kernel", "bias"),
    kernel=HWIO_KERNEL,
    head_kernel=HEAD_HWIO,
)
_PORT = ResNetLayout(
    root="root.conv.weight",
    unit="body.block{stage}.unit{unit:02d}.",
    first=1,
    conv=("conv1.weight", "conv2.weight", "conv3.weight"),
    norm=("gn1.", "gn2.", "gn3."),
    shortcut="downsample.weight",
    last_norm="head.gn.",
    head="head.conv.",
)

GOOGLE_BIT = Family(
    name="google",
    layout="bit",
    architecture=BiTConfig,
    signature=_NPZ.signature,
    repair=without_numbers,
    understand=partial(_understand, _NPZ),
    rules=_NPZ.rules,
    objection=resnet_objection,
    suffix=".npz",
)
BIG_TRANSFER = Family(
    name="big_transfer",
    architecture=BiTConfig,
    signature=_PORT.signature,
    understand=partial(_understand, _PORT),
    rules=_PORT.rules,
    objection=resnet_objection,
)

"""Published checkpoints that `load` reads: where they are to be had, and what to expect of them.

Facts only, with their source; nothing here is ever downloaded unasked. Where a source does not say
a size or an accuracy, it is None.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedCheckpoint:
    """One file that its authors offer.

    Attributes:
        model: The variant, in our spelling.
        name: What its authors call it.
        address: Where it is.
        mebibytes: Size of the file, 2^20 bytes.
        licence: SPDX name.
        trained_on: Data, in the order of training.
        image_size: Side of the images, pixels.
        preprocessing: From an image to that size, and the normalisation.
        top1: Accuracy on ImageNet's 50,000 validation images that its source gives, %; None for
            a model that was not trained on ImageNet's classes.
        source: Of these facts.
    """

    model: str
    name: str
    address: str
    mebibytes: float | None
    licence: str
    trained_on: str
    image_size: int
    preprocessing: str
    top1: float | None
    source: str


PAPER_TOP1: dict[str, dict[str, float]] = {
    "ViT-B/16": {"ImageNet": 77.91, "ImageNet-21k": 83.97, "JFT-300M": 84.15},
    "ViT-B/32": {"ImageNet": 73.38, "ImageNet-21k": 81.28, "JFT-300M": 80.73},
    "ViT-L/16": {"ImageNet": 76.53, "ImageNet-21k": 85.15, "JFT-300M": 87.12},
    "ViT-L/32": {"ImageNet": 71.16, "ImageNet-21k": 80.99, "JFT-300M": 84.37},
    "ViT-H/14": {"ImageNet-21k": 85.13, "JFT-300M": 88.04},
    "R50+ViT-B/32": {"JFT-300M": 84.90},
    "R50+ViT-B/16": {"JFT-300M": 85.58},
    "R50+ViT-L/32": {"JFT-300M": 85.68},
    "R50+ViT-L/16": {"JFT-300M": 87.12},
    "BiT-R50x1": {"JFT-300M": 77.54},
    "BiT-R50x2": {"JFT-300M": 82.12},
    "BiT-R101x1": {"JFT-300M": 80.67},
    "BiT-R152x1": {"JFT-300M": 81.88},
    "BiT-R152x2": {"JFT-300M": 85.56},
    "BiT-R200x3": {"JFT-300M": 87.22},
}
"""ImageNet top-1 after fine-tuning at 384 pixels, %, by pre-training data: Table 5, and for hybrids
and ResNets the longest run of Table 6."""

_GOOGLE = "https://storage.googleapis.com/vit_models"
_GOOGLE_README = "github.com/google-research/vision_transformer README"
_HALF = "mean and deviation 0.5"
_IMAGENET = "ImageNet's mean and deviation"

# Model, pre-trained file, its size in MiB, how it was fine-tuned at 384 pixels, top-1.
_AUGREG = (
    ("ViT-L/16", "L_16-i21k-300ep-lr_0.001-aug_strong1-wd_0.1-do_0.0-sd_0.0", 1243, "0.01", 85.59),
    ("ViT-B/16", "B_16-i21k-300ep-lr_0.001-aug_medium1-wd_0.1-do_0.0-sd_0.0", 391, "0.03", 85.49),
    ("ViT-S/16", "S_16-i21k-300ep-lr_0.001-aug_light1-wd_0.03-do_0.0-sd_0.0", 115, "0.03", 83.73),
    (
        "R50+ViT-L/32",
        "R50_L_32-i21k-300ep-lr_0.001-aug_medium1-wd_0.1-do_0.1-sd_0.1",
        1337,
        "0.01",
        85.99,
    ),
    (
        "R26+ViT-S/32",
        "R26_S_32-i21k-300ep-lr_0.001-aug_light1-wd_0.1-do_0.0-sd_0.0",
        170,
        "0.01",
        83.85,
    ),
    ("ViT-Ti/16", "Ti_16-i21k-300ep-lr_0.001-aug_none-wd_0.03-do_0.0-sd_0.0", 37, "0.03", 78.22),
    ("ViT-B/32", "B_32-i21k-300ep-lr_0.001-aug_light1-wd_0.1-do_0.0-sd_0.0", 398, "0.01", 83.59),
    ("ViT-S/32", "S_32-i21k-300ep-lr_0.001-aug_none-wd_0.1-do_0.0-sd_0.0", 118, "0.01", 79.58),
    ("R+ViT-Ti/16", "R_Ti_16-i21k-300ep-lr_0.001-aug_none-wd_0.03-do_0.0-sd_0.0", 40, "0.03", 75.4),
)

# File, MiB; pre-trained at 224 pixels. The sizes are of the bucket's listing in vit_jax.ipynb,
# which rounds what is over 1,024 MiB; those are left out.
_PRETRAINED = (
    ("ViT-B_16", 393.69),
    ("ViT-B_32", 400.01),
    ("ViT-L_16", None),
    ("ViT-L_32", None),
    ("ViT-H_14", None),
    ("R50+ViT-B_16", 439.85),
    ("R26+ViT-B_32", 450.23),
    ("R50+ViT-L_32", None),
)

# File, side, top-1; fine-tuned versions of the paper's own models.
_PAPERS_OWN = (
    ("R50+ViT-B_16", 384, None),
    ("ViT-B_16", 384, None),
    ("ViT-B_32", 384, None),
    ("ViT-L_16", 384, None),
    ("ViT-L_32", 384, None),
    ("ViT-B_16-224", 224, 81.2),
    ("ViT-L_16-224", 224, 82.7),
)

_BIT = "https://storage.googleapis.com/bit_models"
_BIT_README = "github.com/google-research/big_transfer README"

# ResNet, side of the images that timm measured BiT-M on after fine-tuning, top-1 there.
_BIT_TOP1 = (
    ("R50x1", 448, 80.34),
    ("R50x3", 448, 84.02),
    ("R101x1", 448, 82.342),
    ("R101x3", 448, 84.438),
    ("R152x2", 448, 84.51),
    ("R152x4", 480, 84.916),
)

# File, model, MiB, trained on, side, side before the crop, filter, top-1.
_TORCHVISION = (
    ("vit_b_16-c867db91", "ViT-B/16", 330.285, "ImageNet", 224, 256, "bilinear", 81.072),
    ("vit_b_32-d86f8d99", "ViT-B/32", 336.604, "ImageNet", 224, 256, "bilinear", 75.912),
    ("vit_l_16-852ce7e3", "ViT-L/16", 1161.023, "ImageNet", 224, 242, "bilinear", 79.662),
    ("vit_l_32-c7638314", "ViT-L/32", 1169.449, "ImageNet", 224, 256, "bilinear", 76.972),
    ("vit_b_16_swag-9ac1b537", "ViT-B/16", 331.398, "SWAG", 384, 384, "bicubic", 85.304),
    ("vit_l_16_swag-4f3808c9", "ViT-L/16", 1164.258, "SWAG", 512, 512, "bicubic", 88.064),
    ("vit_h_14_swag-80465313", "ViT-H/14", 2416.643, "SWAG", 518, 518, "bicubic", 88.552),
    ("vit_b_16_lc_swag-4e70ced5", "ViT-B/16", 330.285, "SWAG", 224, 224, "bicubic", 81.886),
    ("vit_l_16_lc_swag-4d563306", "ViT-L/16", 1161.023, "SWAG", 224, 224, "bicubic", 85.146),
    ("vit_h_14_lc_swag-c1eb923e", "ViT-H/14", 2411.209, "SWAG", 224, 224, "bicubic", 85.708),
)

# File, model, MiB, side before the crop (256: its weights V1, 232: V2), top-1.
TORCHVISION_RESNETS = (
    ("resnet18-f37072fd", "ResNet-18", 44.661, 256, 69.758),
    ("resnet34-b627a593", "ResNet-34", 83.275, 256, 73.314),
    ("resnet50-0676ba61", "ResNet-50", 97.781, 256, 76.130),
    ("resnet50-11ad3fa6", "ResNet-50", 97.790, 232, 80.858),
    ("resnet101-63fe2227", "ResNet-101", 170.511, 256, 77.374),
    ("resnet101-cd907fc2", "ResNet-101", 170.530, 232, 81.886),
    ("resnet152-394f9c45", "ResNet-152", 230.434, 256, 78.312),
    ("resnet152-f82ba261", "ResNet-152", 230.474, 232, 82.284),
)

# File, model, side, top-1.
_DEIT = (
    ("deit_tiny_patch16_224-a1311bcf", "ViT-Ti/16", 224, 72.2),
    ("deit_small_patch16_224-cd65a155", "ViT-S/16", 224, 79.9),
    ("deit_base_patch16_224-b5f2ef4d", "ViT-B/16", 224, 81.8),
    ("deit_base_patch16_384-8de9b5d1", "ViT-B/16", 384, 82.9),
)


def published(model: str) -> list[PublishedCheckpoint]:
    """Checkpoints of a variant, by its name in our spelling."""
    return [checkpoint for checkpoint in CATALOGUE if checkpoint.model == model]


def _augreg() -> Iterator[PublishedCheckpoint]:
    """What the authors of AugReg (arXiv 2106.10270) recommend, and the same at 384 pixels."""
    for model, stem, mebibytes, rate, top1 in _AUGREG:
        tuned = f"{stem}--imagenet2012-steps_20k-lr_{rate}-res_384"
        yield _google(model, f"augreg/{stem}", 224, mebibytes, None)
        yield _google(model, f"augreg/{tuned}", 384, None, top1)


def _papers_own() -> Iterator[PublishedCheckpoint]:
    for file, mebibytes in _PRETRAINED:
        yield _google(file.replace("_", "/"), f"imagenet21k/{file}", 224, mebibytes, None)
    for file, side, top1 in _PAPERS_OWN:
        model = file.removesuffix("-224").replace("_", "/")
        yield _google(model, f"imagenet21k+imagenet2012/{file}", side, None, top1)


def _google(
    model: str, path: str, side: int, mebibytes: float | None, top1: float | None
) -> PublishedCheckpoint:
    tuned = "imagenet2012" in path
    return PublishedCheckpoint(
        model=model,
        name=path,
        address=f"{_GOOGLE}/{path}.npz",
        mebibytes=mebibytes,
        licence="Apache-2.0",
        trained_on="ImageNet-21k, ImageNet" if tuned else "ImageNet-21k",
        image_size=side,
        preprocessing=f"squashed, bilinear; {_HALF}",
        top1=top1,
        source=_GOOGLE_README,
    )


def _bit() -> Iterator[PublishedCheckpoint]:
    """BiT-M, from ImageNet-21k; the same after ImageNet; BiT-S, from ImageNet alone."""
    for resnet, side, top1 in _BIT_TOP1:
        measured = f"{_BIT_README}; top-1: timm, results/results-imagenet.csv"
        yield _bit_file(f"BiT-M-{resnet}", resnet, "ImageNet-21k", 224, None, _BIT_README)
        tuned, data = f"BiT-M-{resnet}-ILSVRC2012", "ImageNet-21k, ImageNet"
        yield _bit_file(tuned, resnet, data, side, top1, measured)
        if resnet != "R152x2":  # made after the paper, and released as BiT-M alone
            yield _bit_file(f"BiT-S-{resnet}", resnet, "ImageNet", 224, None, _BIT_README)


def _bit_file(
    file: str, resnet: str, data: str, side: int, top1: float | None, source: str
) -> PublishedCheckpoint:
    fit = "squashed, bilinear" if top1 is None else f"shorter side {side}, bilinear, centre {side}"
    return PublishedCheckpoint(
        model=f"BiT-{resnet}",
        name=file,
        address=f"{_BIT}/{file}.npz",
        mebibytes=None,
        licence="Apache-2.0",
        trained_on=data,
        image_size=side,
        preprocessing=f"{fit}; {_HALF}",
        top1=top1,
        source=source,
    )


def _torchvision() -> Iterator[PublishedCheckpoint]:
    for file, model, mebibytes, data, side, resized, filter_, top1 in _TORCHVISION:
        yield PublishedCheckpoint(
            model=model,
            name=f"torchvision {file}",
            address=f"https://download.pytorch.org/models/{file}.pth",
            mebibytes=mebibytes,
            licence="BSD-3-Clause" if data == "ImageNet" else "CC-BY-NC-4.0",
            trained_on=data if data == "ImageNet" else "Instagram (SWAG), ImageNet",
            image_size=side,
            preprocessing=f"shorter side {resized}, {filter_}, centre {side}; {_IMAGENET}",
            top1=top1,
            source="torchvision, models/vision_transformer.py",
        )


def _torchvision_resnets() -> Iterator[PublishedCheckpoint]:
    for file, model, mebibytes, resized, top1 in TORCHVISION_RESNETS:
        yield PublishedCheckpoint(
            model=model,
            name=f"torchvision {file}",
            address=f"https://download.pytorch.org/models/{file}.pth",
            mebibytes=mebibytes,
            licence="BSD-3-Clause",
            trained_on="ImageNet",
            image_size=224,
            preprocessing=f"shorter side {resized}, bilinear, centre 224; {_IMAGENET}",
            top1=top1,
            source="torchvision, models/resnet.py",
        )


def _deit() -> Iterator[PublishedCheckpoint]:
    for file, model, side, top1 in _DEIT:
        resized = 256 if side == 224 else 438
        yield PublishedCheckpoint(
            model=model,
            name=f"DeiT {file}",
            address=f"https://dl.fbaipublicfiles.com/deit/{file}.pth",
            mebibytes=None,
            licence="Apache-2.0",
            trained_on="ImageNet",
            image_size=side,
            preprocessing=f"shorter side {resized}, bicubic, centre {side}; {_IMAGENET}",
            top1=top1,
            source="github.com/facebookresearch/deit README_deit.md",
        )


CATALOGUE = (
    *_augreg(),
    *_papers_own(),
    *_bit(),
    *_torchvision(),
    *_torchvision_resnets(),
    *_deit(),
)
"""Every published checkpoint that is written down here."""

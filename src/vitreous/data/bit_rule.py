"""BiT's preprocessing for transfer, told by the size of the images and of the data set."""

from typing import NamedTuple

# Images of fewer pixels than this are small.
_SMALL = 96 * 96
# From so many training images on, mixup is used.
_MIXUP_FROM = 20_000
_MIXUP_ALPHA = 0.1


class BitRule(NamedTuple):
    """Sizes and mixup of a transfer.

    Attributes:
        resize: Side that training images are resized to, whatever their shape.
        crop: Side of the random crop, and of the resized images in testing.
        mixup: Alpha of mixup; 0 is off.
    """

    resize: int
    crop: int
    mixup: float

    @property
    def window(self) -> float:
        """The same sizes as `vitreous.data.augmentation.Augmentation.window`."""
        return self.resize / self.crop


def bit_rule(image_size: tuple[int, int], num_images: int) -> BitRule:
    """BiT-HyperRule's choice of resolution and mixup; a mirror with probability 1/2 goes with it.

    Source: Kolesnikov et al. 2019, arXiv 1912.11370, section 3.3, with the sizes of its code and
    of its largest model (512 and 480; the text has 448 and 384 for the smaller ones).

    Args:
        image_size: (H, W) of the data set's images, as they are stored.
        num_images: Training images.
    """
    height, width = image_size
    resize, crop = (160, 128) if height * width < _SMALL else (512, 480)
    return BitRule(resize, crop, _MIXUP_ALPHA if num_images >= _MIXUP_FROM else 0.0)

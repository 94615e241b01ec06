"""What happens to an image on its way to the model, in words: one line a transform."""

from collections.abc import Iterator

from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Preprocessing

_POLICIES = {
    "trivialaugment": "TrivialAugment: one operation of 14, wide ranges",
    "threeaugment": "3-Augment: grey, solarise or blur",
}


def describe_test(rule: Preprocessing) -> str:
    """The test rule, in one line."""
    height, width = rule.size
    if rule.fit == "squash":
        fitted = f"resize to {height} x {width}"
    else:
        shorter = round(min(rule.size) / rule.crop_fraction)
        fitted = f"resize the shorter side to {shorter}, crop the centre {height} x {width}"
    return f"{fitted} ({rule.interpolation}, antialiased); {_normalisation(rule)}"


def describe_training(rule: Preprocessing, augmentation: Augmentation) -> list[str]:
    """The training transform, a line a step, in the order in which they happen.

    Args:
        rule: With the size that training uses.
        augmentation: What is drawn.
    """
    return list(_steps(rule, augmentation))


def _steps(rule: Preprocessing, asked: Augmentation) -> Iterator[str]:
    height, width = rule.size
    size, how = f"{height} x {width}", f"({rule.interpolation}, antialiased)"
    if asked.repeats > 1:
        yield f"each image {asked.repeats} times in a row, drawn anew"
    if asked.crops:
        low, high = asked.crop_area
        yield (
            f"random crop of {100 * low:g} to {100 * high:g} % of the area, width / height "
            f"{asked.crop_ratio[0]:.3g} to {asked.crop_ratio[1]:.3g}, to {size} {how}"
        )
    elif asked.window > 1:
        whole = " x ".join(str(round(side * asked.window)) for side in rule.size)
        yield f"resize to {whole} {how}, random window of {size}"
    else:
        yield describe_test(rule).split(";")[0]
    if asked.flip:
        yield f"mirror, {100 * asked.flip:g} %"
    if asked.policy == "randaugment":
        yield f"RandAugment: {asked.operations} operations of 14, magnitude {asked.magnitude:g}"
    elif asked.policy != "none":
        yield _POLICIES[asked.policy]
    colours = ("brightness", "contrast", "saturation", "hue")
    if asked.recolours:
        yield ", ".join(f"{n} ±{100 * getattr(asked, n):g} %" for n in colours if getattr(asked, n))
    yield _normalisation(rule)
    if asked.moves:
        moves = {
            "rotate": f"rotate ±{asked.rotate:g}°",
            "scale": f"scale ±{100 * asked.scale:g} %",
            "translate": f"shift ±{100 * asked.translate:g} %",
        }
        yield ", ".join(words for name, words in moves.items() if getattr(asked, name))
    if asked.erase:
        low, high = asked.erase_area
        yield f"erase {100 * low:g} to {100 * high:.3g} % of the area, {100 * asked.erase:g} %"
    kinds = [f"{k} (alpha {getattr(asked, k):g})" for k in ("mixup", "cutmix") if getattr(asked, k)]
    if kinds:
        yield f"{' or '.join(kinds)}, {100 * asked.mix_probability:g} % of the batches"


def _normalisation(rule: Preprocessing) -> str:
    numbers = [" ".join(f"{n:.3g}" for n in row) for row in (rule.mean, rule.std)]
    if len(set(rule.mean)) == len(set(rule.std)) == 1:
        numbers = [f"{row[0]:.3g}" for row in (rule.mean, rule.std)]
    return f"less {numbers[0]}, over {numbers[1]} (of 0 to 1)"

"""A model's card for people, written from its passport."""

from collections.abc import Iterator

from vitreous.weights.passport import Passport

_SHOWN = 20


def model_card(passport: Passport, parameters: int) -> str:
    """Markdown with the header that the Hugging Face hub reads.

    Args:
        passport: Of the weights.
        parameters: How many they are.
    """
    return "\n".join([*_header(passport), *_body(passport, parameters)]) + "\n"


def _header(passport: Passport) -> Iterator[str]:
    yield "---"
    yield "library_name: vitreous"
    if passport.architecture.num_classes:
        yield "pipeline_tag: image-classification"
    else:
        yield "pipeline_tag: image-feature-extraction"
    if passport.licence is not None:
        yield f"license: {passport.licence.lower()}"
    yield "tags:\n- vision-transformer\n---\n"


def _body(passport: Passport, parameters: int) -> Iterator[str]:
    config, rule = passport.architecture, passport.preprocessing
    height, width = rule.size
    yield f"# {config.name}\n"
    yield (
        f"A model of {parameters:,} parameters for images of {height}x{width} pixels and "
        f"{config.channels} channels, in one file that says of itself what it is.\n"
    )
    yield "```python\nimport vitreous\n"
    yield 'model = vitreous.load("model.safetensors")'
    if config.num_classes:
        yield 'print(vitreous.predict(model, ["photo.jpg"])[0].label)'
    yield "```\n"
    fit = "squashed" if rule.fit == "squash" else f"cropped to {rule.crop_fraction:g} in the centre"
    yield (
        f"Images are {fit}, {rule.interpolation}, then normalised by mean {_numbers(rule.mean)} "
        f"and deviation {_numbers(rule.std)} of pixels in [0, 1].\n"
    )
    if passport.class_names:
        names = ", ".join(passport.class_names[:_SHOWN])
        more = len(passport.class_names) - _SHOWN
        yield f"Classes: {names}{f' and {more} more' if more > 0 else ''}.\n"
    for title, facts in (("Measured", passport.metrics), ("Origin", passport.origin)):
        plain = {n: v for n, v in facts.items() if isinstance(v, str | int | float) and n != "file"}
        if plain:
            yield f"| {title} | |\n|---|---|"
            yield from (f"| {name} | {value} |" for name, value in plain.items())
            yield ""


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)

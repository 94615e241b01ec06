"""One image, explained: where the model looks, how far to trust that, and what its patches are."""

from functools import partial
from html import escape

import matplotlib
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vitreous.analysis.attention import attention_by_head
from vitreous.analysis.colour_map import colour_map
from vitreous.analysis.maps import heat_maps
from vitreous.analysis.neighbours import nearest_patches, patch_similarity
from vitreous.analysis.occlusion import occlusion_map
from vitreous.analysis.survey import Survey
from vitreous.analysis.tokens import artifact_tokens, patch_tokens, token_norms
from vitreous.data.batch import normalise
from vitreous.data.transform import fit_for_test
from vitreous.errors import UserError
from vitreous.model.probability import probabilities
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import Engine
from vitreous.report.document import Html, Section, group, section
from vitreous.report.findings import Findings
from vitreous.report.inside import HEAT, gallery, head_maps
from vitreous.report.layers import add_layers
from vitreous.report.pictures import attention_overlay, enlarge, picture
from vitreous.report.reading import percent
from vitreous.report.trust_view import add_trust
from vitreous.weights.passport import Passport

Pixels = UInt8[np.ndarray, "H W C"]

_WORDS = {
    "attention": "the last block's, heads averaged",
    "rollout": "followed through all layers",
    "gradient rollout": "of what speaks for the class",
    "relevance": "gathered for the class (Chefer)",
    "occlusion": "how far the probability falls when it is painted over",
}


def add_image(
    findings: Findings,
    model: nn.Module,
    passport: Passport,
    pixels: Pixels,
    engine: Engine,
    target: str | None = None,
) -> None:
    """Add all that one image shows: heat-maps with their trust, heads, patches and layers.

    A model without attention is explained by occlusion alone.

    Args:
        findings: Where to.
        model: On the engine's device.
        passport: The model's.
        pixels: The image as decoded.
        engine: Device; gradients are taken in float32.
        target: Class to explain; the most probable one where not given.

    Raises:
        UserError: The model knows no class of that name, or has neither head nor attention.
    """
    model.eval()
    transformer = model if isinstance(model, VisionTransformer) else None
    fitted = fit_for_test(pixels, passport.preprocessing)
    seen = enlarge(fitted.permute(1, 2, 0).numpy())
    image = normalise(fitted[None].to(engine.device), passport.preprocessing)
    label = _choose(findings, model, image, passport, target)
    if label is None and transformer is None:
        raise UserError("this model has no head and no attention: there is nothing to explain")
    draw = partial(_draw_maps, image=image, label=label, multi_label=passport.multi_label)
    maps = draw(model)
    findings.numbers["maps"] = {name: {"heat": heat.tolist()} for name, heat in maps.items()}
    lit = {name: light(seen, heat.cpu().numpy()) for name, heat in maps.items()}
    findings.keep(
        "attention_maps", gallery([("image", seen), *lit.items()], 5, "Where the model looks")
    )
    cards = [card(seen, "as the model saw it", "Image")]
    cards += [card(lit[name], _WORDS[name], name.capitalize()) for name in maps]
    findings.sections.append(
        section(
            "maps",
            "Where it looks",
            "The image, lit where each method says that it counts. Each map runs from dark, its "
            "least, to full light, its most.",
            group("maps", cards),
        )
    )
    if label is not None:
        add_trust(findings, model, image, label, draw, multi_label=passport.multi_label)
    if transformer is not None:
        heat = maps["rollout" if label is None else "relevance"]
        _add_inside(findings, transformer, image, heat)


def _draw_maps(
    model: nn.Module, image: Float[Tensor, "1 C H W"], label: int | None, multi_label: bool
) -> dict[str, Float[Tensor, "h w"]]:
    if isinstance(model, VisionTransformer):
        return heat_maps(model, image, label)
    assert label is not None
    return {"occlusion": occlusion_map(model, image, label, multi_label=multi_label)}


def light(seen: Pixels, heat: Float[np.ndarray, "h w"]) -> Pixels:
    """An image lit by a map that runs from its least to its most, as in Figure 6.

    The map is light, and pixels are its 2.2th root: half the light does not look half as bright.
    """
    above = heat - heat.min()
    return attention_overlay(seen, (above / (above.max() or 1)) ** (1 / 2.2))


def card(pixels: Pixels, words: str, title: str) -> Html:
    """A picture over its title and a few words."""
    image = picture(pixels, escape(f"{title}: {words}"))
    note = f"<b>{escape(title)}</b><br>{escape(words)}"
    return f"<figure>{image}<figcaption>{note}</figcaption></figure>"


def pair_card(seen: Pixels, lit: Pixels, title: str) -> Html:
    """An image beside the same one lit, over their title."""
    name = escape(title)
    both = picture(seen, name) + picture(lit, f"{name}, lit")
    note = f"<figcaption><b>{name}</b></figcaption>"
    return f'<figure><div class="both">{both}</div>{note}</figure>'


def _choose(
    findings: Findings,
    model: nn.Module,
    image: Tensor,
    passport: Passport,
    target: str | None,
) -> int | None:
    """The class to explain, and what the model says of the image."""
    names = passport.class_names
    if not names:
        findings.reading.append("This model has no head: its maps speak of no class.")
        return None
    if target is not None and target not in names:
        listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise UserError(f"the model knows no class {target!r}: it knows {listed}")
    with torch.inference_mode():
        shares = probabilities(model(image), passport.multi_label)[0].tolist()
    ranked = sorted(range(len(shares)), key=lambda place: -shares[place])
    findings.numbers["predictions"] = [
        {"name": names[place], "probability": shares[place]} for place in ranked[:5]
    ]
    first = ", ".join(f"“{names[place]}” {percent(shares[place])}" for place in ranked[1:3])
    findings.reading.append(
        f"“{names[ranked[0]]}”, says the model with {percent(shares[ranked[0]])}"
        + (f"; then {first}." if first else ".")
    )
    label = ranked[0] if target is None else names.index(target)
    findings.numbers["explained"] = names[label]
    if label != ranked[0]:
        findings.reading.append(
            f"Explained is “{names[label]}”, to which it gives {percent(shares[label])}."
        )
    return label


def _add_inside(
    findings: Findings, model: VisionTransformer, image: Tensor, heat: Float[Tensor, "h w"]
) -> None:
    """One pass, streamed: heads, patches and the numbers of each layer."""
    survey, last = Survey(model.config.patch), model.config.depth - 1
    heads: list[Tensor] = []
    tokens: list[Tensor] = []

    def each(recording: Recording, layer: int) -> None:
        survey.add(recording, layer)
        heads.append(attention_by_head(recording, layer, model.config.pooling)[0].cpu())
        if layer == last:
            tokens.append(patch_tokens(recording, layer).float())

    with torch.inference_mode():
        model(image, recording=Recording(attention="all", tokens="all", each=each))
    reader = "the class token pays" if model.config.pooling == "token" else "all patches pay"
    drawing = findings.draw(
        "heads",
        head_maps(torch.stack(heads).numpy()),
        "Each map is scaled by its own largest value: yellow is its most, dark blue nothing.",
    )
    findings.sections.append(
        section(
            "heads",
            "Head by head",
            f"The attention that {reader} to each patch of the image.",
            drawing,
        )
    )
    findings.sections.append(_patches(findings, tokens[0], heat))
    add_layers(findings, survey)


def _patches(findings: Findings, tokens: Float[Tensor, "1 N D"], heat: Tensor) -> Section:
    grid = (heat.shape[0], heat.shape[1])
    norms = token_norms(tokens)
    artifacts = artifact_tokens(norms)[0].view(grid)
    lengths = norms[0].view(grid).cpu()
    placed = tokens.unflatten(1, grid)
    row, column = divmod(int(heat.argmax()), grid[1])
    alike = patch_similarity(placed, 0, row, column)[0].cpu()
    near = nearest_patches(placed, 0, row, column)
    found = artifacts.nonzero().tolist()
    findings.numbers["tokens"] = {
        "length": lengths.tolist(),
        "artifacts": [{"row": r + 1, "column": c + 1} for r, c in found],
        "nearest": {
            "of": {"row": row + 1, "column": column + 1},
            "patches": [
                {"row": n.row + 1, "column": n.column + 1, "similarity": n.similarity} for n in near
            ],
        },
    }
    colours = np.rint(255 * colour_map(placed)[0]).astype(np.uint8)
    where = f"row {row + 1}, column {column + 1}"
    pictures = [
        (colours, "the first three principal components of the tokens", "Features as colours"),
        (
            painted(alike.numpy(), -1, 1),
            f"cosine with the most relevant patch ({where}), −1 dark to 1 yellow",
            "Likeness",
        ),
        (
            painted(lengths.numpy(), 0, float(lengths.max())),
            f"{lengths.min():.1f} to {lengths.max():.1f}, median {lengths.median():.1f}",
            "Token length",
        ),
    ]
    if found:
        places = "; ".join(f"row {r + 1}, column {c + 1}" for r, c in found[:8])
        more = f" and {len(found) - 8} more" if len(found) > 8 else ""
        many = "1 token is an artifact" if len(found) == 1 else f"{len(found)} tokens are artifacts"
        words = (
            f"{many}, over three times as long as the median ({places}{more}): such tokens speak "
            "of the whole image, and a map that marks them misleads."
        )
    else:
        words = "No token is over three times as long as the median: no artifacts."
    cards = (card(_large(pixels), text, title) for pixels, text, title in pictures)
    lead = f"The tokens of the patches after the last block. {words}"
    return section("patches", "Patch by patch", lead, group("maps", cards))


def painted(values: Float[np.ndarray, "h w"], low: float, high: float) -> Pixels:
    """A map in the colours of the figures, one pixel a patch."""
    share = (values - low) / ((high - low) or 1)
    colours: Pixels = matplotlib.colormaps[HEAT](share, bytes=True)[..., :3]
    return colours


def _large(pixels: Pixels) -> UInt8[np.ndarray, "H2 W2 C"]:
    """Patches as squares that a page shows without blurring them."""
    times = -(-256 // max(pixels.shape[:2]))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)

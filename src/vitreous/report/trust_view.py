"""How far the heat-maps of one image can be trusted: curves, a table, and a sentence."""

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor, nn

from vitreous.analysis.randomisation import cascading_randomisation
from vitreous.analysis.trust import Trust, is_informative, measure_trust, random_trust
from vitreous.report.document import name_cell, number_cell, section, table
from vitreous.report.findings import Findings
from vitreous.report.inside import randomisation, trust_curves


def add_trust(
    findings: Findings,
    model: nn.Module,
    image: Float[Tensor, "1 C H W"],
    label: int,
    draw_maps: Callable[[nn.Module], Mapping[str, Float[Tensor, "h w"]]],
    *,
    multi_label: bool = False,
) -> None:
    """Add deletion, insertion and the randomised-weights test of each map.

    Args:
        findings: Where to; `numbers["maps"]` holds the maps already.
        model: In inference mode.
        image: Normalised pixels.
        label: The class that is followed.
        draw_maps: A model's maps of this image, by the name of their method.
        multi_label: Whether the model gives each class a probability by itself.
    """
    maps = draw_maps(model)
    h, w = next(iter(maps.values())).shape
    trusts = {
        name: measure_trust(model, image[0], heat, label, multi_label=multi_label)
        for name, heat in maps.items()
    }
    chance = random_trust(model, image[0], (h, w), label, multi_label=multi_label)
    likeness = cascading_randomisation(model, draw_maps)
    all_random = list(likeness.values())[-1]
    for name, trust in trusts.items():
        findings.numbers["maps"][name] |= {
            "deletion_area": trust.deletion.area,
            "insertion_area": trust.insertion.area,
            "informative": is_informative(trust, chance),
            "after_randomisation": {station: row[name] for station, row in likeness.items()},
        }
    findings.numbers["random_order"] = {
        "deletion_area": chance.deletion.area,
        "insertion_area": chance.insertion.area,
    }
    findings.tables["trust"] = [
        {
            "map": name,
            "share_of_patches": share,
            "probability_deletion": deleted,
            "probability_insertion": inserted,
        }
        for name, trust in (*trusts.items(), ("random order", chance))
        for share, deleted, inserted in zip(
            trust.deletion.shares.tolist(),
            trust.deletion.probabilities.tolist(),
            trust.insertion.probabilities.tolist(),
            strict=True,
        )
    ]
    rows = [
        (
            name_cell(name.capitalize()),
            number_cell(trust.deletion.area, f"{trust.deletion.area:.3f}"),
            number_cell(trust.insertion.area, f"{trust.insertion.area:.3f}"),
            number_cell(all_random[name], f"{all_random[name]:+.2f}".replace("-", "−")),
            number_cell(*_verdict(trust, chance)),
        )
        for name, trust in trusts.items()
    ]
    rows.append(
        (
            name_cell("Random order"),
            number_cell(chance.deletion.area, f"{chance.deletion.area:.3f}"),
            number_cell(chance.insertion.area, f"{chance.insertion.area:.3f}"),
            number_cell(0, "–"),
            number_cell(-1, "–"),
        )
    )
    headings = (
        "Map",
        "Deletion area ↓",
        "Insertion area ↑",
        "Likeness, all weights random",
        "Beats random order",
    )
    findings.reading.append(_reading(trusts, chance))
    findings.sections.append(
        section(
            "trust",
            "How far to trust it",
            "A good map marks what the answer hangs on: painting those patches over sinks the "
            "probability early (a small area under the curve), putting them back into the blurred "
            "image lifts it early (a large one). Random order is the mark to beat.",
            table(headings, rows, "Trust in each map"),
            findings.draw("trust", trust_curves(trusts, chance)),
            findings.draw(
                "randomisation",
                randomisation(likeness),
                "Rank correlation with the map of the trained model while its weights are made "
                "random, from the head down: a map that stays alike does not depend on what was "
                "learnt.",
            ),
        )
    )


def _verdict(trust: Trust, chance: Trust) -> tuple[int, str]:
    lower = trust.deletion.area < chance.deletion.area
    higher = trust.insertion.area > chance.insertion.area
    words = {(True, True): "both ways", (True, False): "deletion", (False, True): "insertion"}
    return lower + higher, words.get((lower, higher), "no")


def _reading(trusts: Mapping[str, Trust], chance: Trust) -> str:
    if len(trusts) == 1:
        ((name, trust),) = trusts.items()
        _, beaten = _verdict(trust, chance)
        than = {"no": "no better than", "both ways": "better both ways than"}
        return f"The map, by {name}, is {than.get(beaten, 'better one way than')} a random order."
    good = [name for name, trust in trusts.items() if is_informative(trust, chance)]
    if not good:
        return (
            "No map beats a random order of patches both ways here: none of them tells what the "
            "answer hangs on."
        )
    best = max(good, key=lambda name: trusts[name].insertion.area - trusts[name].deletion.area)
    words = f"Of the maps, {best} marks best what the answer hangs on"
    fails = [name for name in trusts if name not in good]
    if not fails:
        return f"{words}; all {len(trusts)} beat a random order."
    verb = "does" if len(fails) == 1 else "do"
    return f"{words}; {' and '.join(fails)} {verb} not beat a random order."

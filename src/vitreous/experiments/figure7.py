"""Figure 7: filters of the patch embedding, similarity of positions, distance of attention."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from vitreous.data.sample import Part
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.finding import Finding
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.subject import drawn_of, looks
from vitreous.experiments.trial import Trial
from vitreous.model.classifier import Classifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vitreous.analysis.distance import Patch
    from vitreous.analysis.survey import Survey

IMAGES = 128
"""As in the paper's appendix D.7."""

# A difference of cosines that random positions of a trained width do not show.
_CLEAR = 0.05
_DRAWN = 4  # models that a figure has room for


def survey_images(model: Classifier, part: Part, images: int) -> "Survey":
    """What each layer does over images, in float32."""
    from vitreous.analysis.survey import survey
    from vitreous.data.faults import Faults
    from vitreous.data.loader import EvaluationLoader
    from vitreous.model.vit import VisionTransformer
    from vitreous.parallel.device import choose_engine
    from vitreous.weights.passport import passport_of

    assert isinstance(model, VisionTransformer), "checked before"
    rule = passport_of(model).preprocessing
    engine = choose_engine("auto", "float32")
    loader = EvaluationLoader(part, rule, batch_size=16, faults=Faults(images, 0.1))
    return survey(model.to(engine.device), loader, engine)


def distances(found: "Survey") -> Float[np.ndarray, "L k"]:
    """Mean attention distance of each layer and head, pixels."""
    return np.stack([found.distance[layer].mean.numpy() for layer in sorted(found.distance)])


def as_shares(
    far: Float[np.ndarray, "L k"], grid: tuple[int, int], patch: "Patch"
) -> Float[np.ndarray, "L k"]:
    """Distances by that of a head to which all patches are alike; of one patch alone, ones.

    Args:
        far: Of `distances`.
        grid: (h, w).
        patch: Side of a patch, pixels, or (height, width).
    """
    from vitreous.analysis.distance import uniform_distance

    everywhere = uniform_distance(grid, patch)
    return far / everywhere if everywhere else np.ones_like(far)


def _look(model: Classifier, part: Part, images: int) -> Outcome:
    from scipy.stats import spearmanr

    from vitreous.analysis.distance import uniform_distance
    from vitreous.analysis.filters import filter_components
    from vitreous.analysis.position_similarity import added_positions, position_similarity
    from vitreous.model.vit import VisionTransformer
    from vitreous.report.embedding import first_kernel

    found = survey_images(model, part, images)
    assert isinstance(model, VisionTransformer)
    far = distances(found)
    shares = as_shares(far, found.grid, found.patch)
    components = filter_components(first_kernel(model))
    positions = added_positions(model)
    similarity = position_similarity(positions).cpu().numpy()
    depth = np.arange(len(far)).repeat(far.shape[1])
    # Of what is all alike there is no correlation.
    growth = spearmanr(depth, far.ravel()).statistic if len(far) > 1 and np.ptp(far) else 0.0
    return Outcome(
        {
            "variance in 28 filters": float(components.explained.sum()),
            **(_likeness(similarity) if positions.any() else {}),
            "nearest head of the first layer": float(shares[0].min()),
            "farthest head of the first layer": float(shares[0].max()),
            "nearest head of the last layer": float(shares[-1].min()),
            "distance grows with depth": float(growth),
        },
        facts={
            "filters": np.round(components.images, 4).tolist(),
            "similarity": np.round(_at_most(similarity, 14), 3).tolist(),
            "distance": far.tolist(),
            "everywhere": uniform_distance(found.grid, found.patch),
            "grid": found.grid,
            "positions": bool(positions.any()),
        },
    )


def _likeness(similarity: Float[np.ndarray, "h w h w"]) -> dict[str, float]:
    """How alike positions are: side by side, in one row or column, and elsewhere as far away."""
    h, w = similarity.shape[:2]
    rows, columns = np.indices((h, w)).reshape(2, -1)
    down, across = (abs(axis[:, None] - axis) for axis in (rows, columns))
    flat = similarity.reshape(h * w, h * w)
    apart = np.hypot(down, across)
    line = (down == 0) | (across == 0)
    # Pairs on no line of the grid, at distances that lines have too.
    aside = ~line & (apart <= max(h, w) - 1)
    pairs = {
        "side by side": flat[apart == 1],
        "in a row or column": flat[line & (apart > 1)],
        "elsewhere": flat[aside],
    }
    return {f"cosine {name}": float(values.mean()) for name, values in pairs.items() if len(values)}


def _at_most(similarity: Float[np.ndarray, "h w h w"], side: int) -> Float[np.ndarray, "a b h w"]:
    rows, columns = (
        np.unique(np.linspace(0, n - 1, min(n, side)).round().astype(int))
        for n in similarity.shape[:2]
    )
    return similarity[rows][:, columns]


def _trials(setting: Setting) -> Sequence[Trial]:
    return looks(setting, "figure7", _look, images=IMAGES)


def _findings(results: Results) -> Sequence[Finding]:
    return [finding for row in results.rows for finding in _of(results, row)]


def _of(results: Results, row: str) -> Sequence[Finding]:
    value = {column: cell.mean for column, cell in results.row(row).items()}
    facts = next(iter(results.row(row).values())).facts[0]
    h, w = facts["grid"]
    return [*_of_positions(row, value, facts["positions"]), *_of_distance(row, value, h * w)]


def _of_positions(row: str, value: Mapping[str, float], added: bool) -> Sequence[Finding]:
    closer = f"{row}: closer patches have more similar positions"
    lines = f"{row}: rows and columns show in the positions"
    if not added or "cosine elsewhere" not in value:
        why = "its grid has no patches aside" if added else "it adds no positions to its patches"
        return [Finding(claim, "not shown", why) for claim in (closer, lines)]
    near, line, aside = (
        value[f"cosine {name}"] for name in ("side by side", "in a row or column", "elsewhere")
    )
    return [
        _judge(
            closer,
            near > max(line, aside) + _CLEAR,
            f"side by side {near:.2f}, farther apart {max(line, aside):.2f}",
        ),
        _judge(
            lines,
            line > aside + _CLEAR,
            f"in a row or column {line:.2f}, elsewhere at like distances {aside:.2f}",
        ),
    ]


def _of_distance(row: str, value: Mapping[str, float], patches: int) -> Sequence[Finding]:
    spread = f"{row}: in the lowest layer some heads look far already, and others are local"
    grows = f"{row}: attention distance grows with depth"
    if patches == 1:
        why = "its grid has one patch, and nothing is far"
        return [Finding(claim, "not shown", why) for claim in (spread, grows)]
    # The small model stands in for one that has seen thousands of times as many images.
    short = "; few images form little attention" if row.startswith("small") else ""
    first = [value[f"{which} head of the first layer"] for which in ("nearest", "farthest")]
    growth = value["distance grows with depth"]
    return [
        _judge(
            spread,
            first[1] > 0.8 and first[0] < 0.6,
            f"the nearest {first[0]:.0%} and the farthest {first[1]:.0%} of the distance of a head "
            f"to which all patches are alike{short}",
        ),
        _judge(
            grows,
            growth > 0.2,
            f"rank correlation of layer and distance {growth:+.2f}{short}",
        ),
    ]


def _judge(claim: str, holds: bool, why: str) -> Finding:
    return Finding(claim, "holds" if holds else "does not hold", why)


def _draw(results: Results) -> "Figure":
    from vitreous.report.paper_figures import embedding_and_distance

    title = f"Inside{drawn_of(results.rows, _DRAWN)}"
    rows = {row: next(iter(results.row(row).values())).facts[0] for row in results.rows[:_DRAWN]}
    return embedding_and_distance(title, rows)


EXPERIMENT = Experiment(
    name="figure7",
    title="inside: embedding filters, position similarity, attention distance",
    source="Figure 7",
    published_as="drawn and not printed: ViT-L/32 (filters, positions), ViT-L/16 (distance)",
    form={"": ".2f"},
    scales={
        "pocket": Scale(
            what="each checkpoint of --weights on 128 flower photos (on images of CIFAR-10 where "
            "--data has no flowers), or else a ViT of 6 blocks trained here on 10,000 images of "
            "CIFAR-10; distances are shares of that of a head to which all patches are alike",
            minutes=8,
            seeds=1,
        )
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    drawn=("filters", "similarity"),
    takes_weights=True,
)

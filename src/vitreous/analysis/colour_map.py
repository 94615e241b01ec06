"""Patch features as colours: what has one colour is one thing to the model."""

import numpy as np
from jaxtyping import Float
from torch import Tensor


def colour_map(tokens: Float[Tensor, "B h w D"]) -> Float[np.ndarray, "B h w 3"]:
    """The first three principal components of patch tokens as red, green and blue.

    The components are those of all images together, so that a colour means the same in each.
    Every channel runs from 0 at the 1st percentile to 1 at the 99th: a few artifacts do not take
    all the colours.

    Source: the figures of DINOv2, arXiv 2304.07193, without their removal of the background.

    Args:
        tokens: Of the patches of one layer.

    Returns:
        In [0, 1]; a component that there is not, or that does not vary, is 0.5 throughout.
    """
    from sklearn.decomposition import PCA

    shape = tokens.shape[:3]
    rows = tokens.detach().double().cpu().flatten(0, 2).numpy()
    found = min(3, *rows.shape)
    components = np.zeros((len(rows), 3))
    with np.errstate(invalid="ignore"):  # equal tokens have no variance to share out
        components[:, :found] = PCA(found, svd_solver="full").fit_transform(rows)
    low, high = np.percentile(components, (1, 99), axis=0)
    # Rounding of features that do not vary is no component.
    scale = np.abs(rows).max() or 1.0
    varies = high - low > 1e-9 * scale
    colours = np.full_like(components, 0.5)
    colours[:, varies] = (components[:, varies] - low[varies]) / (high - low)[varies]
    return colours.clip(0, 1).reshape(*shape, 3)

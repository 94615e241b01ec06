"""What the patch embedding looks for: the principal components of its kernel (Figure 7, left)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Components:
    """Principal components of filters.

    Attributes:
        images: Unit vectors in the shape of a filter, the strongest first.
        explained: Share of the filters' variance along each, in [0, 1].
    """

    images: Float[np.ndarray, "n C P P2"]
    explained: Float[np.ndarray, " n"]


def filter_components(kernel: Float[Tensor, "D C P P2"], limit: int = 28) -> Components:
    """Principal components of the D filters of an embedding.

    Each filter is a point in C*P*P2 dimensions; the components are the eigenvectors of their
    covariance. Their signs are arbitrary and fixed by scikit-learn's rule.

    Source: the paper's Figure 7, left: the first 28 components of ViT-L/32's RGB filters.

    Args:
        kernel: Of `PatchEmbedding.weight`, or of a hybrid's or ResNet's first convolution.
        limit: At most so many components; there are never more than min(D, C*P*P2).

    Returns:
        The components and the share of the variance that each explains.
    """
    from sklearn.decomposition import PCA

    filters = kernel.detach().double().cpu().flatten(1).numpy()
    with np.errstate(invalid="ignore"):  # equal filters have no variance, and no share of it
        fitted = PCA(min(limit, *filters.shape), svd_solver="full").fit(filters)
    explained = np.nan_to_num(fitted.explained_variance_ratio_)
    return Components(fitted.components_.reshape(-1, *kernel.shape[1:]), explained)

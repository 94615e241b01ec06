"""Descriptors of a collection, evened out: what its images have in common tells none of them apart.

All portraits have a face in the middle, all garments a bright shape on black. From each descriptor
the collection's mean is taken, and its covariance is evened out by a shrunk whitening,

    z = (C + I / f)^(-1/2) (x - m), scaled to length 1,

with C and m estimated as if N = 500 images without any pattern were there too, so that few images
are left as they are. Mirror images are counted in, which keeps the coefficients that change their
sign in a mirror apart from those that do not.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from vitreous.data.looks import NUM_COEFFICIENTS, NUM_EVEN

_PRIOR = 500
_SAMPLE = 50_000

Descriptors = Float32[np.ndarray, "_ windows f"]


def whiten(collections: Sequence[Descriptors]) -> list[Descriptors]:
    """Even out the descriptors of one or two collections, by the statistics of all together.

    Rows of zeros stay zeros.
    """
    whole = np.concatenate([_sample(descriptors[:, 0]) for descriptors in collections])
    whole = whole[whole.any(1)]
    size, weight = NUM_COEFFICIENTS, len(whole) + _PRIOR
    mean = whole.sum(0, dtype=np.float64) / weight
    mean[NUM_EVEN:] = 0
    centred = whole - mean
    covariance = (centred.T @ centred + np.eye(size) * (_PRIOR / size)) / weight
    covariance[:NUM_EVEN, NUM_EVEN:] = covariance[NUM_EVEN:, :NUM_EVEN] = 0
    values, vectors = np.linalg.eigh(covariance + np.eye(size) / size)
    matrix = (vectors * values**-0.5 @ vectors.T).astype(np.float32)
    return [_apply(descriptors, mean.astype(np.float32), matrix) for descriptors in collections]


def _sample(rows: Float32[np.ndarray, "n f"]) -> Float32[np.ndarray, "s f"]:
    return rows[:: max(len(rows) // _SAMPLE, 1)]


def _apply(
    descriptors: Descriptors, mean: Float32[np.ndarray, " f"], matrix: Float32[np.ndarray, "f f"]
) -> Descriptors:
    evened = (descriptors - mean) @ matrix
    evened /= np.maximum(np.linalg.norm(evened, axis=2, keepdims=True), 1e-6)
    evened[~descriptors[:, 0].any(1)] = 0
    return evened

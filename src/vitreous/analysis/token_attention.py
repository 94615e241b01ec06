"""One token's attention, both ways, out of queries and keys: no whole map needs to be kept.

Maps of all layers and heads take L k S^2 numbers, queries and keys 2 L S D: a row or a column of
any map is one small product away.
"""

from jaxtyping import Float
from torch import Tensor


def log_normalisers(
    queries: Float[Tensor, "*L k S d"], keys: Float[Tensor, "*L k S d"]
) -> Float[Tensor, "*L k S"]:
    """What the softmax of each query divides by: log sum over keys of exp(q . k / sqrt(d)).

    Args:
        queries: Of a recording, before they are scaled.
        keys: Of the same.
    """
    return (_scaled(queries) @ keys.float().mT).logsumexp(-1)


def attention_from(
    queries: Float[Tensor, "*L k S d"], keys: Float[Tensor, "*L k S d"], token: int
) -> Float[Tensor, "*L k S"]:
    """What one token attends to: its row of each head's attention.

    Args:
        queries: Of a recording, before they are scaled.
        keys: Of the same.
        token: Its place in the sequence.

    Returns:
        Shares; each head's sum to one.
    """
    query = _scaled(queries[..., token, :])  # (..., k, d)
    return (keys.float() @ query[..., None])[..., 0].softmax(-1)


def attention_to(
    queries: Float[Tensor, "*L k S d"],
    keys: Float[Tensor, "*L k S d"],
    normalisers: Float[Tensor, "*L k S"],
    token: int,
) -> Float[Tensor, "*L k S"]:
    """What attends to one token: its column of each head's attention.

    a[q, t] = exp(q . k_t / sqrt(d) - log_normalisers[q])

    Args:
        queries: Of a recording, before they are scaled.
        keys: Of the same.
        normalisers: Of `log_normalisers`.
        token: Its place in the sequence.

    Returns:
        The share that each token gives to this one; of no sum in particular.
    """
    key = keys[..., token, :].float()  # (..., k, d)
    return ((_scaled(queries) @ key[..., None])[..., 0] - normalisers).exp()


def _scaled(queries: Tensor) -> Tensor:
    return queries.float() * queries.shape[-1] ** -0.5

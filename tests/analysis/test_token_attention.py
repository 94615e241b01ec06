"""Rows and columns of attention, out of queries and keys, against the maps themselves."""

import pytest
import torch

from vitreous.analysis.token_attention import attention_from, attention_to, log_normalisers
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer


def test_they_are_rows_and_columns_of_the_maps(
    model: VisionTransformer, pictures: torch.Tensor
) -> None:
    recording = Recording(attention="all", queries="all", keys="all")
    with torch.no_grad():
        model(pictures, recording=recording)
    maps, queries, keys = (
        torch.stack(list(kind.values()))
        for kind in (recording.attention, recording.queries, recording.keys)
    )
    normalisers = log_normalisers(queries, keys)
    for token in range(maps.shape[-1]):
        row = attention_from(queries, keys, token)
        column = attention_to(queries, keys, normalisers, token)
        torch.testing.assert_close(row, maps[..., token, :], rtol=0, atol=1e-6)
        # exp of a difference of float32 numbers as large as the scores.
        torch.testing.assert_close(column, maps[..., token], rtol=0, atol=5e-6)


def test_a_query_of_zeros_attends_to_all_alike() -> None:
    queries, keys = torch.zeros(2, 3, 5, 4), torch.randn(2, 3, 5, 4)
    normalisers = log_normalisers(queries, keys)
    assert normalisers == pytest.approx(torch.full((2, 3, 5), 5.0).log())
    assert attention_from(queries, keys, 1) == pytest.approx(torch.full((2, 3, 5), 0.2))
    assert attention_to(queries, keys, normalisers, 4) == pytest.approx(torch.full((2, 3, 5), 0.2))


def test_large_products_do_not_overflow() -> None:
    queries = torch.full((1, 3, 4), 300.0)
    keys = torch.tensor([[[300.0] * 4, [-300.0] * 4, [0.0] * 4]])
    normalisers = log_normalisers(queries, keys)
    assert attention_from(queries, keys, 0).tolist() == [[1, 0, 0]]
    assert attention_to(queries, keys, normalisers, 0).tolist() == [[1, 1, 1]]

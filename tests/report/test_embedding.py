"""What the weights alone show."""

from collections.abc import Callable

import pytest
import torch

from vitreous.model.vit import VisionTransformer
from vitreous.report.embedding import add_embedding, first_kernel
from vitreous.report.findings import Findings

Small = Callable[..., VisionTransformer]


def test_filters_and_positions(small_model: Small) -> None:
    model, findings = small_model(), Findings("model", [])
    with torch.no_grad():
        model.position.table[1:].fill_(2.0)
    add_embedding(findings, model)
    assert findings.numbers["position_similarity"] == pytest.approx({"neighbours": 1, "all": 1})
    assert len(findings.tables["position_similarity"]) == 15
    assert len(findings.numbers["filters_explained"]) == 24
    assert findings.reading == [
        "Position embeddings of neighbouring patches have a cosine of 1.00, of any two 1.00."
    ]


def test_the_kernel_that_meets_the_pixels(small_model: Small) -> None:
    assert first_kernel(small_model()).shape == (24, 3, 8, 8)
    assert first_kernel(small_model(stem=(1,), stem_width=32)).shape == (32, 3, 7, 7)


def test_positions_of_zeros_are_no_figure(small_model: Small) -> None:
    model, findings = small_model(), Findings("model", [])
    torch.nn.init.zeros_(model.position.table)
    add_embedding(findings, model)
    assert "position_similarity" not in findings.numbers

"""The page of one run: everything measured, in one file."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from vitreous.report import sections
from vitreous.report.curves import History
from vitreous.report.document import contents, write_document
from vitreous.report.pictures import AttentionView, Mistake


def write_report(
    path: str | os.PathLike[str],
    report: Mapping[str, Any],
    history: History = (),
    mistakes: Sequence[Mistake] = (),
    attention: Sequence[AttentionView] = (),
) -> None:
    """Write `report.html`: one file that needs no network and opens in any browser.

    Args:
        path: Where; a page that is there is replaced once the new one is complete.
        report: The dictionary of `classification_report`, and what is known of these: `run` (its
            name), `model` (its name), `parameters`, `image_size` (side, or height and width, in
            pixels), `pooling` (`token` or `mean`), `data` (its address), `part` (of the data),
            `seconds`, and `facts` (labels and texts for the end of the page).
        history: The lines of `metrics.jsonl`; empty where the training is not known.
        mistakes: Images that were named wrongly, in the order they shall have.
        attention: Images with the attention of the class token, or of the patches' mean.

    Raises:
        UserError: The file cannot be written. No part of it is left behind.
    """
    parts = [
        sections.training(history),
        sections.classes(report),
        *([sections.confusion(report)] if "confusion" in report else []),
        sections.calibration(report),
        sections.mistakes(mistakes),
        sections.attention(attention, str(report.get("pooling", "token"))),
        sections.provenance(report),
    ]
    title = str(report.get("run") or report.get("model") or "Evaluation")
    body = [sections.header(report), contents(parts), *(part.text for part in parts)]
    write_document(path, f"{title} · vitreous", body)

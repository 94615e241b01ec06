"""A curve in the terminal."""

from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def text_plot(values: Sequence[float], height: int = 6) -> list[str]:
    """Draw values from 0 up as columns of blocks.

    Args:
        values: One a column, 0 or more.
        height: Lines.

    Returns:
        Lines from the top down, each as long as there are values.
    """
    top = max(values, default=0.0) or 1.0
    eighths = [round(8 * height * value / top) for value in values]
    return [
        "".join(_EIGHTHS[min(max(filled - 8 * line, 0), 8)] for filled in eighths)
        for line in reversed(range(height))
    ]

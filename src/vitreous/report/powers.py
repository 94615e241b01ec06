"""Logarithmic axes that are told in plain numbers."""

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def label_powers(axis: Axis) -> None:
    """Mark a logarithmic axis at 1, 2 and 5 of each power of ten, or at powers where it is long.

    Figures read no formulas, which matplotlib's own labels are.

    Args:
        axis: With all that is drawn on it.
    """
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: as_power(value)))
    axis.set_minor_locator(NullLocator())


def as_power(value: float) -> str:
    """Such as 2 × 10¹²; what a digit and few zeros say stays so."""
    if 1e-3 <= value < 1e6:
        return f"{value:,g}"
    digits, _, exponent = f"{value:.0e}".partition("e")
    raised = str(int(exponent)).translate(_RAISED)
    return f"10{raised}" if digits == "1" else f"{digits} × 10{raised}"

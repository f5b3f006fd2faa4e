"""Numbers as text: one format for drawings, explanations, pages and notebooks."""

from __future__ import annotations

import math

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")

EXACT = 1e9
"""Whole numbers below this are written in full."""

SMALL, LARGE = 1e-4, 1e6
"""What is smaller, or at least as large, is written as a power of ten."""


def number(value: float, digits: int = 4) -> str:
    """A number with that many significant digits and a true minus sign; small and large ones as powers of ten.

    >>> number(-0.123456), number(1.278e-8), number(3), number(True), number(float("-inf"))
    ('−0.1235', '1.278·10⁻⁸', '3', 'True', '−∞')
    >>> number(12345.6), number(1e6 + 0.5), number(2e6)
    ('12350', '1·10⁶', '2000000')
    """
    if (own := getattr(value, "text", None)) is not None:  # what an exercise writes in place of a number
        return own
    if not isinstance(value, float):
        return str(value).replace("-", "−")
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < EXACT:
        return f"{value:.0f}".replace("-", "−") if value else "0"
    if not SMALL <= abs(value) < LARGE:
        return scientific(f"{float(f'{value:.{digits}g}'):.{digits - 1}e}")
    return f"{float(f'{value:.{digits}g}'):.15g}".replace("-", "−")


def scientific(text: str) -> str:
    """`1.20e-05` as `1.2·10⁻⁵`.

    >>> scientific("-1.20e-05")
    '−1.2·10⁻⁵'
    """
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}·{power_of_ten(int(exponent))}".replace("-", "−")


def value_of(text: str) -> float:
    """The number that `number` wrote. Raises ValueError for any other text.

    >>> value_of(number(-0.123456)), value_of("1.278·10⁻⁸"), value_of("−∞")
    (-0.1235, 1.278e-08, -inf)
    """
    mantissa, power, exponent = text.replace("−", "-").replace("∞", "inf").partition("·10")
    return float(mantissa + (f"e{exponent.translate(LOWERED)}" if power else ""))


def power_of_ten(exponent: int) -> str:
    """`10⁻⁵`."""
    return f"10{str(exponent).translate(RAISED)}"

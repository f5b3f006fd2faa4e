"""Values of special functions on arrays, computed in float64 and rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

# Bernoulli numbers B₂ₖ, k = 1 … 8: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, table 23.2.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
FAR = 12.0
"""From here on the asymptotic series are exact to the last digits of float64."""
LOWEST = -1000.0
"""Below this the polygamma functions of order 2 and more are NaN: the recurrence would take too many steps."""

LARGEST_FACTORIAL = 170
"""The largest n whose factorial is a float64."""


def in_float64(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Let `function` compute in float64; its result has the dtype of its last argument."""

    @wraps(function)
    def wide(*arguments: Any) -> np.ndarray:
        *rest, x = arguments
        with np.errstate(all="ignore"):
            return np.asarray(function(*rest, np.asarray(x, np.float64))).astype(x.dtype)

    return wide


def _each(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of Python floats, for each element of a float64 array."""
    elements = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(elements(x)).astype(np.float64)


def _ln_gamma(x: float) -> float:
    if x <= 0 and (x == -math.inf or x == math.floor(x)):
        return math.inf
    return math.lgamma(x)


_erf, _erfc = _each(math.erf), _each(math.erfc)
erfc, lgamma = in_float64(_erfc), in_float64(_each(_ln_gamma))


@in_float64
def erfinv(x: np.ndarray) -> np.ndarray:
    """The z for which erf z = x."""
    return np.copysign(_inverse(np.abs(x), 1 - np.abs(x)), x)


@in_float64
def ndtri(x: np.ndarray) -> np.ndarray:
    """The z at which the standard normal distribution function is x: Φ(z) = x."""
    # Φ(z) = ½ erfc(−z/√2). Computed from the smaller tail, which 1 − x would round.
    tail = 2 * np.minimum(x, 1 - x)
    return np.copysign(math.sqrt(2) * _inverse(1 - tail, tail), x - 0.5)


def _inverse(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The z ≥ 0 for which erf z = inside and erfc z = outside; Halley's method from an approximation.

    Winitzki, A handy approximation for the error function and its inverse, 2008.
    """
    a = 0.147
    log = np.log(np.maximum(outside, 5e-324)) + np.log1p(np.clip(inside, 0, 1))  # ln(1 − x²)
    half = 2 / (math.pi * a) + log / 2
    z = np.sqrt(np.maximum(np.sqrt(half * half - log / a) - half, 0))
    for _ in range(4):
        # Of erf and erfc the smaller one, whose relative error is smaller.
        error = np.where(inside < 0.5, _erf(z) - inside, outside - _erfc(z))
        step = error * math.sqrt(math.pi) / 2 * np.exp(z * z)
        z = np.where(np.isfinite(step), z - step / (1 + z * step), z)
    z = np.where(outside == 0, np.inf, np.where(inside == 0, 0.0, z))
    return np.where((inside >= 0) & (outside >= 0), z, np.nan)


@in_float64
def sinc(x: np.ndarray) -> np.ndarray:
    """sin(πx) / (πx), and 1 at 0."""
    return np.where(x == 0, 1.0, np.sin(math.pi * x) / (math.pi * np.where(x == 0, 1.0, x)))


@in_float64
def digamma(x: np.ndarray) -> np.ndarray:
    """ψ(x): reflected where x < ½, carried up to x ≥ 12 by ψ(x) = ψ(x + 1) − 1/x, then the asymptotic series."""
    low = x < 0.5
    y, shift = np.where(low, 1 - x, x), np.zeros_like(x)
    for _ in range(int(FAR)):
        small = y < FAR
        shift = shift - np.where(small, 1 / y, 0)
        y = np.where(small, y + 1, y)
    series = sum(b / (2 * k * y ** (2 * k)) for k, b in enumerate(BERNOULLI, 1))
    z = np.where(y == np.inf, np.inf, np.log(y) - 0.5 / y - series) + shift
    fraction = x - np.round(x)  # cot πx has period 1: this difference is exact, π · x is rounded
    z = np.where(low, z - math.pi / np.tan(math.pi * fraction), z)
    z = np.where(x == 0, -np.copysign(np.inf, x), z)
    return np.where((x < 0) & (fraction == 0) | (x == -np.inf), np.nan, z)


@in_float64
def polygamma(n: int, x: np.ndarray) -> np.ndarray:
    """ψ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹ n! ζ(n + 1, x) for n ≥ 1."""
    if n == 1:  # π²/sin²(πx) − ψ′(1 − x) = ψ′(x)
        low = x < 0.5
        z = _hurwitz(2.0, np.where(low, 1 - x, x))
        sine = np.sin(math.pi * (x - np.round(x)))
        return np.where(low, np.where(sine == 0, np.inf, (math.pi / sine) ** 2 - z), z)
    factorial = float(math.factorial(n)) if n <= LARGEST_FACTORIAL else math.inf
    return (factorial if n % 2 else -factorial) * _hurwitz(n + 1.0, x)


def _hurwitz(s: float, x: np.ndarray) -> np.ndarray:
    """ζ(s, x) = Σ 1/(x + k)ˢ for s ≥ 2: terms up to x ≥ 12 and x ≥ s, then the Euler–Maclaurin formula."""
    far = max(FAR, min(s, LARGEST_FACTORIAL + 1.0))  # its terms fall like (s / 2πx)²ᵏ
    finite = x[(x >= LOWEST) & (x < far)]
    y, total = x, np.zeros_like(x)
    for _ in range(math.ceil(far - finite.min()) if finite.size else 0):
        small = y < far
        total = total + np.where(small, y**-s, 0)
        y = np.where(small, y + 1, y)
    total = total + y ** (1 - s) / (s - 1) + y**-s / 2
    factor = s * y ** (-s - 1)
    for k, b in enumerate(BERNOULLI, 1):
        total = total + b / math.factorial(2 * k) * factor
        factor = factor * (s + 2 * k - 1) * (s + 2 * k) / y**2
    total = np.where(x == np.inf, 0.0, total)
    return np.where(x < LOWEST, np.nan, np.where((x <= 0) & (x == np.floor(x)), np.inf, total))

"""What kernels with one number per channel share: formulas of an element, sums of a plane, and the numbers themselves.

A single kernel and a loop of several functions (`fused_loops`) call the same function here, so their bits are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import register_jitable

from tensorgrad.kernels.jit.dispatch import INLINE, helper

_inlined = register_jitable(**INLINE)


@_inlined
def scaled(x, center, factor, term):
    """(x − center) · factor + term: the center first, since x · factor + term would lose digits to cancellation."""
    return (x - center) * factor + term


@_inlined
def scaled_gradient(g, x, center, factor, term, slope):
    """factor · (g − term − slope · (x − center))"""
    return factor * (g - term - slope * (x - center))


@_inlined
def rectified(x):
    """max(x, 0)"""
    zero = type(x)(0)
    return zero if x <= zero else x


@_inlined
def rectified_gradient(g, z):
    """0 where z ≤ 0, else g"""
    zero = type(g)(0)
    return zero if z <= zero else g


@helper
def plane_sum(plane):
    """Σ of a plane, in float64."""
    total = 0.0
    for q in range(plane.size):
        total += plane[q]
    return total


@helper
def plane_sums(g, x, center):
    """Σ g and Σ g · (x − center) of a plane, in float64; the center is rounded to the dtype of x."""
    total, product, center = 0.0, 0.0, x.dtype.type(center)
    for q in range(x.size):
        total += g[q]
        product += g[q] * (x[q] - center)
    return total, product


FORMULAS: dict[str, Callable[..., Any]] = {
    "scale and shift": scaled,
    "scale and shift gradient": scaled_gradient,
    "relu": rectified,
    "relu gradient": rectified_gradient,
}
"""Formulas by name."""

EXACT = frozenset(("relu", "relu gradient"))
"""Those that round nothing."""

SUMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "sum": (plane_sum, (None,)),
    "sum and product": (plane_sums, (np.float64, np.float64)),
}
"""Sums of planes by name, and the dtype of each result; None is that of the arrays."""

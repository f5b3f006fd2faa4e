"""The ops of robust regression: squares near 0, straight lines away from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.autograd.engine import apply
from tensorgrad.formulas.symbolic import HALF
from tensorgrad.ops.elementwise.activations import unless
from tensorgrad.ops.elementwise.arithmetic import abs
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.ops.elementwise.rounding import sign

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


class SmoothL1(Elementwise):
    """A parabola up to |x| = β, of slope ±1 beyond."""

    symbol = "smooth |x|"
    beta: float = 1.0
    formula = lambda x, beta: where(abs(x) < beta, HALF * x**2 / beta, abs(x) - HALF * beta)
    derivative = lambda x, beta: where(abs(x) < beta, unless(abs(x) >= beta, x) / beta, sign(x))


class Huber(Elementwise):
    """A parabola of curvature 1 up to |x| = δ, of slope ±δ beyond."""

    symbol = "huber"
    delta: float = 1.0
    formula = lambda x, delta: where(abs(x) <= delta, HALF * x**2, delta * (abs(x) - HALF * delta))
    derivative = lambda x, delta: where(abs(x) < delta, unless(abs(x) >= delta, x), delta * sign(x))


def smooth_l1(x: Tensor, beta: float) -> Tensor:
    """z = ½ x² / β where |x| < β, else |x| − ½ β, for differences x of a float dtype and β > 0.

    >>> import tensorgrad as tg
    >>> from tensorgrad.ops.losses.distances import smooth_l1
    >>> smooth_l1(tg.tensor([0.5, -3.0]), 1.0)
    tensor([0.125, 2.5  ])
    """
    return apply(SmoothL1, x, beta=beta)


def huber(x: Tensor, delta: float) -> Tensor:
    """z = ½ x² where |x| ≤ δ, else δ (|x| − ½ δ), for differences x of a float dtype and δ > 0.

    >>> import tensorgrad as tg
    >>> from tensorgrad.ops.losses.distances import huber
    >>> huber(tg.tensor([0.5, -3.0]), 2.0)
    tensor([0.125, 4.   ])
    """
    return apply(Huber, x, delta=delta)

"""The angle and the length of a vector in the plane, element by element with broadcasting."""

from __future__ import annotations

import numpy as np

from tensorgrad.formulas.symbolic import function, root
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.elementwise import Binary, Elementwise, binary
from tensorgrad.ops.operands import floating_pair

__all__ = ["arctan2", "atan2", "hypot"]


def _square(x, y):
    """x² + y², and 1 at the origin, by which 0 is to be divided there."""
    return where((x == 0) & (y == 0), 1.0, x**2 + y**2)


class Atan2(Elementwise):
    """Angle of the point (y, x) in radians, from −π to π: x is the ordinate. The derivative at the origin is 0.

    >>> tg.atan2(tg.tensor([1.0, -1.0]), tg.tensor([1.0, -1.0]))
    tensor([ 0.7854, -2.3562])
    """

    symbol, numpy = "atan2", np.arctan2
    formula = lambda x, y: function("atan2")(x, y)
    derivatives = (lambda x, y: y / (x**2 + y**2), lambda x, y: -x / (x**2 + y**2))

    def backward_x(self, grad, x, y):
        return grad * (y / _square(x, y))

    def backward_y(self, grad, x, y):
        return grad * (-x / _square(x, y))


class Hypot(Elementwise):
    """Length of the vector (x, y), without overflow. The derivative is NaN at the origin.

    >>> tg.hypot(tg.tensor([3.0]), tg.tensor([4.0]))
    tensor([5.])
    """

    symbol, numpy = "√(x²+y²)", np.hypot
    formula = lambda x, y: root(x**2 + y**2)
    derivatives = (lambda x, z: x / z, lambda y, z: y / z)


atan2: Binary = binary(Atan2, floating_pair)
arctan2 = atan2
hypot: Binary = binary(Hypot, floating_pair)

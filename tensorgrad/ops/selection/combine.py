"""Ops that combine values with elements by position: sums, products and extremes of what an index brings together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.engine import apply, constant
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import equal, words
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.indexing import GetItem
from tensorgrad.ops.operands import quiet
from tensorgrad.ops.row_sums import added

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__: list[str] = []


class AddAt(Op):
    """z = x, then z[index] += v; values at repeated indices accumulate."""

    symbol, formula = "[ ]+= v", lambda x, z, v: words(x, ",", z, "[index]", "+=", v)
    derivatives = (lambda grad: grad, lambda grad: words(grad, "[index]"))
    index: tuple

    @quiet
    def forward(self, x, v):
        return added(x, self.index, v)

    def backward_x(self, grad):
        return grad

    def backward_v(self, grad):
        return apply(GetItem, grad, index=self.index)


class MultiplyAt(Op):
    """z = x, then z[index] *= v; values at repeated indices are multiplied with each other."""

    symbol, formula = "[ ]*= v", lambda x, z, v: words(x, ",", z, "[index]", "*=", v)
    derivatives = (
        lambda grad: words(grad, "· Π of the others"),
        lambda grad: words(grad, "[index]", "· Π of the others"),
    )
    index: tuple

    @quiet
    def forward(self, x, v):
        z = x.astype(np.float64 if is_float(x.dtype) else x.dtype)
        np.multiply.at(z, self.index, v.astype(z.dtype, copy=False))
        return z.astype(x.dtype, copy=False)

    def backward_x(self, grad, x, v):
        return grad * apply(MultiplyAt, constant(np.ones(x.shape, x.dtype)), v, index=self.index)

    def backward_v(self, grad, x, v):
        return self._read(grad * x) * self._others(x, v)

    def _others(self, x: Tensor, v: Tensor) -> Tensor:
        """For each v the product of all others at its place; value and derivative are right where there are zeros, too.

        With one zero among the others the product is 0, and its derivative for that zero is the product of the rest.
        """
        zero = v == 0
        is_zero, factor = zero.astype(v.dtype), where(zero, 1.0, v)
        none = constant(np.zeros(x.shape, x.dtype))
        zeros = self._read(apply(AddAt, none, is_zero, index=self.index)) - is_zero
        product = apply(MultiplyAt, constant(np.ones(x.shape, x.dtype)), factor, index=self.index)
        only_zeros = where(zero, v, 0.0)
        the_zero = self._read(apply(AddAt, none, only_zeros, index=self.index)) - only_zeros
        return self._read(product) / factor * where(zeros == 0, 1.0, where(zeros == 1, the_zero, 0.0))

    def _read(self, x: Tensor) -> Tensor:
        return apply(GetItem, x, index=self.index)


class ExtremeAt(Op):
    """The common base of maxima and minima by position: elements that tie share the gradient evenly."""

    index: tuple
    derivatives = (
        lambda grad, x, z: words(grad, "·", equal(x, z), "/ (number of ties)"),
        lambda grad, v, z: words(grad, "[index]", "·", equal(v, words(z, "[index]")), "/ (number of ties)"),
    )

    def backward_x(self, grad, x, v, z):
        hit, _, ties = self._hits(x, v, z)
        return hit / ties * grad

    def backward_v(self, grad, x, v, z):
        _, hit, ties = self._hits(x, v, z)
        return hit * apply(GetItem, grad / ties, index=self.index)

    def _hits(self, x: Tensor, v: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which elements are the extreme of their place, and how many there are per place."""
        hit_x = (x == z).astype(x.dtype)
        hit_v = (v == apply(GetItem, z, index=self.index)).astype(x.dtype)
        return hit_x, hit_v, apply(AddAt, hit_x, hit_v, index=self.index)


class MaximumAt(ExtremeAt):
    """z = x, then z[index] = max(z[index], v)."""

    symbol, formula = "[ ] max", lambda x, z, v: words(x, ",", z, "[index]", "= max with", v)

    def forward(self, x, v):
        z = x.copy()
        np.maximum.at(z, self.index, v)
        return z


class MinimumAt(ExtremeAt):
    """z = x, then z[index] = min(z[index], v)."""

    symbol, formula = "[ ] min", lambda x, z, v: words(x, ",", z, "[index]", "= min with", v)

    def forward(self, x, v):
        z = x.copy()
        np.minimum.at(z, self.index, v)
        return z


REDUCTIONS: dict[str, type[Op]] = {"sum": AddAt, "prod": MultiplyAt, "amax": MaximumAt, "amin": MinimumAt}
"""The op of each way to combine values at one place."""

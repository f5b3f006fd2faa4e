"""Reading and writing at indices along one axis: what sorting and its kin are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import LOSS, equation, partial, words
from tensorgrad.ops.operands import quiet
from tensorgrad.ops.row_sums import added_to_zeros

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


class TakeAlong(Op):
    """z[…, j, …] = x[…, k[…, j, …], …] along one axis."""

    symbol, formula = "[k]", lambda x: words(x, "[k]")
    derivatives = (lambda grad, x: equation(words(partial(LOSS, x), "[k]"), grad, "+="),)
    axis: int
    repeats: bool

    def forward(self, x, k):
        self.residuals = x.shape[self.axis]
        return np.take_along_axis(x, k, self.axis)

    def backward_x(self, grad, k, residuals):
        return apply(PutAlong, grad, k, axis=self.axis, repeats=self.repeats, size=residuals)


class PutAlong(Op):
    """z = 0, then z[…, k[…, j, …], …] += x[…, j, …] along one axis. The adjoint of reading."""

    symbol, formula = "[k]+=", lambda z, x: equation(words(z, "[k]"), x, "+=")
    derivatives = (lambda grad: words(grad, "[k]"),)
    axis: int
    repeats: bool
    size: int

    @quiet
    def forward(self, x, k):
        shape = list(x.shape)
        shape[self.axis] = self.size
        if not self.repeats:
            z = np.zeros(shape, x.dtype)
            np.put_along_axis(z, k, x, self.axis)
            return z
        index: list[Any] = [*np.ogrid[tuple(slice(n) for n in x.shape)]]
        index[self.axis] = k
        return added_to_zeros(tuple(shape), tuple(index), x)

    def backward_x(self, grad, k):
        return apply(TakeAlong, grad, k, axis=self.axis, repeats=self.repeats)


def take_along(x: Tensor, k: Tensor, axis: int, repeats: bool = False) -> Tensor:
    """x at the int64 indices k along an axis; `repeats` says that an index may stand there twice."""
    return apply(TakeAlong, x, k, axis=axis, repeats=repeats)


def without_axis(x: Tensor, axis: int) -> Tensor:
    """x without an axis of length 1."""
    return x.reshape(x.shape[:axis] + x.shape[axis + 1 :])

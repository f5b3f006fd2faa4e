"""Cumulative products, extremes and sums of exponentials along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, is_float
from tensorgrad.autograd.engine import apply, constant, guard
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import equation, function, partial, summed, words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.transcendental import exp, log
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, floating, quiet, widened
from tensorgrad.ops.ordering.sorting import Ordered
from tensorgrad.ops.ordering.taking import take_along
from tensorgrad.ops.reductions import CumSum
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["cummax", "cummin", "cumprod", "logcumsumexp"]


class CumProd(Op):
    """zₖ = Π of x₀ … xₖ."""

    name = "cumprod"
    symbol, formula = "cumprod", lambda x, z, i, k: equation(z[k], summed(x[i], "i≤k", sign="Π"))
    derivatives = (lambda x, z, i, k: equation(partial(z[k], x[i]), words("Π of the others up to k, 0 where i > k")),)
    axis: int

    @quiet
    def forward(self, x):
        if not is_float(x.dtype):
            return x.cumprod(self.axis, np.int64)
        # In float64, with one rounding per z.
        return x.cumprod(self.axis, np.float64).astype(x.dtype, copy=False)

    def backward_x(self, grad, x, z):
        if guard(_can_divide, z._data):
            return _from_the_end(grad * z, self.axis) / x
        return _without_division(grad, x, self.axis)


def _can_divide(z: np.ndarray) -> bool:
    """Whether products of the others are those of all, divided by each: none is 0, infinite or NaN, nor is a factor."""
    return bool((np.isfinite(z) & (z != 0)).all())


def _from_the_end(x: Tensor, axis: int) -> Tensor:
    """zₖ = Σ of xₖ … xₙ."""
    return apply(CumSum, x.flip(axis), axis=axis).flip(axis)


def _without_division(grad: Tensor, x: Tensor, axis: int) -> Tensor:
    """The gradient of a cumulative product, from products of the others themselves. O(n²) memory."""
    n, order = x.shape[axis], [*range(x.ndim)]
    last = (*order[:axis], *order[axis + 1 :], axis)
    rows, g = x.permute(last), grad.permute(last)
    # (..., n) -> (..., i, k): the products up to k without xᵢ, which counts where i ≤ k
    wide = rows.reshape((*rows.shape[:-1], 1, n))
    others = cumprod(where(constant(np.eye(n, dtype=bool)), 1.0, wide), -1)
    weights = where(constant(np.triu(np.ones((n, n), bool))), g.reshape(wide.shape), 0.0)
    back = np.argsort(last)
    return (others * weights).sum(-1).permute(tuple(int(a) for a in back))


class ArgCumulative(Op):
    """z = the last place, up to each element, of the largest x or of the smallest one; NaN beats all."""

    name = "argcummax"
    symbol, formula = "argcummax", lambda x: words("place of the extreme up to", x)
    axis: int
    largest: bool

    def forward(self, x):
        best = (np.maximum if self.largest else np.minimum).accumulate(x, self.axis)
        shape = [1] * x.ndim
        shape[self.axis] = -1
        places = np.arange(x.shape[self.axis]).reshape(shape)
        return np.maximum.accumulate(np.where((x == best) | (x != x), places, 0), self.axis)


class LogCumSumExp(Op):
    """zₖ = ln Σ of eˣ up to xₖ."""

    name = "logcumsumexp"
    symbol = "ln cumsum exp"
    formula = lambda x, z, i, k: equation(z[k], words("ln", summed(function("exp")(x[i]), "i≤k")))
    derivatives = (
        lambda x, z, i, k: equation(partial(z[k], x[i]), words(function("exp")(x[i] - z[k]), ", 0 where i > k")),
    )
    axis: int

    @quiet
    @widened
    def forward(self, x):
        return np.logaddexp.accumulate(x.astype(np.float64, copy=False), self.axis).astype(x.dtype, copy=False)

    def backward_x(self, grad, x, z):
        # Σ gₖ exp(xᵢ − zₖ) over k ≥ i, of the positive and the negative g by themselves, as exponentials of sums.
        return self._part(grad, x, z) - self._part(-grad, x, z)

    def _part(self, grad: Tensor, x: Tensor, z: Tensor) -> Tensor:
        positive, nothing = grad > 0, z == -np.inf
        level = where(positive, log(where(positive, grad, 1.0)) - where(nothing, 0.0, z), -np.inf)
        return exp(apply(LogCumSumExp, level.flip(self.axis), axis=self.axis).flip(self.axis) + x)


@numpy_spellings
def cumprod(input: TensorLike, dim: int, *, dtype: DTypeLike = None) -> Tensor:
    """zₖ = x₀ · … · xₖ along `dim`; the gradient is correct for zeros too. Integers are multiplied in int64.

    Args:
        input: a tensor of any shape.
        dim: the axis.
        dtype: convert the input to it first.

    Raises:
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.cumprod(tg.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.])
    """
    x = as_tensor(input) if dtype is None else astype(input, dtype)
    axis = normalize_axis("cumprod", x, dim, "dim")
    z = apply(CumProd, x if x.ndim else x.reshape(1), axis=axis)
    return z if x.ndim else z.reshape(())


@numpy_spellings
def cummax(input: TensorLike, dim: int) -> Ordered:
    """The largest element so far along `dim`, and the last place where it was. NaN propagates.

    Args:
        input: a tensor of any shape.
        dim: the axis.

    Returns:
        A named tuple (values, indices).

    Raises:
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.cummax(tg.tensor([1.0, 3.0, 2.0]), 0)
    Ordered(values=tensor([1., 3., 3.]), indices=tensor([0, 1, 1]))
    """
    return _extremes("cummax", input, dim, largest=True)


@numpy_spellings
def cummin(input: TensorLike, dim: int) -> Ordered:
    """The smallest element so far along `dim`, and the last place where it was. NaN propagates.

    Args:
        input: a tensor of any shape.
        dim: the axis.

    Returns:
        A named tuple (values, indices).

    Raises:
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.cummin(tg.tensor([3.0, 1.0, 2.0]), 0)
    Ordered(values=tensor([3., 1., 1.]), indices=tensor([0, 1, 1]))
    """
    return _extremes("cummin", input, dim, largest=False)


def _extremes(op: str, input: TensorLike, dim: int, largest: bool) -> Ordered:
    x = as_tensor(input)
    axis = normalize_axis(op, x, dim, "dim")
    rows = x if x.ndim else x.reshape(1)
    places: Any = apply(ArgCumulative, rows, axis=axis, largest=largest)
    found = Ordered(take_along(rows, places, axis, repeats=True), places)
    return found if x.ndim else Ordered(*[z.reshape(()) for z in found])


@numpy_spellings
def logcumsumexp(input: TensorLike, dim: int) -> Tensor:
    """zₖ = ln(eˣ⁰ + … + eˣᵏ) along `dim`, stable for large x.

    Args:
        input: a tensor of any shape; integers become float32.
        dim: the axis.

    Raises:
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.logcumsumexp(tg.tensor([0.0, 0.0, 1e4]), 0)
    tensor([0.0000e+00, 6.9315e-01, 1.0000e+04])
    """
    x = floating(input)
    axis = normalize_axis("logcumsumexp", x, dim, "dim")
    z = apply(LogCumSumExp, x if x.ndim else x.reshape(1), axis=axis)
    return z if x.ndim else z.reshape(())

"""Reductions over any axes: sums, means, products, truth values; cumulative sums.

Variances, maxima and minima are in `tensorgrad.ops.reduce`.
"""

from __future__ import annotations

import builtins
import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, is_float, repeated
from tensorgrad.autograd.engine import apply, guard
from tensorgrad.autograd.op import Op
from tensorgrad.errors import DTypeError, restate
from tensorgrad.formulas.symbolic import equation, partial, summed, words
from tensorgrad.kernels.reduce import sums
from tensorgrad.ops.axes import Axes, normalize_axes, normalize_axis
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.transcendental import exp
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, flag, floating, quiet, widened
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["all", "any", "cumsum", "logsumexp", "mean", "prod", "sum"]

FEW = 1024
"""Up to so many elements, filling an array is faster than making a broadcast view."""


class Reduction(Op):
    """An op that reduces the axes in `axis`; `keepdims` keeps them with length 1."""

    axis: tuple[int, ...]
    keepdims: bool = False

    def with_axes(self, reduced: Tensor) -> Tensor:
        """`reduced` with the reduced axes inserted as length 1, so that it broadcasts to the input."""
        if self.keepdims or self.axis == tuple(range(len(self.axis))):
            return reduced  # broadcasting inserts leading axes
        shape = list(reduced.shape)
        for a in self.axis:
            shape.insert(a, 1)
        return reduced.reshape(shape)


class Sum(Reduction):
    """z = Σ x."""

    symbol, formula = "Σ", lambda x: summed(x)
    derivatives = (lambda i: 1,)

    def forward(self, x):
        self.residuals = x.shape
        if is_float(x.dtype):
            return sums.total(x, self.axis, keepdims=self.keepdims)
        return x.sum(self.axis, np.int64, keepdims=self.keepdims)

    def backward_x(self, grad, residuals):
        return self.with_axes(grad).broadcast_to(residuals)


class Mean(Reduction):
    """z = Σ x / n."""

    symbol, formula = "mean", lambda n, x: words(1 / n, summed(x))
    derivatives = (lambda n, i: 1 / n,)

    def forward(self, x):
        count = x.size if len(self.axis) == x.ndim else math.prod([x.shape[a] for a in self.axis])
        self.residuals = x.shape, count
        return sums.total(x, self.axis, keepdims=self.keepdims, divisor=count)

    def backward_x(self, grad, residuals):
        shape, count = residuals
        return apply(DivideByCount, self.with_axes(grad), shape=shape, count=builtins.max(count, 1))


class DivideByCount(Op):
    """z = x / n, broadcast to a shape: the adjoint of the mean of n elements."""

    symbol, formula = "÷ n", lambda x, n: words(x / n, ", repeated")
    derivatives = (lambda grad, n: words(summed(grad), "/", n, "over the repeats"),)
    shape: tuple[int, ...]
    count: int

    @quiet
    def forward(self, x):
        # x[()] is a scalar for an array without axes, which NumPy divides in half the time. float16 can't represent
        # counts above 65,504.
        quotient = np.asarray(x[()] / (np.float32 if x.dtype == np.float16 else x.dtype.type)(self.count), x.dtype)
        if quotient.ndim or math.prod(self.shape) > FEW:
            return repeated(quotient, self.shape)
        # A broadcast view would take longer to make, and kernels would copy it.
        z = np.empty(self.shape, x.dtype)
        z.fill(quotient)
        return z

    def backward_x(self, grad):
        return divided(grad, self.count)  # the engine sums over broadcast axes


def divided(x: Tensor, count: int) -> Tensor:
    """x / count."""
    return apply(DivideByCount, x, shape=x.shape, count=count)


class Prod(Reduction):
    """z = Π x."""

    symbol, formula = "Π", lambda x: summed(x, sign="Π")
    derivatives = (lambda i: words("Π of the others"),)

    @quiet
    def forward(self, x):
        if not is_float(x.dtype):
            return x.prod(self.axis, np.int64, keepdims=self.keepdims)
        # In float64, against rounding errors and overflow of partial products.
        return np.asarray(x.prod(self.axis, np.float64, keepdims=self.keepdims), x.dtype)

    def backward_x(self, grad, x, z):
        grad = self.with_axes(grad)
        if guard(np.all, x._data):
            return grad * self.with_axes(z) / x
        return grad * _products_of_the_others(x, self.axis)


def _products_of_the_others(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """For each element the product of all others along `axes`, correct if there are zeros. O(n²) memory."""
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    n = math.prod(x.shape[a] for a in axes)
    # (kept and folded axes mixed) -> (kept..., n) -> (kept..., n, n) with a 1 in place of the element left out
    rows = x.permute(kept + axes).reshape((*[x.shape[a] for a in kept], 1, n))
    others = prod(where(np.eye(n, dtype=bool), 1.0, rows), -1)
    # (kept..., n) -> (kept..., folded...) -> the order of x
    back = np.argsort(kept + axes)
    return others.reshape([x.shape[a] for a in kept + axes]).permute([int(a) for a in back])


class LogSumExp(Reduction):
    """z = ln Σ eˣ."""

    name = "logsumexp"
    symbol, formula = "ln Σ exp", lambda x, e: words("ln", summed(e**x))
    derivatives = (lambda x, z, i, e: e ** (x[i] - z),)

    @quiet
    @widened
    def forward(self, x):
        top = np.max(x, self.axis, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, x.dtype.type(0))
        z = np.log(sums.total(np.exp(x - top), self.axis, keepdims=True)) + top
        return z if self.keepdims else z.squeeze(self.axis)

    def backward_x(self, grad, x, z):
        z = self.with_axes(z)
        # If all x are −∞, z is −∞ too, and the gradient is 0.
        return self.with_axes(grad) * exp(x - where(z == -np.inf, 0.0, z))


class CumSum(Op):
    """zₖ = Σ of x₀ … xₖ."""

    name = "cumsum"
    symbol, formula = "cumsum", lambda x, z, i, k: equation(z[k], summed(x[i], "i≤k"))
    derivatives = (lambda x, z, i, k: equation(partial(z[k], x[i]), i <= k),)
    axis: int

    @quiet
    def forward(self, x):
        if not is_float(x.dtype):
            return x.cumsum(self.axis, np.int64)
        # In float64, with one rounding per z.
        return x.cumsum(self.axis, np.float64).astype(x.dtype, copy=False)

    def backward_x(self, grad):
        return grad.flip(self.axis).cumsum(self.axis).flip(self.axis)


class All(Reduction):
    """z = whether all x are true."""

    symbol, formula = "∀", lambda x: words("∀", x)

    def forward(self, x):
        return x.all(self.axis, keepdims=self.keepdims)


class Any(Reduction):
    """z = whether some x is true."""

    symbol, formula = "∃", lambda x: words("∃", x)

    def forward(self, x):
        return x.any(self.axis, keepdims=self.keepdims)


@numpy_spellings
def sum(input: TensorLike, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike = None) -> Tensor:
    """z = Σ x over `dim`. The sum of bools and integers is an int64.

    Args:
        input: a tensor of any shape.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.
        dtype: convert the input to this dtype first.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.sum(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    if dtype is not None:
        z = sum(astype(input, dtype), dim, keepdim)
        return z if z.dtype == as_dtype("sum", dtype) else astype(z, dtype)
    x = as_tensor(input)
    if keepdim is not False and keepdim is not True:
        keepdim = flag("sum", "keepdim", keepdim)
    return apply(Sum, x, axis=normalize_axes("sum", x, dim, True), keepdims=keepdim)


@numpy_spellings
def mean(input: TensorLike, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike = None) -> Tensor:
    """z = 1/n Σ x over `dim`; NaN where n = 0.

    Args:
        input: a tensor of any shape; integers become float32.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.
        dtype: convert the input to this dtype first.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.
        DTypeError: a dtype that isn't a float.

    >>> import tensorgrad as tg
    >>> tg.mean(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([1.5, 3.5])
    """
    x = floating(input) if dtype is None else _in_float("mean", input, dtype)
    if keepdim is not False and keepdim is not True:
        keepdim = flag("mean", "keepdim", keepdim)
    return apply(Mean, x, axis=normalize_axes("mean", x, dim, True), keepdims=keepdim)


def _in_float(op: str, x: TensorLike, dtype: DTypeLike) -> Tensor:
    if not is_float(as_dtype(op, dtype)):
        raise DTypeError(restate(op, "dtype must be a float dtype", dtype=dtype))
    return astype(x, dtype)


@numpy_spellings
def prod(input: TensorLike, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike = None) -> Tensor:
    """z = Π x over `dim`; the gradient is correct for zeros too. The product of bools and integers is an int64.

    Args:
        input: a tensor of any shape.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.
        dtype: convert the input to this dtype first.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.prod(tg.tensor([2.0, 3.0, 4.0]))
    tensor(24.)
    """
    if dtype is not None:
        z = prod(astype(input, dtype), dim, keepdim)
        return z if z.dtype == as_dtype("prod", dtype) else astype(z, dtype)
    x = as_tensor(input)
    return apply(Prod, x, axis=normalize_axes("prod", x, dim), keepdims=flag("prod", "keepdim", keepdim))


@numpy_spellings
def logsumexp(input: TensorLike, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """z = ln Σ eˣ over `dim`, stable: the largest exponent is subtracted first.

    Args:
        input: a tensor of any shape; integers become float32.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.logsumexp(tg.tensor([1e4, 1e4]), dim=0)
    tensor(10000.693)
    """
    x = floating(input)
    axes = normalize_axes("logsumexp", x, dim)
    return apply(LogSumExp, x, axis=axes, keepdims=flag("logsumexp", "keepdim", keepdim))


@numpy_spellings
def cumsum(input: TensorLike, dim: int, *, dtype: DTypeLike = None) -> Tensor:
    """zₖ = x₀ + … + xₖ along `dim`, same shape as the input. Sums of bools and integers are int64.

    Args:
        input: a tensor of any shape.
        dim: the axis to sum along.
        dtype: convert the input to this dtype first.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis that isn't one int.

    >>> import tensorgrad as tg
    >>> tg.cumsum(tg.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    if dtype is not None:
        z = cumsum(astype(input, dtype), dim)
        return z if z.dtype == as_dtype("cumsum", dtype) else astype(z, dtype)
    x = as_tensor(input)
    axis = normalize_axis("cumsum", x, dim)
    return apply(CumSum, x, axis=axis) if x.ndim else sum(x)


@numpy_spellings
def all(input: TensorLike, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Whether all elements over `dim` are true (not 0).

    Args:
        input: a tensor of any shape.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.all(tg.tensor([[1, 0], [1, 1]]), dim=1)
    tensor([False,  True])
    """
    x = as_tensor(input)
    return apply(All, x, axis=normalize_axes("all", x, dim), keepdims=flag("all", "keepdim", keepdim))


@numpy_spellings
def any(input: TensorLike, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Whether some element over `dim` is true (not 0).

    Args:
        input: a tensor of any shape.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.any(tg.tensor([[1, 0], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    x = as_tensor(input)
    return apply(Any, x, axis=normalize_axes("any", x, dim), keepdims=flag("any", "keepdim", keepdim))

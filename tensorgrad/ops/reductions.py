"""Reductions over any axes: sums, means, variances, extremes, products; cumulative sums."""

from __future__ import annotations

import builtins
import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import is_float, repeated
from tensorgrad.autograd.engine import apply, guard
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import equal, equation, function, partial, root, summed, words
from tensorgrad.kernels.reduce import sums
from tensorgrad.ops.axes import Axes, normalize_axes, normalize_axis
from tensorgrad.ops.elementwise.arithmetic import where
from tensorgrad.ops.elementwise.transcendental import exp
from tensorgrad.ops.operands import TensorLike, as_tensor, floating, number, quiet, widened

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["all", "any", "argmax", "argmin", "cumsum", "logsumexp", "max", "mean", "min", "prod", "std", "sum", "var"]

FEW = 1024
"""Up to so many elements, filling an array is faster than making a broadcast view."""

average = function("mean")


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


class Dispersion(Reduction):
    """The common base of variance and standard deviation: subtracts the mean, then corrects its rounding error."""

    ddof: int = 0

    @quiet
    def variance(self, x):
        count = self.count(x.shape)
        x = x.astype(np.float32) if x.dtype == np.float16 else x
        mean = sums.total(x, self.axis, keepdims=True, divisor=count)
        centred = x - mean
        squares, rest = [
            sums.total(centred, self.axis, keepdims=self.keepdims, squares=squares, dtype=sums.FLOAT64)
            for squares in (True, False)
        ]
        # Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance, 1983: the corrected two-pass algorithm.
        return np.maximum(squares - rest * rest / count, 0) / builtins.max(count - self.ddof, 0)

    def count(self, shape):
        return math.prod([shape[a] for a in self.axis])

    def slope(self, grad, x):
        """grad · (x − mean x) / (n − ddof)."""
        centred = x - mean(x, self.axis, keepdims=True)
        return self.with_axes(divided(grad, builtins.max(self.count(x.shape) - self.ddof, 0))) * centred


class Var(Dispersion):
    """z = 1/(n − ddof) Σ (x − mean x)²."""

    symbol, formula = "var", lambda x, n, ddof: words(1 / (n - ddof), summed((x - average(x)) ** 2))
    derivatives = (lambda x, n, ddof, i: 2 * (x[i] - average(x)) / (n - ddof),)

    @quiet
    def forward(self, x):
        return np.asarray(self.variance(x), x.dtype)

    def backward_x(self, grad, x):
        return self.slope(2 * grad, x)


class Std(Dispersion):
    """z = √(1/(n − ddof) Σ (x − mean x)²); the derivative is taken as 0 where all x are equal."""

    symbol, formula = "std", lambda x, n, ddof: root(words(1 / (n - ddof), summed((x - average(x)) ** 2)))
    derivatives = (lambda x, z, n, ddof, i: words((x[i] - average(x)) / ((n - ddof) * z), ", 0 where", z, "= 0"),)

    @quiet
    def forward(self, x):
        return np.asarray(np.sqrt(self.variance(x)), x.dtype)

    def backward_x(self, grad, x, z):
        flat = z == 0
        # The inner where keeps 1/0 from a second derivative.
        return self.slope(where(flat, 0.0, grad / where(flat, 1.0, z)), x)


class Extreme(Reduction):
    """A maximum or minimum; elements that tie share the gradient evenly."""

    derivatives = (lambda x, z, i: words(equal(x[i], z), "/ (number of ties)"),)

    def backward_x(self, grad, x, z):
        hit = (x == self.with_axes(z)).astype(x.dtype)
        return hit / hit.sum(self.axis, keepdims=True) * self.with_axes(grad)


class Max(Extreme):
    """z = max x."""

    symbol, formula = "max", lambda x: words("max", x)

    def forward(self, x):
        return x.max(self.axis, keepdims=self.keepdims)


class Min(Extreme):
    """z = min x."""

    symbol, formula = "min", lambda x: words("min", x)

    def forward(self, x):
        return x.min(self.axis, keepdims=self.keepdims)


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
    rows = x.transpose(kept + axes).reshape((*[x.shape[a] for a in kept], 1, n))
    others = prod(where(np.eye(n, dtype=bool), 1.0, rows), axis=-1)
    # (kept..., n) -> (kept..., folded...) -> the order of x
    back = np.argsort(kept + axes)
    return others.reshape([x.shape[a] for a in kept + axes]).transpose([int(a) for a in back])


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


class ArgMax(Op):
    """z = the position of the first maximum."""

    name = "argmax"
    symbol, formula = "argmax", lambda x: words("argmax", x)
    axis: int | None

    def forward(self, x):
        return x.argmax(self.axis)


class ArgMin(Op):
    """z = the position of the first minimum."""

    name = "argmin"
    symbol, formula = "argmin", lambda x: words("argmin", x)
    axis: int | None

    def forward(self, x):
        return x.argmin(self.axis)


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


def sum(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """z = Σ x over `axis`. The sum of bools and integers is an int64.

    Args:
        x: a tensor of any shape.
        axis: an axis, a tuple of axes, or None for all axes.
        keepdims: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.sum(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([4., 6.])
    """
    x = as_tensor(x)
    return apply(Sum, x, axis=normalize_axes("sum", x, axis), keepdims=keepdims)


def mean(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """z = 1/n Σ x over `axis`; NaN where n = 0.

    Args:
        x: a tensor of any shape; integers become float32.
        axis: an axis, a tuple of axes, or None for all axes.
        keepdims: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.mean(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    tensor([1.5, 3.5])
    """
    x = floating(x)
    return apply(Mean, x, axis=normalize_axes("mean", x, axis), keepdims=keepdims)


def var(x: TensorLike, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """z = Σ (x − mean)² / (n − ddof) over `axis`. As in NumPy `ddof` is 0 by default (PyTorch's default is 1).

    Args:
        x: a tensor of any shape; integers become float32.
        axis: an axis, a tuple of axes, or None for all axes.
        ddof: the divisor is n − ddof.
        keepdims: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.var(tg.tensor([1.0, 2.0, 3.0])), tg.var(tg.tensor([1.0, 2.0, 3.0]), ddof=1)
    (tensor(0.6667), tensor(1.))
    """
    x = floating(x)
    return apply(Var, x, axis=normalize_axes("var", x, axis), keepdims=keepdims, ddof=number("var", "ddof", ddof))


def std(x: TensorLike, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """z = √var(x): the standard deviation over `axis`, whose derivative is taken as 0 where all x are equal.

    Args:
        x: a tensor of any shape; integers become float32.
        axis: an axis, a tuple of axes, or None for all axes.
        ddof: the divisor is n − ddof.
        keepdims: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.std(tg.tensor([1.0, 2.0, 3.0]), ddof=1)
    tensor(1.)
    """
    x = floating(x)
    return apply(Std, x, axis=normalize_axes("std", x, axis), keepdims=keepdims, ddof=number("std", "ddof", ddof))


def max(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """z = max x over `axis`; NaN propagates. Elements that tie share the gradient evenly.

    Args:
        x: a tensor of any shape.
        axis: an axis, a tuple of axes, or None for all axes.
        keepdims: keep the reduced axes with length 1.

    Raises:
        ShapeError: a reduction over no elements.

    >>> import tensorgrad as tg
    >>> tg.max(tg.tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    tensor([5., 4.])
    """
    x = as_tensor(x)
    return apply(Max, x, axis=normalize_axes("max", x, axis), keepdims=keepdims)


def min(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """z = min x over `axis`; NaN propagates. Elements that tie share the gradient evenly.

    Args:
        x: a tensor of any shape.
        axis: an axis, a tuple of axes, or None for all axes.
        keepdims: keep the reduced axes with length 1.

    Raises:
        ShapeError: a reduction over no elements.

    >>> import tensorgrad as tg
    >>> tg.min(tg.tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    tensor([1., 3.])
    """
    x = as_tensor(x)
    return apply(Min, x, axis=normalize_axes("min", x, axis), keepdims=keepdims)


def prod(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """z = Π x over `axis`; the gradient is correct for zeros too.

    Args:
        x: a tensor of any shape.
        axis: an axis, a tuple of axes, or None for all axes.
        keepdims: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.prod(tg.tensor([2.0, 3.0, 4.0]))
    tensor(24.)
    """
    x = as_tensor(x)
    return apply(Prod, x, axis=normalize_axes("prod", x, axis), keepdims=keepdims)


def logsumexp(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """z = ln Σ eˣ over `axis`, stable: the largest exponent is subtracted first.

    Args:
        x: a tensor of any shape; integers become float32.
        axis: an axis, a tuple of axes, or None for all axes.
        keepdims: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.logsumexp(tg.tensor([1e4, 1e4]))
    tensor(10000.693)
    """
    x = floating(x)
    return apply(LogSumExp, x, axis=normalize_axes("logsumexp", x, axis), keepdims=keepdims)


def cumsum(x: TensorLike, axis: int | None = -1) -> Tensor:
    """zₖ = x₀ + … + xₖ along `axis`, same shape as x; along the flattened tensor for None, as in NumPy.

    >>> import tensorgrad as tg
    >>> tg.cumsum(tg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 3., 6.])
    """
    x = as_tensor(x)
    if axis is None:
        return apply(CumSum, x.reshape(-1), axis=0)
    axis = normalize_axis("cumsum", x, axis)
    return apply(CumSum, x, axis=axis) if x.ndim else sum(x)


def argmax(x: TensorLike, axis: int | None = None) -> Tensor:
    """The position of the first maximum along `axis`, int64; of the flattened tensor for None. No gradient.

    >>> import tensorgrad as tg
    >>> tg.argmax(tg.tensor([[1.0, 5.0], [7.0, 4.0]]), axis=1)
    tensor([1, 0])
    """
    x = as_tensor(x)
    return apply(ArgMax, x, axis=axis if axis is None else normalize_axis("argmax", x, axis))


def argmin(x: TensorLike, axis: int | None = None) -> Tensor:
    """The position of the first minimum along `axis`, int64; of the flattened tensor for None. No gradient.

    >>> import tensorgrad as tg
    >>> tg.argmin(tg.tensor([3.0, 1.0, 2.0]))
    tensor(1)
    """
    x = as_tensor(x)
    return apply(ArgMin, x, axis=axis if axis is None else normalize_axis("argmin", x, axis))


def all(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether all elements over `axis` are true (not 0).

    Args:
        x: a tensor of any shape.
        axis: an axis, a tuple of axes, or None for all axes.
        keepdims: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.all(tg.tensor([[1, 0], [1, 1]]), axis=1)
    tensor([False,  True])
    """
    x = as_tensor(x)
    return apply(All, x, axis=normalize_axes("all", x, axis), keepdims=keepdims)


def any(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether some element over `axis` is true (not 0).

    Args:
        x: a tensor of any shape.
        axis: an axis, a tuple of axes, or None for all axes.
        keepdims: keep the reduced axes with length 1.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.any(tg.tensor([[1, 0], [0, 0]]), axis=1)
    tensor([ True, False])
    """
    x = as_tensor(x)
    return apply(Any, x, axis=normalize_axes("any", x, axis), keepdims=keepdims)

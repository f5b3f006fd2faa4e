"""Variance and standard deviation over any axes."""

from __future__ import annotations

import builtins
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.symbolic import function, root, summed, words
from tensorgrad.kernels.reduce import sums
from tensorgrad.ops.axes import Axes, normalize_axes
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.operands import TensorLike, flag, floating, number, quiet
from tensorgrad.ops.reductions import Reduction, divided, mean
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["std", "std_mean", "var", "var_mean"]

average = function("mean")


class Dispersion(Reduction):
    """The common base of variance and standard deviation: subtracts the mean, then corrects its rounding error."""

    ddof: int = 0
    of_variance: ClassVar[np.ufunc]

    @quiet
    def forward(self, x):
        count, dtype = self.count(x.shape), x.dtype
        x = x.astype(np.float32) if dtype == np.float16 else x
        mean = sums.total(x, self.axis, keepdims=True, divisor=count)
        centred = x - mean
        squares, rest = [
            sums.total(centred, self.axis, keepdims=self.keepdims, squares=squares, dtype=sums.FLOAT64)
            for squares in (True, False)
        ]
        # Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance, 1983: the corrected two-pass algorithm.
        variance = np.maximum(squares - rest * rest / count, 0) / builtins.max(count - self.ddof, 0)
        return np.asarray(self.of_variance(variance), dtype)

    def count(self, shape):
        return math.prod([shape[a] for a in self.axis])

    def slope(self, grad, x):
        """grad · (x − mean x) / (n − ddof)."""
        centred = x - mean(x, self.axis, True)
        return self.with_axes(divided(grad, builtins.max(self.count(x.shape) - self.ddof, 0))) * centred


class Var(Dispersion):
    """z = 1/(n − ddof) Σ (x − mean x)²."""

    symbol, formula = "var", lambda x, n, ddof: words(1 / (n - ddof), summed((x - average(x)) ** 2))
    derivatives = (lambda x, n, ddof, i: 2 * (x[i] - average(x)) / (n - ddof),)
    of_variance = np.positive

    def backward_x(self, grad, x):
        return self.slope(2 * grad, x)


class Std(Dispersion):
    """z = √(1/(n − ddof) Σ (x − mean x)²); the derivative is taken as 0 where all x are equal."""

    symbol, formula = "std", lambda x, n, ddof: root(words(1 / (n - ddof), summed((x - average(x)) ** 2)))
    derivatives = (lambda x, z, n, ddof, i: words((x[i] - average(x)) / ((n - ddof) * z), ", 0 where", z, "= 0"),)
    of_variance = np.sqrt

    def backward_x(self, grad, x, z):
        flat = z == 0
        # The inner where keeps 1/0 from a second derivative.
        return self.slope(where(flat, 0.0, grad / where(flat, 1.0, z)), x)


@numpy_spellings
def var(
    input: TensorLike,
    dim: Axes | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """z = Σ (x − mean)² / (n − correction) over `dim`. NumPy's `np.var` has the correction 0, PyTorch and this one 1.

    Args:
        input: a tensor of any shape; integers become float32.
        dim: an axis, a tuple of axes, or None for all axes; `var(x, False)` is `var(x, unbiased=False)`.
        unbiased: True for the correction 1, False for 0.
        keepdim: keep the reduced axes with length 1.
        correction: the divisor is n − correction; 1 by default.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or `unbiased` together with `correction`.

    >>> import tensorgrad as tg
    >>> tg.var(tg.tensor([1.0, 2.0, 3.0])), tg.var(tg.tensor([1.0, 2.0, 3.0]), correction=0)
    (tensor(1.), tensor(0.6667))
    """
    return _dispersion(Var, input, dim, unbiased, keepdim, correction)


@numpy_spellings
def std(
    input: TensorLike,
    dim: Axes | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """z = √var(x): the standard deviation over `dim`, whose derivative is taken as 0 where all x are equal.

    Args:
        input: a tensor of any shape; integers become float32.
        dim: an axis, a tuple of axes, or None for all axes; `std(x, False)` is `std(x, unbiased=False)`.
        unbiased: True for the correction 1, False for 0.
        keepdim: keep the reduced axes with length 1.
        correction: the divisor is n − correction; 1 by default.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or `unbiased` together with `correction`.

    >>> import tensorgrad as tg
    >>> tg.std(tg.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    return _dispersion(Std, input, dim, unbiased, keepdim, correction)


@numpy_spellings
def var_mean(
    input: TensorLike,
    dim: Axes | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The variance and the mean, with the arguments of `var`.

    >>> import tensorgrad as tg
    >>> tg.var_mean(tg.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return _with_mean(Var, input, dim, unbiased, keepdim, correction)


@numpy_spellings
def std_mean(
    input: TensorLike,
    dim: Axes | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean, with the arguments of `std`.

    >>> import tensorgrad as tg
    >>> tg.std_mean(tg.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return _with_mean(Std, input, dim, unbiased, keepdim, correction)


def _with_mean(op: type[Dispersion], input: TensorLike, dim: Axes | bool, *others: Any) -> tuple[Tensor, Tensor]:
    found, (_, keepdim, _) = _dispersion(op, input, dim, *others), others
    return found, mean(floating(input), None if isinstance(dim, bool) else dim, keepdim)


def _dispersion(
    op: type[Dispersion],
    input: TensorLike,
    dim: Axes | bool,
    unbiased: bool | None,
    keepdim: bool,
    correction: float | None,
) -> Tensor:
    x, name = floating(input), op.name
    if isinstance(dim, bool):
        if unbiased is not None or correction is not None:
            raise ArgumentError(restate(name, "dim must be an int, a tuple of ints or None, got a bool", dim=dim))
        dim, unbiased = None, dim
    if unbiased is not None:
        if correction is not None:
            fix = "pass correction alone"
            raise ArgumentError(restate(name, "unbiased and correction say the same", fix=fix, correction=correction))
        correction = int(flag(name, "unbiased", unbiased))
    ddof = 1 if correction is None else number(name, "correction", correction)
    axes = normalize_axes(name, x, dim, True)
    return apply(op, x, axis=axes, keepdims=flag(name, "keepdim", keepdim), ddof=ddof)

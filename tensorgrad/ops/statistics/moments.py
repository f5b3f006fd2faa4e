"""Sums and means without NaN, covariances, integrals by the trapezoidal rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.autograd.engine import guard
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.ops.axes import Axes, normalize_axes, normalize_axis
from tensorgrad.ops.elementwise.choice import clip, where
from tensorgrad.ops.linear import matmul
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, floating, number, rounded_once
from tensorgrad.ops.reductions import cumsum, sum
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "corrcoef", "count_nonzero", "cov", "cumulative_trapezoid", "nanmean", "nansum", "trapezoid", "trapz",
]  # fmt: skip


@numpy_spellings
def nansum(input: TensorLike, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike = None) -> Tensor:
    """Σ x over the elements that aren't NaN; NaNs get no gradient.

    Args:
        input: a tensor of any shape.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.
        dtype: convert the input to it first.

    Raises:
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.nansum(tg.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    x = as_tensor(input) if dtype is None else astype(input, dtype)
    return sum(where(x != x, 0.0, x) if x.dtype.kind == "f" else x, normalize_axes("nansum", x, dim), keepdim)


@numpy_spellings
@rounded_once
def nanmean(input: TensorLike, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike = None) -> Tensor:
    """The mean of the elements that aren't NaN; NaN if there are no others. NaNs get no gradient.

    Args:
        input: a tensor of floats, of any shape.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.
        dtype: convert the input to it first.

    Raises:
        RangeError: an axis that the tensor doesn't have.
        DTypeError: a tensor that isn't float.

    >>> import tensorgrad as tg
    >>> tg.nanmean(tg.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5)
    """
    x = as_tensor(input) if dtype is None else astype(input, dtype)
    if x.dtype.kind != "f":
        fix = "convert it first: x.astype('float32')"
        raise DTypeError(restate("nanmean", f"input must be a float tensor, got {x.dtype}", fix=fix, input=x))
    axes = normalize_axes("nanmean", x, dim)
    counts = sum((x == x), axes, keepdim)
    return sum(where(x != x, 0.0, x), axes, keepdim) / astype(counts, x.dtype)


@numpy_spellings
def count_nonzero(input: TensorLike, dim: Axes = None) -> Tensor:
    """How many elements aren't 0, int64.

    Args:
        input: a tensor of any shape.
        dim: an axis, a tuple of axes, or None for all axes.

    Raises:
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.count_nonzero(tg.tensor([[1.0, 0.0], [2.0, 3.0]]), 0)
    tensor([2, 1])
    """
    x = as_tensor(input)
    return sum(x != 0, normalize_axes("count_nonzero", x, dim))


@rounded_once
def cov(
    input: TensorLike,
    *,
    correction: int = 1,
    fweights: TensorLike | None = None,
    aweights: TensorLike | None = None,
) -> Tensor:
    """The covariance matrix `(V, V)` of variables whose observations stand in the rows of a matrix `(V, N)`.

    Args:
        input: a matrix, or a vector of observations of one variable; the variance of one variable is a scalar.
        correction: the divisor is n − correction, with n the sum of the weights.
        fweights: how often each observation counts: integers `(N,)`.
        aweights: the weight of each observation: numbers `(N,)`.

    Raises:
        ShapeError: more than two axes, or weights of another shape.
        DTypeError: fweights that aren't integers.
        ArgumentError: negative weights.

    >>> import tensorgrad as tg
    >>> tg.cov(tg.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    x = floating(input)
    if x.ndim > 2:
        raise ShapeError(restate("cov", "input must have at most two axes", input=x))
    rows = x.reshape((1, -1)) if x.ndim < 2 else x
    weights = _observation_weights(rows, fweights, aweights)
    total: Any = float(rows.shape[1]) if weights is None else weights.sum()
    lost: Any = 1.0  # one observation's weight, with the mean
    if weights is None:
        centred = rows - rows.mean(1).reshape((-1, 1))
        weighted = centred
    else:
        centred = rows - (rows * weights).sum(1).reshape((-1, 1)) / total
        weighted = centred * weights
        if aweights is not None:
            lost = (weights * astype(as_tensor(aweights), rows.dtype)).sum() / total
    n = total - lost * float(number("cov", "correction", correction))
    z = matmul(weighted, centred.mT) / (max(n, 0.0) if weights is None else where(n < 0, 0.0, n))
    return z.reshape(()) if rows.shape[0] == 1 else z


def _observation_weights(rows: Tensor, fweights: TensorLike | None, aweights: TensorLike | None) -> Tensor | None:
    """The product of both weights in the dtype of the rows."""
    product = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        w = as_tensor(given)
        said: dict[str, Any] = {name: w}
        if w.shape != rows.shape[1:]:
            problem = f"{name} must have one weight per observation, ({rows.shape[1]},)"
            raise ShapeError(restate("cov", problem, input=rows, **said))
        if name == "fweights" and w.dtype.kind not in "iu":
            raise DTypeError(restate("cov", f"fweights must be integers, got {w.dtype}", fweights=w))
        w = astype(w, rows.dtype)
        if not guard(_are_weights, w._data):
            raise ArgumentError(restate("cov", f"{name} must be ≥ 0", **said))
        product = w if product is None else product * w
    return product


def _are_weights(w: np.ndarray) -> bool:
    return bool((w >= 0).all())


@rounded_once
def corrcoef(input: TensorLike) -> Tensor:
    """The matrix `(V, V)` of Pearson's correlation coefficients of the variables in the rows of `(V, N)`.

    Args:
        input: a matrix, or a vector of observations of one variable.

    Raises:
        ShapeError: more than two axes.

    >>> import tensorgrad as tg
    >>> tg.corrcoef(tg.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    c = cov(input)
    if not c.ndim:
        return c / c
    k = np.arange(c.shape[0])
    deviations = c[k, k].sqrt()
    return clip(c / deviations.reshape((-1, 1)) / deviations, -1.0, 1.0)


@numpy_spellings
def trapezoid(y: TensorLike, x: TensorLike | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """∫ y dx along `dim` by the trapezoidal rule.

    Args:
        y: the values, of any shape.
        x: where they are: of the shape of y, or a vector for the axis; by default at the distance dx.
        dx: the distance.
        dim: the axis.

    Raises:
        ShapeError: an x that doesn't fit y.
        RangeError: an axis that y doesn't have.

    >>> import tensorgrad as tg
    >>> tg.trapezoid(tg.tensor([1.0, 2.0, 4.0]))
    tensor(4.5)
    """
    areas, axis = _areas("trapezoid", y, x, dx, dim)
    return sum(areas, axis)


@numpy_spellings
def trapz(y: TensorLike, x: TensorLike | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The older name of `trapezoid`.

    >>> import tensorgrad as tg
    >>> tg.trapz(tg.tensor([1.0, 2.0, 4.0]), dx=2.0)
    tensor(9.)
    """
    return trapezoid(y, x, dx=dx, dim=dim)


@numpy_spellings
def cumulative_trapezoid(y: TensorLike, x: TensorLike | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """∫ y dx up to each place but the first along `dim`, by the trapezoidal rule.

    Args:
        y: the values, of any shape.
        x: where they are: of the shape of y, or a vector for the axis; by default at the distance dx.
        dx: the distance.
        dim: the axis.

    Raises:
        ShapeError: an x that doesn't fit y.
        RangeError: an axis that y doesn't have.

    >>> import tensorgrad as tg
    >>> tg.cumulative_trapezoid(tg.tensor([1.0, 2.0, 4.0]))
    tensor([1.5, 4.5])
    """
    areas, axis = _areas("cumulative_trapezoid", y, x, dx, dim)
    return cumsum(areas, axis)


def _areas(op: str, y: TensorLike, x: TensorLike | None, dx: float, dim: int) -> tuple[Tensor, int]:
    """The area between each two neighbours, and the axis."""
    values = floating(y)
    axis = normalize_axis(op, values, dim, "dim")
    if not values.ndim:
        raise ShapeError(restate(op, "y must have an axis", y=values))
    both, step = _ends(values, axis), number(op, "dx", dx)
    if x is None:
        return (both[0] + both[1]) * (step / 2), axis
    places = floating(x)
    if places.ndim == 1 and values.ndim > 1:  # along the axis
        places = places.reshape((-1, *(1,) * (values.ndim - axis - 1)))
    if places.ndim > values.ndim or _length(places, values.ndim - axis) != values.shape[axis]:
        problem = f"x must have the {values.shape[axis]} places of y along axis {axis}"
        raise ShapeError(restate(op, problem, y=values, x=x, dim=dim))
    before, after = _ends(places, places.ndim - (values.ndim - axis))
    return (both[0] + both[1]) * (after - before) / 2.0, axis


def _length(x: Tensor, from_the_end: int) -> int:
    return x.shape[-from_the_end] if from_the_end <= x.ndim else -1


def _ends(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """x without its last element along an axis, and without its first."""
    lead: Sequence[slice] = (slice(None),) * axis
    return x[(*lead, slice(None, -1))], x[(*lead, slice(1, None))]

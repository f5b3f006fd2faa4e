"""Quantiles: of all elements, or of those along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import KERNEL_FLOATS, as_array
from tensorgrad.autograd.engine import guard
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.floating import lerp
from tensorgrad.ops.elementwise.rounding import ceil, floor, round
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, flag, holds_tensors
from tensorgrad.ops.ordering.sorting import sort
from tensorgrad.ops.ordering.taking import take_along
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["nanquantile", "quantile"]

INTERPOLATIONS = ("linear", "lower", "higher", "nearest", "midpoint")


@numpy_spellings
def quantile(
    input: TensorLike,
    q: TensorLike,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The value below which the share q of the elements lies; NaN if there is a NaN.

    Args:
        input: a tensor of float32 or float64, of any shape.
        q: a share in [0, 1], or a vector of them, which becomes the first axis of the result.
        dim: the axis to search along; None for all elements.
        keepdim: keep the axis with length 1.
        interpolation: what lies between two elements: "linear", "lower", "higher", "nearest" or "midpoint".

    Raises:
        ArgumentError: a q outside [0, 1], or another interpolation.
        DTypeError: a tensor that isn't of float32 or float64.
        ShapeError: no elements, or a q with more than one axis.

    >>> import tensorgrad as tg
    >>> tg.quantile(tg.tensor([1.0, 2.0, 3.0, 4.0]), 0.5)
    tensor(2.5)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, ignore_nan=False)


@numpy_spellings
def nanquantile(
    input: TensorLike,
    q: TensorLike,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """`quantile` of the elements that aren't NaN; NaN if there are no others.

    Args:
        input: a tensor of float32 or float64, of any shape.
        q: a share in [0, 1], or a vector of them, which becomes the first axis of the result.
        dim: the axis to search along; None for all elements.
        keepdim: keep the axis with length 1.
        interpolation: what lies between two elements: "linear", "lower", "higher", "nearest" or "midpoint".

    Raises:
        ArgumentError: a q outside [0, 1], or another interpolation.
        DTypeError: a tensor that isn't of float32 or float64.
        ShapeError: no elements, or a q with more than one axis.

    >>> import tensorgrad as tg
    >>> tg.nanquantile(tg.tensor([1.0, 2.0, float("nan")]), 0.5)
    tensor(1.5)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, ignore_nan=True)


def _quantile(
    op: str, input: TensorLike, q: TensorLike, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool
) -> Tensor:
    x = as_tensor(input)
    fractions, axis = _checked(op, x, q, dim, interpolation)
    # (..., n) -> sorted rows; without `dim` one row of everything
    rows = x.reshape(-1) if dim is None else x.reshape(1) if not x.ndim else _last(x, axis)
    ordered: Any = sort(rows, -1).values
    place = _place(rows, fractions.reshape(-1), ignore_nan)
    if interpolation in ("lower", "higher", "nearest"):
        to_int = {"lower": floor, "higher": ceil, "nearest": round}[interpolation]
        z = _at(ordered, to_int(place))
    else:
        below = floor(place)
        weight: Any = 0.5 * (ceil(place) - below) if interpolation == "midpoint" else place - below
        z = lerp(_at(ordered, below), _at(ordered, ceil(place)), weight)
    # (..., Q) -> (Q, ...), without Q for one share, and with the reduced axes as 1
    z = z.permute((z.ndim - 1, *range(z.ndim - 1)))
    kept = x.shape[:axis] + (1,) * bool(x.ndim) + x.shape[axis + 1 :] if dim is not None else (1,) * x.ndim
    return z.reshape(fractions.shape + (kept if flag(op, "keepdim", keepdim) else z.shape[1:]))


def _checked(op: str, x: Tensor, q: TensorLike, dim: int | None, interpolation: str) -> tuple[Tensor, int]:
    """The fractions in the dtype of x, and the axis."""
    if x.dtype not in KERNEL_FLOATS:
        fix = "convert it first: x.astype('float32')"
        raise DTypeError(restate(op, f"input must be float32 or float64, got {x.dtype}", fix=fix, input=x))
    if not isinstance(interpolation, str) or interpolation not in INTERPOLATIONS:
        problem = f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}"
        raise ArgumentError(restate(op, problem, interpolation=interpolation))
    fractions = astype(q if isinstance(q, Variable) or holds_tensors(q) else as_array(q, x.dtype), x.dtype)
    if fractions.ndim > 1:
        raise ShapeError(restate(op, "q must be a number or a vector", q=fractions))
    if not guard(_are_fractions, fractions._data):
        raise ArgumentError(restate(op, "q must be in [0, 1]", q=q))
    axis = 0 if dim is None else normalize_axis(op, x, dim, "dim")
    if 0 in (x.shape if dim is None else x.shape[axis : axis + 1]):
        raise ShapeError(restate(op, "there must be an element to take", input=x, dim=dim))
    return fractions, axis


def _are_fractions(q: np.ndarray) -> bool:
    return bool(((q >= 0) & (q <= 1)).all())


def _last(x: Tensor, axis: int) -> Tensor:
    return x.permute((*tuple(k for k in range(x.ndim) if k != axis), axis))


def _place(rows: Tensor, fractions: Tensor, ignore_nan: bool) -> Tensor:
    """Where the quantiles lie in the sorted rows: `(..., Q)`."""
    n, nans = rows.shape[-1], (rows != rows).astype(rows.dtype).sum(-1)
    nans = nans.reshape((*nans.shape, 1))
    if not ignore_nan:
        return where(nans > 0, float(n - 1), fractions * float(n - 1))  # NaN is the last one
    return where(nans == float(n), 0.0, fractions * (n - 1.0 - nans))


def _at(ordered: Tensor, place: Tensor) -> Tensor:
    return take_along(ordered, astype(place, np.int64), ordered.ndim - 1, repeats=True)

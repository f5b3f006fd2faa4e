"""Norms of vectors and matrices, condition numbers, distances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, is_float
from tensorgrad.autograd.engine import apply
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import fenced, function, summed
from tensorgrad.kernels.reduce import sums
from tensorgrad.ops.axes import Axes, normalize_axes, normalize_axis
from tensorgrad.ops.elementwise.arithmetic import abs, pow
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.rounding import sign
from tensorgrad.ops.linalg.equations import inv
from tensorgrad.ops.linalg.factorizations import svdvals
from tensorgrad.ops.linalg.matrices import as_matrices, as_square
from tensorgrad.ops.operands import TensorLike, astype, flag, floating, number, pair, quiet, widened
from tensorgrad.ops.reductions import Reduction
from tensorgrad.ops.shapes import broadcast_to
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["cond", "dist", "matrix_norm", "norm", "renorm", "vector_norm"]

MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)


SIGN = function("sign")


class Norm(Reduction):
    """z = (Σ |x|ᵖ)^(1/p), and its limits: the largest |x| for ∞, the smallest for −∞, how many x ≠ 0 for 0."""

    symbol, formula = "norm", lambda x, p: summed(fenced("|", x, "|") ** p) ** (1 / p)
    derivatives = (lambda x, z, i, p: SIGN(x[i]) * (fenced("|", x[i], "|") / z) ** (p - 1),)
    p: float

    @quiet
    @widened
    def forward(self, x):
        size, p, keep = np.abs(x), self.p, self.keepdims
        if p == math.inf:
            return size.max(self.axis, keepdims=keep, initial=0)
        if p == -math.inf:
            return size.min(self.axis, keepdims=keep)
        if p == 0:
            return np.asarray((x != 0).sum(self.axis, keepdims=keep), x.dtype)
        # In float64, where squares neither overflow nor vanish.
        wide = size.astype(np.float64, copy=False)
        total = sums.total(wide if p == 1 else wide * wide if p == 2 else wide**p, self.axis, keepdims=keep)
        return np.asarray(np.sqrt(total) if p == 2 else total ** (1 / p), x.dtype)

    def backward_x(self, grad, x, z):
        grad, z, p = self.with_axes(grad), self.with_axes(z), self.p
        if p == 0:
            return broadcast_to(grad * 0.0, x.shape)
        if p == 1:
            return sign(x) * grad
        if math.isinf(p):
            hit = astype((abs(x) == z) | ((x != x) & (z != z)), x.dtype)  # NaN is where the norm is NaN
            return sign(x) * hit / hit.sum(self.axis, keepdims=True) * grad
        # The derivative at 0 is taken as 0; a 1 in place of it keeps 1/0 from a second derivative too.
        flat = z == 0
        slope = where(flat, 0.0, grad / where(flat, 1.0, z if p == 2 else pow(z, p - 1)))
        if p == 2:
            return x * slope
        zero = x == 0
        return where(zero, 0.0, sign(x) * pow(where(zero, 1.0, abs(x)), p - 1)) * slope


def p_norm(call: str, x: Tensor, p: float, dim: Axes, keepdim: bool = False) -> Tensor:
    """The norm of order p over axes."""
    order, axes = float(number(call, "p", p)), normalize_axes(call, x, dim)
    if math.isnan(order):
        raise ArgumentError(restate(call, "p must be a number, got NaN", input=x))
    return apply(Norm, x, axis=axes, keepdims=flag(call, "keepdim", keepdim), p=order)


@numpy_spellings
def vector_norm(
    x: TensorLike, ord: float = 2, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike = None
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p), the norm of order p of vectors; its derivative at 0 is taken as 0.

    Args:
        x: a tensor of any shape; integers become float32.
        ord: the order p: any number, ∞ for the largest |x|, −∞ for the smallest, 0 for the number of x ≠ 0.
        dim: the axes of the vectors, or None for one vector of all elements.
        keepdim: keep the reduced axes with length 1.
        dtype: convert x to it first.

    Raises:
        RangeError: an axis that x doesn't have.
        ShapeError: the smallest |x| of no elements.
        DTypeError: an order that isn't a number.

    >>> import tensorgrad as tg
    >>> tg.linalg.vector_norm(tg.tensor([3.0, -4.0]))
    tensor(5.)
    """
    tensor = _as_float("vector_norm", x, dtype)
    p = float(number("vector_norm", "ord", ord))
    axes = normalize_axes("vector_norm", tensor, dim)
    if p < 0 and 0 in [tensor.shape[a] for a in axes]:
        raise ShapeError(restate("vector_norm", "an order below 0 needs an element", x=tensor, ord=ord, dim=dim))
    return apply(Norm, tensor, axis=axes, keepdims=flag("vector_norm", "keepdim", keepdim), p=p)


def _as_float(op: str, x: TensorLike, dtype: DTypeLike) -> Tensor:
    tensor = floating(x)
    if dtype is None:
        return tensor
    if not is_float(np.dtype(dtype)):
        raise DTypeError(restate(op, f"dtype must be a float dtype, got {dtype}", x=tensor, dtype=dtype))
    return astype(tensor, dtype)


@numpy_spellings
def matrix_norm(
    A: TensorLike,
    ord: float | str = "fro",
    dim: tuple[int, int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DTypeLike = None,
) -> Tensor:
    """A norm of matrices.

    Args:
        A: a tensor with two axes or more.
        ord: "fro" √Σ A²; "nuc" the sum of the singular values; 2 the largest of them, −2 the smallest; 1 the largest
            sum of absolute values in a column, −1 the smallest; ∞ and −∞ the same for rows.
        dim: the two axes of the matrices.
        keepdim: keep these axes with length 1.
        dtype: convert A to it first.

    Raises:
        ArgumentError: another order, or axes that aren't two.
        RangeError: an axis that A doesn't have.
        ShapeError: fewer than two axes.

    >>> import tensorgrad as tg
    >>> tg.linalg.matrix_norm(tg.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)
    tensor(6.)
    """
    x = _as_float("matrix_norm", A, dtype)
    if x.ndim < 2:
        raise ShapeError(restate("matrix_norm", "A must have two axes or more", A=x))
    if ord not in MATRIX_ORDERS or isinstance(ord, bool):
        problem = f'ord must be "fro", "nuc", ±1, ±2 or ±∞, got {ord!r}'
        raise ArgumentError(restate("matrix_norm", problem, A=x, ord=ord))
    axes = dim if isinstance(dim, (tuple, list)) else (dim,)
    if len(axes) != 2:
        raise ArgumentError(restate("matrix_norm", "dim must be two axes", A=x, dim=dim))
    row, column = [normalize_axis("matrix_norm", x, a, "dim") for a in axes]
    if row == column:
        raise ArgumentError(restate("matrix_norm", "dim must be two different axes", A=x, dim=dim))
    if ord == "fro":
        return vector_norm(x, 2, (row, column), keepdim)
    others = tuple(a for a in range(x.ndim) if a not in (row, column))
    matrices: Any = x.permute((*others, row, column))
    z = _of_matrices(matrices, ord)
    return z.reshape(tuple(1 if a in (row, column) else n for a, n in enumerate(x.shape))) if keepdim else z


def _of_matrices(x: Tensor, ord: Any) -> Tensor:
    """The norm of matrices in the last two axes."""
    if ord in ("nuc", 2, -2):
        s = svdvals(as_matrices("matrix_norm", x))
        return s.sum(-1) if ord == "nuc" else vector_norm(s, math.inf if ord > 0 else -math.inf, -1)
    sums_of = abs(x).sum(-2 if math.fabs(ord) == 1 else -1)
    return vector_norm(sums_of, math.inf if ord > 0 else -math.inf, -1)


@numpy_spellings
def norm(
    A: TensorLike, ord: float | str | None = None, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike = None
) -> Tensor:
    """The norm of vectors or of matrices: `vector_norm` or `matrix_norm`, by the number of axes in `dim`.

    Args:
        A: a tensor of any shape.
        ord: the order; None for √Σ A² over the axes.
        dim: one axis for vectors, two for matrices; None for all axes, which are one or two where ord is given.
        keepdim: keep the reduced axes with length 1.
        dtype: convert A to it first.

    Raises:
        ArgumentError: an order of text for vectors, or axes that are neither one nor two.

    >>> import tensorgrad as tg
    >>> tg.linalg.norm(tg.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(5.)
    """
    x = _as_float("norm", A, dtype)
    if ord is None:
        return vector_norm(x, 2, dim, keepdim)
    given = dim if isinstance(dim, (tuple, list)) else None if dim is None else (dim,)
    count = x.ndim if given is None else len(given)
    if count == 2 or isinstance(ord, str):
        return matrix_norm(x, ord, (0, 1) if given is None and count == 2 else tuple(given or ()), keepdim)
    if count != 1:
        raise ArgumentError(restate("norm", "with ord the axes must be one or two", A=x, ord=ord, dim=dim))
    return vector_norm(x, ord, dim, keepdim)


def cond(A: TensorLike, p: float | str | None = None) -> Tensor:
    """The condition number of matrices, ‖A‖ · ‖A⁻¹‖; for p = 2 the quotient of the extreme singular values.

    Args:
        A: matrices `(..., M, N)`, square unless p is None, 2 or −2.
        p: an order of `matrix_norm`; None stands for 2.

    Returns:
        One number per matrix; ∞ for singular matrices.

    Raises:
        ArgumentError: another order.
        ShapeError: matrices that aren't square where they have to be.

    >>> import tensorgrad as tg
    >>> tg.linalg.cond(tg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(2.)
    """
    if p in (None, 2, -2):
        s = svdvals(as_matrices("cond", A))
        if not s.shape[-1]:
            return s.sum(-1)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    x: Any = as_square("cond", A)
    try:
        inverse = inv(x)
    except ArgumentError:  # a singular matrix
        if x.ndim == 2:
            return x.sum() * 0.0 + math.inf
        raise
    return matrix_norm(x, p or "fro") * matrix_norm(inverse, p or "fro")


def dist(input: TensorLike, other: TensorLike, p: float = 2) -> Tensor:
    """The norm of order p of input − other, which broadcast.

    Args:
        input: a tensor of any shape.
        other: a tensor of any shape.
        p: the order, as in `linalg.vector_norm`.

    >>> import tensorgrad as tg
    >>> tg.dist(tg.tensor([3.0, 0.0]), tg.tensor([0.0, 4.0]))
    tensor(5.)
    """
    x, y = pair(input, other)
    return vector_norm(x - y, p)


@numpy_spellings
def renorm(input: TensorLike, p: float, dim: int, maxnorm: float) -> Tensor:
    """The slices along `dim`, those whose norm of order p is above `maxnorm` scaled down to it.

    Args:
        input: a tensor with two axes or more.
        p: the order, above 0.
        dim: the axis that counts the slices.
        maxnorm: the largest norm, 0 or more.

    Raises:
        ShapeError: fewer than two axes.
        ArgumentError: an order of 0 or below, or a negative maxnorm.
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.renorm(tg.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
    tensor([[0.6, 0.8],
            [0.3, 0.4]])
    """
    x = floating(input)
    order, largest = number("renorm", "p", p), number("renorm", "maxnorm", maxnorm)
    if x.ndim < 2:
        raise ShapeError(restate("renorm", "input must have two axes or more", input=x))
    if not order > 0:
        raise ArgumentError(restate("renorm", f"p must be > 0, got {order}", input=x))
    if not largest >= 0:
        raise ArgumentError(restate("renorm", f"maxnorm must be ≥ 0, got {largest}", input=x))
    axis = normalize_axis("renorm", x, dim, "dim")
    norms = vector_norm(x, order, tuple(a for a in range(x.ndim) if a != axis), True)
    return x * where(norms > largest, largest / (norms + 1e-7), 1.0)

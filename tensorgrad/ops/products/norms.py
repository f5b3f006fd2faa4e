"""Norms of vectors, vectors divided by theirs, and the cosine of the angle between two."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.autograd.engine import apply
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.formulas.symbolic import fenced, summed, words
from tensorgrad.kernels.reduce import sums
from tensorgrad.ops.axes import Axes, normalize_axes, normalize_axis
from tensorgrad.ops.elementwise.arithmetic import abs, clip, pow, sign, where
from tensorgrad.ops.linalg.norms import matrix_norm
from tensorgrad.ops.operands import TensorLike, astype, flag, floating, floating_pair, number, quiet, widened
from tensorgrad.ops.reductions import Reduction
from tensorgrad.ops.shapes import broadcast_to
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["cosine_similarity", "norm"]


class PNorm(Reduction):
    """z = (Σ |x|ᵖ)^(1/p), and its limits: the largest |x| for ∞, the smallest for −∞, how many x ≠ 0 for 0."""

    name = "norm"
    symbol, formula = "norm", lambda x, p: words("(", summed(fenced("|", x, "|") ** p), ") ^ (1 /", p, ")")
    derivatives = (lambda x, z, i, p: words("sign", x[i], "· (|", x[i], "| /", z, ") ^ (", p - 1, ")"),)
    p: float

    @quiet
    @widened
    def forward(self, x):
        size, keep = np.abs(x), self.keepdims
        if self.p == math.inf:
            return size.max(self.axis, keepdims=keep)
        if self.p == -math.inf:
            return size.min(self.axis, keepdims=keep)
        if self.p == 0:
            return np.asarray((x != 0).sum(self.axis, keepdims=keep), x.dtype)
        # In float64, where squares neither overflow nor vanish.
        wide = size.astype(np.float64, copy=False)
        powers = wide if self.p == 1 else wide * wide if self.p == 2 else wide**self.p
        total = sums.total(powers, self.axis, keepdims=keep)
        return np.asarray(np.sqrt(total) if self.p == 2 else total ** (1 / self.p), x.dtype)

    def backward_x(self, grad, x, z):
        grad, z, p = self.with_axes(grad), self.with_axes(z), self.p
        if p == 0:
            return broadcast_to(grad * 0.0, x.shape)
        if p == 1:
            return sign(x) * grad
        if math.isinf(p):
            hit = astype(abs(x) == z, x.dtype)
            return sign(x) * hit / hit.sum(self.axis, keepdims=True) * grad
        # The derivative at 0 is taken as 0; a 1 in place of it keeps 1/0 from a second derivative too.
        flat = z == 0
        slope = where(flat, 0.0, grad / where(flat, 1.0, z if p == 2 else pow(z, p - 1)))
        if p == 2:
            return x * slope
        zero = x == 0
        return where(zero, 0.0, sign(x) * pow(where(zero, 1.0, abs(x)), p - 1)) * slope


@numpy_spellings
def norm(
    input: TensorLike,
    p: float | str | None = "fro",
    dim: Axes = None,
    keepdim: bool = False,
    out: None = None,
    dtype: DTypeLike = None,
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over axes: the norm of order p. The derivative at 0 is taken as 0.

    Args:
        input: a tensor of any shape.
        p: the order; "fro" and 2 are √Σx². ∞ is the largest |x|, −∞ the smallest, 0 the number of x ≠ 0. "nuc" is the
            sum of the singular values of matrices, whose two axes are `dim`.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.
        out: must be None.
        dtype: the dtype to compute in, by default that of the input.

    Raises:
        ArgumentError: another order, or `out`. ShapeError: "nuc" of other than two axes.

    >>> import tensorgrad as tg
    >>> tg.norm(tg.tensor([[3.0, 4.0], [6.0, 8.0]]), dim=1)
    tensor([ 5., 10.])
    """
    if out is not None:
        raise ArgumentError(restate("norm", "the result can't be written into `out`", fix="t.copy_(result)"))
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise ArgumentError(restate("norm", f'p must be a number, "fro" or "nuc", got {p!r}', input=input))
    x = floating(input if dtype is None else astype(input, dtype))
    if isinstance(p, str) and p == "nuc":
        axes = normalize_axes("norm", x, dim)
        if len(axes) != 2:
            problem = f'dim must be two axes for p="nuc", a norm of matrices, got {len(axes)}'
            raise ShapeError(restate("norm", problem, input=x, dim=dim))
        return matrix_norm(x, "nuc", (axes[0], axes[1]), keepdim)
    return p_norm("norm", x, 2 if p is None or isinstance(p, str) else p, dim, keepdim)


def p_norm(call: str, x: Tensor, p: float, dim: Axes, keepdim: bool = False) -> Tensor:
    """The norm of order p over axes."""
    order, axes = float(number(call, "p", p)), normalize_axes(call, x, dim)
    if math.isnan(order):
        raise ArgumentError(restate(call, "p must be a number, got NaN", input=x))
    if not x.ndim:
        return p_norm(call, x.reshape(1), p, 0)
    return apply(PNorm, x, axis=axes, keepdims=flag(call, "keepdim", keepdim), p=order)


def normalize(input: TensorLike, p: float = 2.0, dim: Axes = 1, eps: float = 1e-12, out: None = None) -> Tensor:
    """x / max(‖x‖, eps): vectors along an axis, divided by their norm of order p.

    Args:
        input: a tensor of any shape.
        p: the order of the norm.
        dim: the axis, or axes, of a vector.
        eps: the least divisor.
        out: must be None.

    Raises:
        ArgumentError: `out`.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.normalize(tg.tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    if out is not None:
        raise ArgumentError(restate("normalize", "the result can't be written into `out`", fix="t.copy_(result)"))
    x = floating(input)
    return x / clip(p_norm("normalize", x, p, dim, True), number("normalize", "eps", eps))


def cosine_similarity(x1: TensorLike, x2: TensorLike, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁ · x₂ / (max(‖x₁‖, eps) · max(‖x₂‖, eps)), the cosine of the angle between vectors along an axis.

    Args:
        x1: a tensor.
        x2: a tensor that broadcasts with it.
        dim: the axis of the vectors, in the shape that both broadcast to.
        eps: the least norm.

    >>> import tensorgrad as tg
    >>> tg.cosine_similarity(tg.tensor([[1.0, 0.0]]), tg.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    x, y = floating_pair(x1, x2)
    least, (shape, axis) = number("cosine_similarity", "eps", eps), _common("cosine_similarity", x, y, dim)
    x, y = [t if t.ndim == len(shape) else t.reshape((1,) * (len(shape) - t.ndim) + t.shape) for t in (x, y)]
    if x.shape[axis] != y.shape[axis]:  # one vector has a single number, which is repeated
        x, y = x.expand(shape), y.expand(shape)
    left, right = [t / clip(p_norm("cosine_similarity", t, 2, axis, True), least) for t in (x, y)]
    return (left * right).sum(axis)


def _common(call: str, x: Tensor, y: Tensor, dim: int) -> tuple[tuple[int, ...], int]:
    """The shape that both broadcast to, and the axis."""
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise ShapeError(restate(call, "the shapes don't broadcast", x1=x, x2=y)) from None
    shape = shape or (1,)  # scalars are vectors of one number
    axis = normalize_axis(call, x, dim, "dim", ndim=len(shape))
    return shape, axis

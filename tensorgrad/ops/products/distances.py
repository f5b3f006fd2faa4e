"""Distances of vectors, vectors divided by their norms, and the cosine of the angle between two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.axes import Axes, normalize_axis
from tensorgrad.ops.elementwise.choice import clip
from tensorgrad.ops.linalg.norms import p_norm
from tensorgrad.ops.operands import TensorLike, floating, floating_pair, number, rounded_once
from tensorgrad.ops.shapes import unsqueeze
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["cdist", "cosine_similarity", "pdist"]

MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


@numpy_spellings
def pairwise_distance(
    x1: TensorLike, x2: TensorLike, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x₁ − x₂ + eps‖ of order p, for vectors along the last axis: `(N, D), (N, D) -> (N,)`.

    Args:
        x1: vectors, `(N, D)` or `(D,)`.
        x2: vectors that broadcast with them.
        p: the order of the norm.
        eps: added to each difference, so that no distance is 0.
        keepdim: keep the last axis with length 1.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.pairwise_distance(tg.tensor([[3.0, 4.0]]), tg.tensor([[0.0, 0.0]]), eps=0.0)
    tensor([5.])
    """
    x, y = floating_pair(x1, x2)
    return p_norm("pairwise_distance", x - y + number("pairwise_distance", "eps", eps), p, -1, keepdim)


def cdist(x1: TensorLike, x2: TensorLike, p: float = 2.0, compute_mode: str = MODES[0]) -> Tensor:
    """The distances of all pairs of rows, `(..., P, M), (..., R, M) -> (..., P, R)`: norms of order p of differences.

    Args:
        x1: rows; the axes before them are batches, that broadcast.
        x2: rows.
        p: the order of the norm, ≥ 0.
        compute_mode: accepted for PyTorch's scripts: distances are always computed from differences.

    Raises:
        ShapeError: fewer than two axes, or rows of different lengths. ArgumentError: a negative p, another mode.

    >>> import tensorgrad as tg
    >>> tg.cdist(tg.tensor([[0.0, 0.0]]), tg.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    x, y = floating_pair(x1, x2)
    given: dict[str, Any] = {"x1": x, "x2": y}
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(restate("cdist", "x1 and x2 must be rows of one length, (..., P, M) and (..., R, M)", **given))
    if not number("cdist", "p", p) >= 0:
        raise ArgumentError(restate("cdist", f"p must be ≥ 0, got {p}", **given))
    if compute_mode not in MODES:
        problem = f"compute_mode must be one of {', '.join(map(repr, MODES))}, got {compute_mode!r}"
        raise ArgumentError(restate("cdist", problem, **given))
    # (..., P, 1, M) − (..., 1, R, M) -> (..., P, R, M) -> (..., P, R)
    apart = unsqueeze(x, -2) - unsqueeze(y, -3)
    return p_norm("cdist", apart, p, -1) if x.shape[-1] else apart.sum(-1)


def pdist(input: TensorLike, p: float = 2.0) -> Tensor:
    """The distances ‖xᵢ − xⱼ‖ₚ of all pairs of rows with i < j: `(N, M) -> (N(N − 1)/2,)`.

    Args:
        input: the rows.
        p: the order of the norm, ≥ 0.

    Raises:
        ShapeError: an input with other than two axes. ArgumentError: a negative p.

    >>> import tensorgrad as tg
    >>> tg.pdist(tg.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.    , 1.    , 4.2426])
    """
    x = floating(input)
    if x.ndim != 2:
        raise ShapeError(restate("pdist", f"input must be rows (N, M), got {x.shape}", input=x))
    if not number("pdist", "p", p) >= 0:
        raise ArgumentError(restate("pdist", f"p must be ≥ 0, got {p}", input=x))
    first, second = np.triu_indices(x.shape[0], 1)
    apart = x[first] - x[second]
    return p_norm("pdist", apart, p, -1) if x.shape[1] else apart.sum(-1)


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


@rounded_once
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

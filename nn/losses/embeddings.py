"""Losses of embeddings: those that belong together should lie close, others far apart."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import tensorgrad as tg
from tensorgrad.autograd.engine import constant
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.nn.losses.targets import check_reduction, in_dtype_of, joined, reduced, refuse_legacy
from tensorgrad.ops.operands import TensorLike, flag, floating, number, rounded_once
from tensorgrad.tensor import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]
"""A distance of vectors: `(N, D)` and `(N, D)` -> `(N,)`."""


@rounded_once
def triplet_margin_loss(
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(a, p) − d(a, n) + margin): the positive should lie closer to the anchor than the negative.

    d is the p-norm of the difference, ‖x − y + ε‖ along the last axis.

    Args:
        anchor: a, `(N, D)` or `(D,)`.
        positive: of as many axes; the shapes broadcast.
        negative: of as many axes.
        margin: by how much, > 0.
        p: of the p-norm; `math.inf` for the largest difference.
        eps: ε, which keeps the gradient finite where two embeddings are equal.
        swap: take d(p, n) in place of d(a, n) where it is smaller.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: different numbers of axes, or shapes that don't broadcast.
        ArgumentError: a margin that isn't above 0.

    Balntas et al., Learning Shallow Convolutional Feature Descriptors with Triplet Losses, BMVC 2016.

    >>> import tensorgrad as tg
    >>> a, p, n = tg.tensor([[0.0, 0.0]]), tg.tensor([[3.0, 4.0]]), tg.tensor([[0.0, 5.5]])
    >>> tg.nn.functional.triplet_margin_loss(a, p, n)
    tensor(0.5)
    """
    call = "triplet_margin_loss"
    refuse_legacy(call, size_average, reduce)
    p, eps = number(call, "p", p), number(call, "eps", eps)
    triplet = _triplet(call, anchor, positive, negative)
    return _by_margin(call, triplet, lambda x, y: p_norm(x - y + eps, p), margin, swap, reduction)


@rounded_once
def triplet_margin_with_distance_loss(
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    *,
    distance_function: Distance | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(a, p) − d(a, n) + margin) with a distance d of one's own: see `triplet_margin_loss`.

    Args:
        anchor: a, of any shape that d takes.
        positive: of as many axes.
        negative: of as many axes.
        distance_function: d, a function of two tensors; by default the Euclidean distance of `triplet_margin_loss`.
        margin: by how much, > 0.
        swap: take d(p, n) in place of d(a, n) where it is smaller.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: different numbers of axes.
        ArgumentError: a margin that isn't above 0.

    >>> import tensorgrad as tg
    >>> a, p, n = tg.tensor([[0.0, 0.0]]), tg.tensor([[3.0, 4.0]]), tg.tensor([[0.0, 5.5]])
    >>> distance = lambda x, y: (x - y).abs().sum(-1)
    >>> tg.nn.functional.triplet_margin_with_distance_loss(a, p, n, distance_function=distance)
    tensor(2.5)
    """
    call = "triplet_margin_with_distance_loss"
    triplet = _triplet(call, anchor, positive, negative)
    distance = distance_function or (lambda x, y: p_norm(x - y + 1e-6, 2.0))
    return _by_margin(call, triplet, distance, margin, swap, reduction)


@rounded_once
def cosine_embedding_loss(
    input1: TensorLike,
    input2: TensorLike,
    target: TensorLike,
    margin: float = 0.0,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 − cos where t = 1, max(0, cos − margin) where t = −1, for the cosine of the angle between two embeddings.

    Args:
        input1: embeddings, `(N, D)` or `(D,)`.
        input2: embeddings; the shapes broadcast.
        target: t, +1 or −1, `(N,)` or `()`. Pairs with another t have the loss 0.
        margin: the cosine up to which pairs with t = −1 have the loss 0, from −1 to 1.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: a target of another shape.

    >>> import tensorgrad as tg
    >>> x, y = tg.tensor([[1.0, 0.0], [1.0, 0.0]]), tg.tensor([[0.0, 2.0], [3.0, 0.0]])
    >>> tg.nn.functional.cosine_embedding_loss(x, y, tg.tensor([1, -1]), reduction="none")
    tensor([1., 1.])
    """
    call = "cosine_embedding_loss"
    refuse_legacy(call, size_average, reduce)
    check_reduction(call, reduction)
    x, y = joined(call, input1=input1, input2=input2)
    t = in_dtype_of(x, target)
    if t.ndim not in (0, 1) or x.ndim != t.ndim + 1 or y.ndim != t.ndim + 1:
        expected = "inputs (N, D) and a target (N,), or inputs (D,) and a target ()"
        problem = "the shape of target doesn't match the inputs"
        raise ShapeError(restate(call, problem, expected=expected, input1=x, input2=y, target=t))
    # PyTorch's lower bound, which keeps the quotient finite for vectors of zeros.
    squares = ((x * x).sum(-1) + 1e-12) * ((y * y).sum(-1) + 1e-12)
    cosine = (x * y).sum(-1) / squares.sqrt()
    apart = tg.clip(cosine - number(call, "margin", margin), 0.0)
    return reduced(tg.where(t == 1, 1 - cosine, 0.0) + tg.where(t == -1, apart, 0.0), reduction)


def p_norm(x: Tensor, p: float) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) along the last axis; its gradient at 0 is taken as 0, and shared where several are the largest.

    >>> import tensorgrad as tg
    >>> p_norm(tg.tensor([[3.0, -4.0]]), 2.0), p_norm(tg.tensor([[3.0, -4.0]]), math.inf)
    (tensor([5.]), tensor([4.]))
    """
    if p == 2:
        squares = (x * x).sum(-1)
        return tg.where(squares == 0, 0.0, tg.where(squares == 0, 1.0, squares).sqrt())
    size = x.abs()
    if p == 1:
        return size.sum(-1)
    if math.isinf(p):
        chosen = (size if p > 0 else -size).argmax(-1).unsqueeze(-1) == constant(np.arange(x.shape[-1]))
        largest = tg.where(chosen, size.detach(), 0.0).sum(-1).unsqueeze(-1)
        equal = size == largest
        return tg.where(equal, size, 0.0).sum(-1) / equal.sum(-1)
    if p == 0:
        return (size != 0).astype(x.dtype).sum(-1)
    # 1 in place of 0, whose power may have no derivative.
    powers = tg.where(size == 0, 0.0, tg.where(size == 0, 1.0, size) ** p).sum(-1)
    return tg.where(powers == 0, 0.0, tg.where(powers == 0, 1.0, powers) ** (1 / p))


def _triplet(call: str, anchor: TensorLike, positive: TensorLike, negative: TensorLike) -> list[Tensor]:
    """The three in the anchor's dtype. Raises ShapeError unless they have as many axes."""
    a = floating(anchor)
    p, n = in_dtype_of(a, positive), in_dtype_of(a, negative)
    if not a.ndim == p.ndim == n.ndim:
        problem = "anchor, positive and negative must have as many axes"
        raise ShapeError(restate(call, problem, anchor=a, positive=p, negative=n))
    return [a, p, n]


def _by_margin(
    call: str, triplet: list[Tensor], distance: Distance, margin: float, swap: bool, reduction: str
) -> Tensor:
    check_reduction(call, reduction)
    margin, swap = number(call, "margin", margin), flag(call, "swap", swap)
    if not margin > 0:
        raise ArgumentError(restate(call, f"margin must be > 0, got {margin}", margin=margin))
    anchor, positive, negative = triplet
    far = distance(anchor, negative)
    if swap:
        far = tg.minimum(far, distance(positive, negative))
    # At 0 the gradient passes, as in PyTorch's clamp_min.
    return reduced(tg.clip(margin + distance(anchor, positive) - far, 0.0), reduction)

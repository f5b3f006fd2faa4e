"""Losses with a margin: what is right by more than the margin costs nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.autograd.engine import constant, guard, host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.nn.losses.targets import (
    alike,
    as_rows,
    check_reduction,
    class_weights,
    joined,
    reduced,
    refuse_legacy,
    weighed,
)
from tensorgrad.ops.operands import TensorLike, as_tensor, floating, number
from tensorgrad.tensor import Tensor


def margin_ranking_loss(
    input1: TensorLike,
    input2: TensorLike,
    target: TensorLike,
    margin: float = 0.0,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin − t · (input1 − input2)): for t = 1 the first is to be larger by the margin, for t = −1 the second.

    Args:
        input1: scores.
        input2: scores, of as many axes; the shapes broadcast.
        target: t, +1 or −1, of as many axes.
        margin: the difference that costs nothing.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: different numbers of axes, or shapes that don't broadcast.

    >>> import tensorgrad as tg
    >>> a, b = tg.tensor([3.0, 1.0]), tg.tensor([1.0, 1.5])
    >>> tg.nn.functional.margin_ranking_loss(a, b, tg.tensor([1, 1]), margin=1.0, reduction="none")
    tensor([0. , 1.5])
    """
    call = "margin_ranking_loss"
    refuse_legacy(call, size_average, reduce)
    check_reduction(call, reduction)
    x, y, t = joined(call, input1=input1, input2=input2, target=target)
    if not x.ndim == y.ndim == t.ndim:
        problem = "input1, input2 and target must have as many axes"
        raise ShapeError(restate(call, problem, input1=x, input2=y, target=t))
    return reduced(_at_least_zero(number(call, "margin", margin) - t * (x - y)), reduction)


def hinge_embedding_loss(
    input: TensorLike,
    target: TensorLike,
    margin: float = 1.0,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where t = 1, max(0, margin − x) where t = −1, for distances x of pairs that belong together or don't.

    Args:
        input: x, of any shape.
        target: t, +1 or −1; a shape that broadcasts. Another t costs the sum of both.
        margin: the distance from which on a pair with t = −1 costs nothing.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: shapes that don't broadcast.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([0.2, 0.2])
    >>> tg.nn.functional.hinge_embedding_loss(x, tg.tensor([1, -1]), reduction="none")
    tensor([0.2, 0.8])
    """
    call = "hinge_embedding_loss"
    refuse_legacy(call, size_average, reduce)
    check_reduction(call, reduction)
    x, t = joined(call, input=input, target=target)
    apart = tg.where(t != 1, _at_least_zero(number(call, "margin", margin) - x), 0.0)
    return reduced(apart + tg.where(t != -1, x, 0.0), reduction)


def multi_margin_loss(
    input: TensorLike,
    target: TensorLike,
    p: int = 1,
    margin: float = 1.0,
    weight: TensorLike | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """weight[t] / C · Σ_{c ≠ t} max(0, margin − x[t] + x[c])ᵖ: the score of class t is to lead by the margin.

    Args:
        input: scores x, `(N, C)` or `(C,)`.
        target: class indices t, integers `(N,)` or `()`.
        p: 1 or 2.
        margin: the lead that costs nothing.
        weight: one factor per class, `(C,)`.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean" over the examples, "sum" or "none".

    Raises:
        ShapeError: an input, target or weight of another shape.
        DTypeError: a target that doesn't hold integers.
        RangeError: a class index outside [0, C).
        ArgumentError: another p.

    Crammer and Singer, On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines, JMLR 2, 2001.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.multi_margin_loss(tg.tensor([[0.1, 0.2, 0.4, 0.8]]), tg.tensor([3]))
    tensor(0.325)
    """
    call = "multi_margin_loss"
    refuse_legacy(call, size_average, reduce)
    check_reduction(call, reduction)
    x, target = _at_least_one_class(input), as_tensor(target)
    p = number(call, "p", p)
    if p not in (1, 2):
        raise ArgumentError(restate(call, f"p must be 1 or 2, got {p}", input=x, target=target, p=p))
    fits = target.shape == x.shape[:-1] or (x.ndim == 1 and target.shape == (1,))
    _check_labels(call, x, target, fits, "(N,) for (N, C), () or (1,) for (C,)")
    weight = class_weights(call, x, weight)
    classes = x.shape[-1]
    if not guard(_in_range, target._data, 0, classes):
        problem = f"class indices must be in [0, {classes})"
        raise RangeError(restate(call, problem, input=x, target=target))
    rows, labels = as_rows(x), target.reshape(-1)
    # (N, C) -> (N,) -> (N, 1)
    own = rows[np.arange(rows.shape[0]), labels].unsqueeze(1)
    short = tg.relu(number(call, "margin", margin) - own + rows)
    others = constant(np.arange(classes)) != labels.unsqueeze(1)
    losses = tg.where(others, short.square() if p == 2 else short, 0.0).sum(1) / classes
    losses = losses if weight is None else losses * weight[labels]
    return reduced(losses.reshape(target.shape), reduction)


def multilabel_margin_loss(
    input: TensorLike,
    target: TensorLike,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ max(0, 1 − (x[t] − x[c])) / C over the classes t of an example and all others c: each t is to lead by 1.

    Args:
        input: scores x, `(N, C)` or `(C,)`.
        target: integers of the same shape: per example its class indices, then −1; what follows isn't read.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean" over the examples, "sum" or "none".

    Raises:
        ShapeError: an input of another number of axes, or a target of another shape.
        DTypeError: a target that doesn't hold integers.
        RangeError: a class index outside [−1, C).

    >>> import tensorgrad as tg
    >>> x, t = tg.tensor([[0.1, 0.2, 0.4, 0.8]]), tg.tensor([[3, 0, -1, 1]])
    >>> tg.nn.functional.multilabel_margin_loss(x, t)
    tensor(0.85)
    """
    call = "multilabel_margin_loss"
    refuse_legacy(call, size_average, reduce)
    check_reduction(call, reduction)
    x, target = _at_least_one_class(input), as_tensor(target)
    target = target if target.ndim else target.reshape(1)
    _check_labels(call, x, target, target.shape == x.shape, "the shape of input")
    classes = x.shape[-1]
    if not guard(_in_range, target._data, -1, classes):
        problem = f"class indices must be in [0, {classes}), or −1 after the last one"
        raise RangeError(restate(call, problem, input=x, target=target))
    rows = as_rows(x)
    labels, counts = map(wrap, host_call(_listed, target.reshape(rows.shape)._data))
    own = rows[np.arange(rows.shape[0])[:, None], labels]
    # own (N, C, 1) beside the others (N, 1, C)
    short = tg.relu(1 - own.unsqueeze(2) + rows.unsqueeze(1))
    losses = tg.where(counts, short, 0.0).sum(2).sum(1) / classes
    return reduced(losses.reshape(x.shape[:-1]), reduction)


def multilabel_soft_margin_loss(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """−Σ weight[c] · (t[c] ln σ(x[c]) + (1 − t[c]) ln(1 − σ(x[c]))) / C: a binary cross-entropy for each class.

    Args:
        input: logits x, `(N, C)` or `(..., C)`.
        target: t in [0, 1], of the same shape.
        weight: one factor per class, or any shape that broadcasts.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean" over the examples, "sum" or "none".

    Raises:
        ShapeError: a target or weight of another shape, or an input without axes.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.multilabel_soft_margin_loss(tg.zeros(1, 2), tg.tensor([[0, 1]]))
    tensor(0.6931)
    """
    call = "multilabel_soft_margin_loss"
    refuse_legacy(call, size_average, reduce)
    x, t = alike(call, input, target, reduction)
    if not x.ndim:
        raise ShapeError(restate(call, "input must have an axis of classes", input=x, target=t))
    losses = weighed(call, t * tg.softplus(-x) + (1 - t) * tg.softplus(x), weight)
    return reduced(losses.sum(-1) / x.shape[-1], reduction)


def _at_least_zero(x: Tensor) -> Tensor:
    """max(x, 0); at 0 the gradient passes, as it does in PyTorch's `clamp_min`, which these losses are made of."""
    return tg.clip(x, 0.0)


def _at_least_one_class(input: TensorLike) -> Tensor:
    """The scores; a scalar is the score of the only class."""
    x = floating(input)
    return x if x.ndim else x.reshape(1)


def _check_labels(call: str, x: Tensor, target: Tensor, fits: bool, expected: str) -> None:
    given: dict[str, Any] = {"input": x, "target": target}
    if target.dtype.kind not in "iu":
        fix = "class indices must be integers: target.astype('int64')"
        raise DTypeError(restate(call, f"target must hold integers, got {target.dtype}", fix=fix, **given))
    if x.ndim not in (1, 2) or not fits or not x.shape[-1]:
        expected = f"input (N, C) or (C,) of at least one class; target {expected}"
        raise ShapeError(restate(call, "the shape of target doesn't match input", expected=expected, **given))


def _in_range(labels: np.ndarray, low: int, high: int) -> bool:
    return bool(((labels >= low) & (labels < high)).all())


def _listed(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class indices of each row, 0 after its −1; and which pairs (class of the row, other class) count."""
    rows, classes = target.shape
    listed = np.logical_and.accumulate(target >= 0, axis=1)
    labels = np.where(listed, target, 0)
    member = np.zeros((rows, classes), bool)
    np.logical_or.at(member, (np.arange(rows)[:, None], labels), listed)
    return labels, listed[:, :, None] & ~member[:, None, :]

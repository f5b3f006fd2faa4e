"""Losses: how wrong a prediction is, as a number to minimise. `loss_layers.py` has each as a module too.

All take `reduction`: "mean" over the elements, "sum", or "none" for one loss per element; others raise ArgumentError.
The target is converted to the input's dtype, so that a float64 array doesn't widen the loss of a float32 network.
"""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.engine import guard
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, restate
from tensorgrad.nn.losses.targets import (
    alike,
    as_rows,
    check_classes,
    check_reduction,
    class_indices,
    class_weights,
    element_shape,
    in_dtype_of,
    reduced,
    weighed,
)
from tensorgrad.ops import loss
from tensorgrad.ops.operands import TensorLike, as_tensor, floating, number
from tensorgrad.tensor import Tensor


def cross_entropy(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """−Σ_c t_c · ln softmax(input)_c: the negative log-likelihood of the target under the logits, stable for any.

    Args:
        input: logits `(N, C)`, `(C,)` or `(N, C, ...)`, a class per pixel.
        target: class indices, integers shaped as the input without its axis C; or probabilities, floats of its shape.
        weight: one factor per class, `(C,)`.
        ignore_index: a class index whose elements count for nothing.
        reduction: "mean", "sum" or "none". The mean for class indices t divides by Σ weight[t] over the elements that
            aren't ignored; that for probabilities by the number of elements.
        label_smoothing: ε in [0, 1]: the target becomes (1 − ε) · target + ε/C. Szegedy et al., Rethinking the
            Inception Architecture for Computer Vision, CVPR 2016.

    Returns:
        A scalar; for "none" the losses, shaped as the input without its axis C.

    Raises:
        ShapeError: shapes that don't fit. DTypeError: targets that are neither integers nor floats.
        RangeError: a class index outside 0 … C − 1. ArgumentError: a bad reduction or ε.

    >>> import tensorgrad as tg
    >>> tg.nn.cross_entropy(tg.tensor([[2.0, 0.0], [0.0, 0.0]]), tg.tensor([0, 1]), reduction="none")
    tensor([0.1269, 0.6931])
    """
    call, x, target = "cross_entropy", floating(input), as_tensor(target)
    ignore_index = number(call, "ignore_index", ignore_index)
    check_reduction(call, reduction)
    check_classes(call, x, target)
    label_smoothing = number(call, "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(restate(call, "bad label_smoothing", expected="0 ≤ ε ≤ 1", label_smoothing=label_smoothing))
    rows = as_rows(x)
    weight = class_weights(call, x, weight)
    if is_float(target.dtype):
        t = as_rows(in_dtype_of(x, target))
        t = t * (1 - label_smoothing) + label_smoothing / rows.shape[1] if label_smoothing else t
        # (M, C) -> (M,) -> (N, ...)
        losses = -weighed(call, loss.weighted(t, rows.log_softmax(axis=1)), weight).sum(1)
        return reduced(losses.reshape(element_shape(x)), reduction)
    by_kernel = weight is None and label_smoothing == 0
    labels, counts = class_indices(call, x, target, ignore_index, refused=by_kernel)
    if counts is None and by_kernel:
        losses = loss.cross_entropy(rows, labels)
        return reduced(losses if losses.shape == target.shape else losses.reshape(target.shape), reduction)
    logs = rows.log_softmax(axis=1)
    losses, shares = _negative_log_likelihood(logs, labels, counts, weight)
    if label_smoothing:
        even = _where(counts, -weighed(call, logs, weight).sum(1))
        losses = losses * (1 - label_smoothing) + even * (label_smoothing / rows.shape[1])
    return reduced(losses.reshape(target.shape), reduction, shares)


def nll_loss(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """−weight[t] · input[t]: the negative log-likelihood of class t, given log-probabilities as `log_softmax` makes.

    Arguments, weighted mean and errors are those of `cross_entropy` with class indices.

    >>> import tensorgrad as tg
    >>> tg.nn.nll_loss(tg.tensor([[-0.5, -1.0]]), tg.tensor([1]))
    tensor(1.)
    """
    call, x, target = "nll_loss", floating(input), as_tensor(target)
    ignore_index = number(call, "ignore_index", ignore_index)
    check_reduction(call, reduction)
    if is_float(target.dtype):
        expected, fix = "class indices, integers", "use cross_entropy for probabilities, or target.astype('int64')"
        raise DTypeError(restate(call, "the target holds floats", expected=expected, fix=fix, input=x, target=target))
    check_classes(call, x, target)
    rows = as_rows(x)
    labels, counts = class_indices(call, x, target, ignore_index)
    losses, shares = _negative_log_likelihood(rows, labels, counts, class_weights(call, x, weight))
    return reduced(losses.reshape(target.shape), reduction, shares)


def _negative_log_likelihood(
    logs: Tensor, labels: Tensor, counts: Tensor | None, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Per row, −weight[label] · logs[label], 0 if ignored; and the share that it counts with in a mean. Both (M,)."""
    count = labels.shape[0]
    shares = tg.ones(count, dtype=logs.dtype) if counts is None else counts.astype(logs.dtype)
    if weight is not None:
        shares = shares * weight[labels]
    # (M, C) -> (M,)
    picked = logs[np.arange(count), labels]
    return _where(counts, -picked * shares), shares


def _where(counts: Tensor | None, losses: Tensor) -> Tensor:
    """The losses of the rows that count, 0 for the others: where, not a product with 0, for one may be ∞."""
    return losses if counts is None else tg.where(counts, losses, 0.0)


def mse_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """(input − target)²: the squared error.

    Raises ShapeError unless both have one shape: (N, 1) against (N,) would broadcast to (N, N), which nobody wants.

    >>> import tensorgrad as tg
    >>> tg.nn.mse_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 4.0]))
    tensor(2.5)
    """
    x, t = alike("mse_loss", input, target, reduction)
    return reduced((x - t).square(), reduction)


def l1_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """|input − target|: the absolute error; its slope at 0 is taken as 0. Raises ShapeError unless both have one shape.

    >>> import tensorgrad as tg
    >>> tg.nn.l1_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 4.0]))
    tensor(1.5)
    """
    x, t = alike("l1_loss", input, target, reduction)
    return reduced((x - t).abs(), reduction)


def binary_cross_entropy(
    input: TensorLike, target: TensorLike, weight: TensorLike | None = None, *, reduction: str = "mean"
) -> Tensor:
    """−(t · ln p + (1 − t) · ln(1 − p)) for probabilities p, the logarithms cut off at −100 as in PyTorch.

    Where logits are at hand, `binary_cross_entropy_with_logits` is exact.

    Args:
        input: p, of any shape. target: t in [0, 1], of the same.
        weight: a factor per element; any shape that broadcasts.

    Raises:
        ShapeError: shapes that don't fit. RangeError: a p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.binary_cross_entropy(tg.tensor([0.5, 1.0]), tg.tensor([1.0, 0.0]), reduction="none")
    tensor([  0.6931, 100.    ])
    """
    call = "binary_cross_entropy"
    p, t = alike(call, input, target, reduction)
    if not guard(_are_probabilities, p._data):
        fix = "apply a sigmoid first, or use binary_cross_entropy_with_logits"
        raise RangeError(restate(call, "not probabilities", expected="0 ≤ input ≤ 1", fix=fix, input=p, target=t))
    return reduced(weighed(call, loss.binary_cross_entropy(p, t), weight), reduction)


def binary_cross_entropy_with_logits(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    *,
    reduction: str = "mean",
    pos_weight: TensorLike | None = None,
) -> Tensor:
    """−(w₊ · t · ln σ(x) + (1 − t) · ln(1 − σ(x))) for logits x, stable for any of them.

    Computed as w₊ · t · softplus(−x) + (1 − t) · softplus(x), for −ln σ(x) = softplus(−x).

    Args:
        input: x, of any shape. target: t in [0, 1], of the same.
        weight: a factor per element; any shape that broadcasts.
        pos_weight: w₊, a factor for the positive examples, 1 by default; any shape that broadcasts.

    Raises:
        ShapeError: shapes that don't fit.

    >>> import tensorgrad as tg
    >>> tg.nn.binary_cross_entropy_with_logits(tg.tensor([0.0, 1e4]), tg.tensor([1.0, 0.0]), reduction="none")
    tensor([6.9315e-01, 1.0000e+04])
    """
    call = "binary_cross_entropy_with_logits"
    x, t = alike(call, input, target, reduction)
    positive = weighed(call, loss.weighted(t, tg.softplus(-x)), pos_weight, "pos_weight")
    return reduced(weighed(call, positive + loss.weighted(1 - t, tg.softplus(x)), weight), reduction)


def soft_margin_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """ln(1 + e^(−t·x)) for logits x and labels t of +1 or −1: −ln σ(t·x), the binary cross-entropy; stable for any x.

    Raises ShapeError unless both have one shape, RangeError for other labels.

    >>> import tensorgrad as tg
    >>> tg.nn.soft_margin_loss(tg.tensor([0.0, 1e4]), tg.tensor([1.0, -1.0]), reduction="none")
    tensor([6.9315e-01, 1.0000e+04])
    """
    x, t = alike("soft_margin_loss", input, target, reduction)
    if not guard(_are_signs, t._data):
        fix = "for labels 0 and 1 use 2 * target - 1, or binary_cross_entropy_with_logits"
        raise RangeError(restate("soft_margin_loss", "bad labels", expected="+1 or −1", fix=fix, input=x, target=t))
    return reduced(tg.softplus(-t * x), reduction)


def _are_probabilities(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _are_signs(values: np.ndarray) -> bool:
    return bool((np.abs(values) == 1).all())

"""Loss functions. `layers.py` has each of them as a module too.

All take `reduction`: "mean" over the elements, "sum", or "none" for one loss per element; others raise ArgumentError.
The target is converted to the input's dtype, so that a float64 target doesn't widen the loss of a float32 network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tensorgrad as tg
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.engine import guard
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, restate
from tensorgrad.nn.losses.hints import warn_of_activation
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
    refuse_legacy,
    weighed,
    weighed_each,
)
from tensorgrad.ops.losses import entropies
from tensorgrad.ops.operands import TensorLike, as_tensor, floating, number
from tensorgrad.tensor import Tensor


def cross_entropy(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """−Σ_c t_c · ln softmax(input)_c: the negative log-likelihood of the target, stable for any logits.

    Args:
        input: logits `(N, C)`, `(C,)`, or `(N, C, ...)` for one class per pixel.
        target: class indices, integers of the input's shape without the axis C; or probabilities, floats of its shape.
        weight: one factor per class, `(C,)`.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        ignore_index: elements whose target is this index are ignored.
        reduction: "mean", "sum" or "none". For class indices t the mean divides by Σ weight[t] over the elements that
            aren't ignored; for probabilities it divides by the number of elements.
        label_smoothing: ε in [0, 1]: the target becomes (1 − ε) · target + ε/C. Szegedy et al., Rethinking the
            Inception Architecture for Computer Vision, CVPR 2016.

    Returns:
        A scalar; for "none" the losses, of the input's shape without the axis C.

    Raises:
        ShapeError: a target or weight of another shape.
        DTypeError: a target that holds neither integers nor floats.
        RangeError: a class index outside [0, C).
        ArgumentError: another reduction, or ε outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.cross_entropy(tg.tensor([[2.0, 0.0], [0.0, 0.0]]), tg.tensor([0, 1]), reduction="none")
    tensor([0.1269, 0.6931])
    """
    refuse_legacy("cross_entropy", size_average, reduce)
    call, x, target = "cross_entropy", floating(input), as_tensor(target)
    warn_of_activation(call, x)
    ignore_index = number(call, "ignore_index", ignore_index)
    check_reduction(call, reduction)
    check_classes(call, x, target)
    label_smoothing = number(call, "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        problem = f"label_smoothing must be in [0, 1], got {label_smoothing}"
        raise ArgumentError(restate(call, problem, label_smoothing=label_smoothing))
    rows = as_rows(x)
    weight = class_weights(call, x, weight)
    if is_float(target.dtype):
        t = as_rows(in_dtype_of(x, target))
        t = t * (1 - label_smoothing) + label_smoothing / rows.shape[1] if label_smoothing else t
        # (M, C) -> (M,) -> (N, ...)
        losses = -weighed(call, entropies.weighted(t, rows.log_softmax(1)), weight).sum(1)
        return reduced(losses.reshape(element_shape(x)), reduction)
    by_kernel = weight is None and label_smoothing == 0
    labels, counts = class_indices(call, x, target, ignore_index, checked_by_kernel=by_kernel)
    if counts is None and by_kernel:
        losses = entropies.cross_entropy(rows, labels)
        return reduced(losses if losses.shape == target.shape else losses.reshape(target.shape), reduction)
    logs = rows.log_softmax(1)
    losses, weights = _negative_log_likelihood(logs, labels, counts, weight)
    if label_smoothing:
        even = _where(counts, -weighed(call, logs, weight).sum(1))
        losses = losses * (1 - label_smoothing) + even * (label_smoothing / rows.shape[1])
    return reduced(losses.reshape(target.shape), reduction, weights)


def nll_loss(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """−weight[t] · input[t]: the negative log-likelihood of class t, given the log-probabilities of `log_softmax`.

    Args:
        input: log-probabilities `(N, C)`, `(C,)`, or `(N, C, ...)` for one class per pixel.
        target: class indices, integers of the input's shape without the axis C.
        weight: one factor per class, `(C,)`.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        ignore_index: elements whose target is this index are ignored.
        reduction: "mean", "sum" or "none". The mean divides by Σ weight[target] over the elements that aren't ignored.

    Raises:
        ShapeError: a target or weight of another shape.
        DTypeError: a target that doesn't hold integers.
        RangeError: a class index outside [0, C).
        ArgumentError: another reduction.

    >>> import tensorgrad as tg
    >>> tg.nn.nll_loss(tg.tensor([[-0.5, -1.0]]), tg.tensor([1]))
    tensor(1.)
    """
    refuse_legacy("nll_loss", size_average, reduce)
    call, x, target = "nll_loss", floating(input), as_tensor(target)
    warn_of_activation(call, x)
    ignore_index = number(call, "ignore_index", ignore_index)
    check_reduction(call, reduction)
    if is_float(target.dtype):
        problem = f"target must hold class indices, integers, got {target.dtype}"
        fix = "use cross_entropy for probabilities, or target.astype('int64')"
        raise DTypeError(restate(call, problem, fix=fix, input=x, target=target))
    check_classes(call, x, target)
    rows = as_rows(x)
    labels, counts = class_indices(call, x, target, ignore_index)
    losses, weights = _negative_log_likelihood(rows, labels, counts, class_weights(call, x, weight))
    return reduced(losses.reshape(target.shape), reduction, weights)


def _negative_log_likelihood(
    logs: Tensor, labels: Tensor, counts: Tensor | None, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Per row, −weight[label] · logs[label], 0 if ignored; and its weight in a mean. Both (M,)."""
    count = labels.shape[0]
    weights = tg.ones(count, dtype=logs.dtype) if counts is None else counts.astype(logs.dtype)
    if weight is not None:
        weights = weights * weight[labels]
    # (M, C) -> (M,)
    picked = logs[np.arange(count), labels]
    return _where(counts, -picked * weights), weights


def _where(counts: Tensor | None, losses: Tensor) -> Tensor:
    """The losses of the rows that count, 0 for the others. `where`, not a product with 0: an ignored loss may be ∞."""
    return losses if counts is None else tg.where(counts, losses, 0.0)


def mse_loss(
    input: TensorLike,
    target: TensorLike,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    weight: TensorLike | None = None,
) -> Tensor:
    """(input − target)²: the squared error.

    Args:
        input: the predictions, of any shape.
        target: the targets, of the same shape.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none". The mean divides by Σ weight where there is one.
        weight: a factor per element, of the same shape.

    Raises:
        ShapeError: a target or weight of another shape: (N, 1) and (N,) would broadcast to (N, N).

    >>> import tensorgrad as tg
    >>> tg.nn.mse_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 4.0]))
    tensor(2.5)
    """
    return _of_difference("mse_loss", tg.square, input, target, size_average, reduce, reduction, weight)


def l1_loss(
    input: TensorLike,
    target: TensorLike,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    weight: TensorLike | None = None,
) -> Tensor:
    """|input − target|: the absolute error; its derivative at 0 is taken as 0.

    Args:
        input: the predictions, of any shape.
        target: the targets, of the same shape.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none". The mean divides by Σ weight where there is one.
        weight: a factor per element, of the same shape.

    Raises:
        ShapeError: a target of another shape.

    >>> import tensorgrad as tg
    >>> tg.nn.l1_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 4.0]))
    tensor(1.5)
    """
    return _of_difference("l1_loss", tg.abs, input, target, size_average, reduce, reduction, weight)


def _of_difference(
    call: str,
    cost: Callable[[Tensor], Tensor],
    input: TensorLike,
    target: TensorLike,
    size_average: None,
    reduce: None,
    reduction: str,
    weight: TensorLike | None,
) -> Tensor:
    refuse_legacy(call, size_average, reduce)
    x, t = alike(call, input, target, reduction)
    losses, weight = weighed_each(call, cost(x - t), weight)
    return reduced(losses, reduction, weight)


def binary_cross_entropy(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """−(t · ln p + (1 − t) · ln(1 − p)) for probabilities p, the logarithms cut off at −100 as in PyTorch.

    From logits, `binary_cross_entropy_with_logits` computes it without a cut-off.

    Args:
        input: p, of any shape.
        target: t in [0, 1], of the same shape.
        weight: a factor per element, of any shape that broadcasts.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: a target or weight of another shape.
        RangeError: a p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.binary_cross_entropy(tg.tensor([0.5, 1.0]), tg.tensor([1.0, 0.0]), reduction="none")
    tensor([  0.6931, 100.    ])
    """
    refuse_legacy("binary_cross_entropy", size_average, reduce)
    call = "binary_cross_entropy"
    p, t = alike(call, input, target, reduction)
    if not guard(_are_probabilities, p._data):
        fix = "apply a sigmoid first, or use binary_cross_entropy_with_logits"
        raise RangeError(restate(call, "input must hold probabilities in [0, 1]", fix=fix, input=p, target=t))
    return reduced(weighed(call, entropies.binary_cross_entropy(p, t), weight), reduction)


def binary_cross_entropy_with_logits(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    pos_weight: TensorLike | None = None,
) -> Tensor:
    """−(w₊ · t · ln σ(x) + (1 − t) · ln(1 − σ(x))), stable for any logits x.

    Computed as w₊ · t · softplus(−x) + (1 − t) · softplus(x), since −ln σ(x) = softplus(−x).

    Args:
        input: x, of any shape.
        target: t in [0, 1], of the same shape.
        weight: a factor per element, of any shape that broadcasts.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".
        pos_weight: w₊, a factor for the positive examples, 1 by default; of any shape that broadcasts.

    Raises:
        ShapeError: a target, weight or pos_weight of another shape.

    >>> import tensorgrad as tg
    >>> tg.nn.binary_cross_entropy_with_logits(tg.tensor([0.0, 1e4]), tg.tensor([1.0, 0.0]), reduction="none")
    tensor([6.9315e-01, 1.0000e+04])
    """
    refuse_legacy("binary_cross_entropy_with_logits", size_average, reduce)
    call = "binary_cross_entropy_with_logits"
    x, t = alike(call, input, target, reduction)
    warn_of_activation(call, x)
    positive = weighed(call, entropies.weighted(t, tg.softplus(-x)), pos_weight, "pos_weight")
    return reduced(weighed(call, positive + entropies.weighted(1 - t, tg.softplus(x)), weight), reduction)


def soft_margin_loss(
    input: TensorLike,
    target: TensorLike,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """ln(1 + e^(−t·x)) = −ln σ(t·x): for logits x and labels t of ±1 the binary cross-entropy; stable for any x.

    Args:
        input: x, of any shape.
        target: t, +1 or −1 as a rule, of the same shape; labels of 0 and 1 are `2 * target - 1`.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: a target of another shape.

    >>> import tensorgrad as tg
    >>> tg.nn.soft_margin_loss(tg.tensor([0.0, 1e4]), tg.tensor([1.0, -1.0]), reduction="none")
    tensor([6.9315e-01, 1.0000e+04])
    """
    refuse_legacy("soft_margin_loss", size_average, reduce)
    x, t = alike("soft_margin_loss", input, target, reduction)
    return reduced(tg.softplus(-t * x), reduction)


def _are_probabilities(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())

"""Arguments of losses: checks of predictions, targets and weights, and the reductions."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.engine import guard
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.ops.operands import TensorLike, as_tensor, floating
from tensorgrad.tensor import Tensor


def check_reduction(call: str, reduction: str, also: str = "") -> None:
    """Raise ArgumentError unless `reduction` is "mean", "sum" or "none", or what this loss takes besides."""
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none", also or "mean"):
        first = f'"{also}", ' if also else ""
        problem = f'reduction must be {first}"mean", "sum" or "none", got {reduction!r}'
        raise ArgumentError(restate(call, problem, reduction=reduction))


def refuse_legacy(call: str, size_average: bool | None, reduce: bool | None) -> None:
    """Raise ArgumentError where PyTorch's first way to say a reduction is used; it has long warned of it."""
    if size_average is not None or reduce is not None:
        mean, whole = size_average is not False, reduce is not False
        fix = f"pass reduction={('mean' if mean else 'sum') if whole else 'none'!r}"
        problem = "size_average and reduce are replaced by reduction"
        raise ArgumentError(restate(call, problem, fix=fix, size_average=size_average, reduce=reduce))


def reduced(losses: Tensor, reduction: str, weights: Tensor | None = None) -> Tensor:
    """The losses, their sum, or their mean: Σ losses divided by their number, or by Σ weights."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    # The ratio of the means equals that of the sums, which may overflow in half precision.
    return losses.mean() if weights is None else losses.mean() / weights.mean()


def alike(call: str, input: TensorLike, target: TensorLike, reduction: str) -> tuple[Tensor, Tensor]:
    """Input and target in the input's float dtype. Raises ShapeError unless they have the same shape."""
    check_reduction(call, reduction)
    x = floating(input)
    t = in_dtype_of(x, target)
    if x.shape != t.shape:
        fix = "reshape one of them to the other's shape" if x.numel() == t.numel() else ""
        raise ShapeError(restate(call, "input and target must have the same shape", fix=fix, input=x, target=t))
    return x, t


def joined(call: str, **tensors: TensorLike) -> list[Tensor]:
    """Tensors in the dtype of the first, a float. Raises ShapeError unless their shapes broadcast."""
    first, *others = tensors.values()
    x = floating(first)
    found = [x, *[in_dtype_of(x, other) for other in others]]
    try:
        np.broadcast_shapes(*[t.shape for t in found])
    except ValueError:
        given: dict[str, Any] = dict(zip(tensors, found, strict=True))
        raise ShapeError(restate(call, "the shapes don't broadcast to one", **given)) from None
    return found


def in_dtype_of(x: Tensor, other: TensorLike) -> Tensor:
    """`other` in the dtype of `x`, so that labels and weights don't widen a loss."""
    other = as_tensor(other)
    return other if other.dtype == x.dtype else other.astype(x.dtype)


def weighed_each(call: str, losses: Tensor, weight: TensorLike | None) -> tuple[Tensor, Tensor | None]:
    """The losses times their weights, and the weights, if any. Raises ShapeError for a weight of another shape."""
    if weight is None:
        return losses, None
    weight = in_dtype_of(losses, weight)
    if weight.shape != losses.shape:
        given: dict[str, Any] = {"losses": losses, "weight": weight}
        raise ShapeError(restate(call, "weight must have one factor per element, the shape of input", **given))
    return losses * weight, weight


def weighed(call: str, losses: Tensor, weight: TensorLike | None, name: str = "weight") -> Tensor:
    """The losses times their weights. Raises ShapeError for a weight that doesn't broadcast to their shape."""
    if weight is None:
        return losses
    weight = in_dtype_of(losses, weight)
    lead = losses.ndim - weight.ndim
    if lead < 0 or any(n not in (1, m) for n, m in zip(weight.shape, losses.shape[lead:], strict=True)):
        given: dict[str, Any] = {"losses": losses, name: weight}
        raise ShapeError(restate(call, f"{name} must broadcast to {losses.shape}, the shape of the losses", **given))
    return losses * weight


# -------------------------------------------------------------------------------------------------------------- classes


def check_classes(call: str, x: Tensor, target: Tensor) -> None:
    """Raise unless `target` holds probabilities (floats, the shape of x) or class indices (integers, no axis C)."""
    given: dict[str, Any] = {"input": x, "target": target}
    if target.dtype.kind not in "iuf":
        problem = f"target must hold class indices (integers) or probabilities (floats), got {target.dtype}"
        raise DTypeError(restate(call, problem, **given))
    if x.ndim == 0 or target.shape != (x.shape if is_float(target.dtype) else element_shape(x)):
        expected = "input (N, C, ...) or (C,); class indices (N, ...), integers, or probabilities (N, C, ...), floats"
        floats = is_float(target.dtype) and target.shape == element_shape(x)
        fix = "class indices must be integers: target.long()" if floats else ""
        if not is_float(target.dtype) and target.shape == x.shape:
            fix = "probabilities must be floats: target.float(); or pass class indices, target.argmax(1)"
        elif target.ndim == x.ndim and x.ndim > 1 and target.shape[1:2] == (1,):
            fix = "drop the axis of length 1: target.squeeze(1)"
        raise ShapeError(restate(call, "the shape of target doesn't match input", expected=expected, fix=fix, **given))


def element_shape(x: Tensor) -> tuple[int, ...]:
    """The shape of `x` without its axis of classes: (N, C, ...) -> (N, ...), (C,) -> ()."""
    return () if x.ndim < 2 else (x.shape[0], *x.shape[2:])


def class_count(x: Tensor) -> int:
    """C of (N, C, ...) or (C,)."""
    return x.shape[1 if x.ndim > 1 else 0]


def as_rows(x: Tensor) -> Tensor:
    """One row of classes per element: (N, C, ...) -> (M, C), (C,) -> (1, C)."""
    if x.ndim <= 2:
        return x.unsqueeze(0) if x.ndim == 1 else x
    # (N, C, ...) -> (N, ..., C) -> (M, C)
    last = x.permute(0, *range(2, x.ndim), 1)
    return last.reshape(last.numel() // max(x.shape[1], 1), x.shape[1])


def class_indices(
    call: str, x: Tensor, target: Tensor, ignore_index: int, checked_by_kernel: bool = False
) -> tuple[Tensor, Tensor | None]:
    """The class index of each row, 0 for ignored rows; and which rows count, bools, or None if all do.

    Args:
        call: the call, for errors.
        x: the logits `(N, C, ...)`.
        target: the class indices `(N, ...)`.
        ignore_index: the class index of ignored rows.
        checked_by_kernel: the caller passes the labels to a kernel that checks their range, if all rows count.

    Raises:
        RangeError: a class index outside [0, C).
    """
    classes, labels = class_count(x), target._data
    # (N, ...) -> (M,)
    rows = target if target.ndim == 1 else target.reshape(-1)
    checked_by_kernel = checked_by_kernel and not 0 <= ignore_index < classes and x.dtype != np.float16
    # No guard where the kernel checks: a label out of range then ends a replay too.
    if (_all_count if checked_by_kernel else partial(guard, _all_count))(labels, ignore_index, classes):
        return rows, None
    if not guard(_are_classes, labels, ignore_index, classes):
        counted = labels[labels != ignore_index]
        problem = f"class indices must be in [0, {classes}), got {counted.min()} to {counted.max()}"
        expected = f"indices of the {classes} classes, or {ignore_index}, which is ignored"
        raise RangeError(restate(call, problem, expected=expected, input=x, target=target))
    counts = rows != ignore_index
    return tg.where(counts, rows, 0), counts


def _all_count(labels: np.ndarray, ignore_index: int, classes: int) -> bool:
    """Whether all labels are classes, and none is ignored."""
    if not labels.size:
        return True
    low, high = labels.min(), labels.max()
    return bool(low >= 0 and high < classes and (not low <= ignore_index <= high or (labels != ignore_index).all()))


def _are_classes(labels: np.ndarray, ignore_index: int, classes: int) -> bool:
    """Whether all labels are classes or ignored."""
    return bool((((labels >= 0) & (labels < classes)) | (labels == ignore_index)).all())


def class_weights(call: str, x: Tensor, weight: TensorLike | None) -> Tensor | None:
    """The factor of each class in the dtype of x. Raises ShapeError unless there is one per class."""
    if weight is None:
        return None
    weight = in_dtype_of(x, weight)
    if weight.shape != (class_count(x),):
        problem = f"weight must have one factor per class, shape ({class_count(x)},), got {weight.shape}"
        raise ShapeError(restate(call, problem, input=x, weight=weight))
    return weight

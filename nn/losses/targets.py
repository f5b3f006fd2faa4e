"""What losses take: predictions and targets that fit together, brought into one form; weights; reductions."""

from __future__ import annotations

from functools import partial

import numpy as np

import tensorgrad as tg
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.engine import guard
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.ops.operands import TensorLike, as_tensor, floating
from tensorgrad.tensor import Tensor


def check_reduction(call: str, reduction: str) -> None:
    """Raise ArgumentError unless `reduction` is a word that `reduced` knows."""
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ArgumentError(restate(call, "bad reduction", expected='"mean", "sum" or "none"', reduction=reduction))


def reduced(losses: Tensor, reduction: str, shares: Tensor | None = None) -> Tensor:
    """The losses, their sum, or their mean: over all of them, or over the sum of the `shares` they count with."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    # The ratio of the means is that of the sums, which half precision couldn't hold.
    return losses.mean() if shares is None else losses.mean() / shares.mean()


def alike(call: str, input: TensorLike, target: TensorLike, reduction: str) -> tuple[Tensor, Tensor]:
    """Input and target in the input's float dtype; ShapeError unless they have one shape."""
    check_reduction(call, reduction)
    x = floating(input)
    t = in_dtype_of(x, target)
    if x.shape != t.shape:
        fix = "reshape one of them to the other's shape" if x.size == t.size else ""
        raise ShapeError(restate(call, "the shapes differ", expected="one shape", fix=fix, input=x, target=t))
    return x, t


def in_dtype_of(x: Tensor, other: TensorLike) -> Tensor:
    """`other` in the dtype of `x`: labels and weights don't widen a loss."""
    other = as_tensor(other)
    return other if other.dtype == x.dtype else other.astype(x.dtype)


def weighed(call: str, losses: Tensor, weight: TensorLike | None, name: str = "weight") -> Tensor:
    """The losses, each with its weight; ShapeError for a weight that doesn't broadcast to their shape."""
    if weight is None:
        return losses
    weight = in_dtype_of(losses, weight)
    lead = losses.ndim - weight.ndim
    if lead < 0 or any(n not in (1, m) for n, m in zip(weight.shape, losses.shape[lead:], strict=True)):
        expected = f"a shape that broadcasts to {losses.shape}"
        raise ShapeError(restate(call, f"{name} doesn't fit", expected=expected, losses=losses, **{name: weight}))
    return losses * weight


# -------------------------------------------------------------------------------------------------------------- classes


def check_classes(call: str, x: Tensor, target: Tensor) -> None:
    """Raise unless `target` holds probabilities, floats shaped as x, or class indices, integers without the axis C."""
    given = {"input": x, "target": target}
    if target.dtype.kind not in "iuf":
        expected = "class indices (integers), or probabilities (floats)"
        raise DTypeError(restate(call, f"a target of {target.dtype}", expected=expected, **given))
    if x.ndim == 0 or target.shape != (x.shape if is_float(target.dtype) else element_shape(x)):
        expected = "input (N, C, ...) or (C,); class indices (N, ...), integers, or probabilities (N, C, ...), floats"
        floats = is_float(target.dtype) and target.shape == element_shape(x)
        fix = "class indices must be integers: target.astype('int64')" if floats else ""
        raise ShapeError(restate(call, "the target doesn't fit", expected=expected, fix=fix, **given))


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
    last = x.transpose(0, *range(2, x.ndim), 1)
    return last.reshape(last.size // max(x.shape[1], 1), x.shape[1])


def class_indices(
    call: str, x: Tensor, target: Tensor, ignore_index: int, refused: bool = False
) -> tuple[Tensor, Tensor | None]:
    """The class index of each row, 0 for those to ignore; and which rows count, bools, or None where all do.

    `refused` says that where all rows count, a kernel gets the labels that refuses those outside of the classes.
    RangeError outside 0 … C − 1.
    """
    classes, labels = class_count(x), target._data
    # (N, ...) -> (M,)
    rows = target if target.ndim == 1 else target.reshape(-1)
    refused = refused and not 0 <= ignore_index < classes and x.dtype != np.float16
    # A replay needs no condition where the kernel would end it.
    if (_all_count if refused else partial(guard, _all_count))(labels, ignore_index, classes):
        return rows, None
    if not guard(_are_classes, labels, ignore_index, classes):
        counted = labels[labels != ignore_index]
        problem = f"class indices run from {counted.min()} to {counted.max()}"
        expected = f"0 ≤ target < {classes}, the number of classes, or {ignore_index}, which is ignored"
        raise RangeError(restate(call, problem, expected=expected, input=x, target=target))
    counts = rows != ignore_index
    return tg.where(counts, rows, 0), counts


def _all_count(labels: np.ndarray, ignore_index: int, classes: int) -> bool:
    """Whether all labels are classes, and none is to be ignored."""
    if not labels.size:
        return True
    low, high = labels.min(), labels.max()
    return bool(low >= 0 and high < classes and (not low <= ignore_index <= high or (labels != ignore_index).all()))


def _are_classes(labels: np.ndarray, ignore_index: int, classes: int) -> bool:
    """Whether all labels that aren't to be ignored are classes."""
    return bool((((labels >= 0) & (labels < classes)) | (labels == ignore_index)).all())


def class_weights(call: str, x: Tensor, weight: TensorLike | None) -> Tensor | None:
    """The factor of each class in the dtype of x. ShapeError unless there is one per class."""
    if weight is None:
        return None
    weight = in_dtype_of(x, weight)
    if weight.shape != (class_count(x),):
        problem, expected = "one weight per class is needed", f"weight of shape ({class_count(x)},)"
        raise ShapeError(restate(call, problem, expected=expected, input=x, weight=weight))
    return weight

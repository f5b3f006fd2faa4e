"""The classes that outputs predict, and those that targets name."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.ops.operands import TensorLike, values

NONE = -1
"""The class that a row with a NaN predicts: none."""

MOST = 1 << 16
"""The most classes: something else is meant by greater numbers, and there is a count for each class."""


def accuracy(output: TensorLike, target: TensorLike) -> float:
    """The fraction of rows whose largest output is the target class. A row with a NaN is wrong.

    Args:
        output: scores or probabilities `(N, C)`, C ≥ 2. One column may hold logits or probabilities, whose thresholds
            differ (0 and 0.5), so it is refused.
        target: class indices `(N,)`, or probabilities `(N, C)`, whose largest is the class.

    Raises:
        ShapeError: other shapes.

    >>> import tensorgrad as tg
    >>> accuracy(tg.tensor([[0.1, 0.9], [0.8, 0.2]]), tg.tensor([1, 1]))
    0.5
    """
    scores, labels = values(output), values(target)
    if scores.ndim != 2 or labels.shape not in (scores.shape, scores.shape[:1]):
        expected = "output (N, C), and target (N,) or (N, C)"
        problem = "the shapes of output and target don't match"
        raise ShapeError(restate("accuracy", problem, expected=expected, output=output, target=target))
    if scores.shape[1] < 2:
        problem = "one column has no largest: every row would be of class 0"
        fix = "compare with a threshold: (output[:, 0] > 0) == target for logits, > 0.5 for probabilities"
        raise ShapeError(restate("accuracy", problem, expected="C ≥ 2", fix=fix, output=output, target=target))
    if len(labels) == 0:
        return math.nan
    # (N, C) -> (N,)
    classes = labels.argmax(1) if labels.ndim == 2 else labels
    return float(np.mean((scores.argmax(1) == classes) & ~np.isnan(scores).any(1)))


def predicted_and_true(
    call: str, output: TensorLike, target: TensorLike, threshold: float | None, ignore_index: int | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """The predicted classes and the true ones, `(M,)` each without the ignored elements, and the number of classes.

    Args:
        call: for errors.
        output: scores `(N, C, ...)`, whose largest is the class; classes, integers or bools of the target's shape; or
            scores of class 1 of two, of the target's shape or `(N, 1)` for targets `(N,)`, with a threshold.
        target: classes, whole numbers ≥ 0.
        threshold: of scores of class 1: those above predict it.
        ignore_index: targets to leave out, if any.

    Raises:
        ShapeError: other shapes, or one score each without a threshold.
        DTypeError: targets that aren't whole numbers.
        RangeError: a class below 0, or beyond the scores.
    """
    scores, labels = values(output), _whole(call, values(target))
    if scores.ndim == labels.ndim + 1 and scores.shape[1:] == (1, *labels.shape[1:]) and len(scores) == len(labels):
        scores = scores.reshape(labels.shape)  # (N, 1, ...) -> (N, ...)
    if scores.ndim == labels.ndim + 1 and (scores.shape[0], *scores.shape[2:]) == labels.shape:
        count = scores.shape[1]
        # (N, C, ...) -> (N, ...)
        predicted = np.where(np.isnan(scores).any(1), NONE, scores.argmax(1)) if count else np.full(labels.shape, NONE)
    elif scores.shape == labels.shape:
        predicted, count = _by_threshold(call, scores, threshold), 2
    else:
        problem, expected = (
            "the shapes of output and target don't match",
            "output (N, C, ...) or (N, ...), target (N, ...)",
        )
        raise ShapeError(restate(call, problem, expected=expected, output=output, target=target))
    kept = np.ones(labels.shape, bool) if ignore_index is None else labels != ignore_index
    predicted, labels = predicted[kept], labels[kept]
    if scores.shape == kept.shape:  # classes may be named by either side
        count = max([count, *(int(side.max()) + 1 for side in (predicted, labels) if side.size)])
    if count > MOST:
        raise RangeError(restate(call, f"there are {count} classes; at most {MOST} are counted", output=output))
    if labels.size and not (labels.min() >= 0 and labels.max() < count):
        wrong = labels[(labels < 0) | (labels >= count)][0]
        fix = "ignore_index= leaves a class out"
        raise RangeError(
            restate(call, f"target has the class {wrong}; there are {count} classes", fix=fix, output=output)
        )
    return predicted, labels, count


def _whole(call: str, labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind in "iub":
        return labels.astype(np.int64)
    if labels.dtype.kind == "f" and np.array_equal(labels, np.round(labels)):  # targets of a binary loss are floats
        return labels.astype(np.int64)
    raise DTypeError(restate(call, "target must hold classes, whole numbers", target=labels))


def _by_threshold(call: str, scores: np.ndarray, threshold: float | None) -> np.ndarray:
    """Classes, of scores of class 1 or given as such."""
    if scores.dtype.kind in "iub":
        if scores.size and scores.min() < 0:
            raise RangeError(restate(call, f"output has the class {scores.min()}; classes are ≥ 0", output=scores))
        return scores.astype(np.int64)
    if threshold is None:
        problem = "one score has no largest: which scores predict class 1 isn't known"
        fix = "threshold=0.0 for logits, threshold=0.5 for probabilities"
        raise ShapeError(restate(call, problem, fix=fix, output=scores))
    return np.where(np.isnan(scores), NONE, scores > threshold)


def check_option(call: str, name: str, value: object, options: tuple[str, ...]) -> None:
    """Raise ArgumentError unless `value` is one of the options."""
    if value not in options:
        problem = f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}"
        raise ArgumentError(restate(call, problem, value=value))

"""Figures of scores: top-k accuracy, and the coefficient of determination R²."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, RangeError, ShapeError, restate
from tensorgrad.nn.metrics.classes import check_option
from tensorgrad.nn.metrics.metric import Metric, Totals, computes
from tensorgrad.ops.operands import TensorLike, values

AVERAGES = ("uniform", "variance", "none")


class TopK(Metric):
    """The fraction of rows whose target is among the k largest outputs, over all examples: see `top_k_accuracy`.

    Args:
        k: how many outputs count.
        ignore_index: targets to leave out.

    Raises:
        ArgumentError: k is below 1.

    >>> import tensorgrad as tg
    >>> batches = [(tg.eye(3), tg.tensor([0, 0, 1])), (tg.eye(3)[:1], tg.tensor([2]))]
    >>> tg.nn.evaluate(tg.nn.Identity(), batches, metrics={"top_2": TopK(2)})
    {'top_2': 0.5}
    """

    def __init__(self, k: int = 5, *, ignore_index: int | None = None) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ArgumentError(restate("TopK", f"k must be an int ≥ 1, got {k!r}", k=k))
        self.k, self.ignore_index = k, ignore_index

    def totals(self, output: TensorLike, target: TensorLike) -> Totals:
        """How many rows are right, of how many."""
        scores, labels = values(output), values(target)
        if scores.ndim != 2 or labels.shape != scores.shape[:1] or labels.dtype.kind not in "iu":
            expected = "output (N, C), and target (N,) of class indices"
            raise ShapeError(
                restate("TopK", "output and target don't match", expected=expected, output=output, target=target)
            )
        if self.ignore_index is not None:
            kept = labels != self.ignore_index
            scores, labels = scores[kept], labels[kept]
        if labels.size and not (labels.min() >= 0 and labels.max() < scores.shape[1]):
            problem = f"target must be in [0, {scores.shape[1]}), got {labels.min()} to {labels.max()}"
            raise RangeError(restate("TopK", problem, output=output, target=target))
        own = np.take_along_axis(scores, labels[:, None], 1)  # (N, 1)
        earlier = np.arange(scores.shape[1]) < labels[:, None]
        # Of equal scores the first counts as the largest, as in argmax. (N, C) -> (N,)
        before = ((scores > own) | ((scores == own) & earlier)).sum(1)
        right = (before < self.k) & ~np.isnan(scores).any(1)
        return {"right": np.array(right.sum()), "count": np.array(len(labels))}

    def value(self, totals: Totals) -> float:
        """The fraction."""
        return float(totals["right"] / totals["count"]) if totals["count"] else float("nan")


class R2(Metric):
    """1 − Σ (y − ŷ)² / Σ (y − ȳ)² over all examples: see `r2`, whose options it takes.

    >>> import tensorgrad as tg
    >>> batches = [(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 3.0])), (tg.tensor([4.0]), tg.tensor([5.0]))]
    >>> tg.nn.evaluate(tg.nn.Identity(), batches, metrics={"r2": R2()})
    {'r2': 0.75}
    """

    def __init__(self, average: str = "uniform") -> None:
        check_option("R2", "average", average, AVERAGES)
        self.average = average

    @property
    def is_number(self) -> bool:  # type: ignore[override]
        """Whether one number is the result: not of `average="none"`."""
        return self.average != "none"

    def totals(self, output: TensorLike, target: TensorLike) -> Totals:
        """The count, the targets' means and sums of squared deviations, and the sums of squared errors, `(D,)`."""
        predicted, true = (values(x).astype(np.float64) for x in (output, target))
        # (N,) or (N, 1) -> (N, 1)
        predicted, true = (x[:, None] if x.ndim == 1 else x for x in (predicted, true))
        if predicted.shape != true.shape or true.ndim != 2:
            expected = "both (N,), (N, 1) or (N, D)"
            problem = "the shapes of output and target don't match"
            raise ShapeError(restate("R2", problem, expected=expected, output=output, target=target))
        mean = true.mean(0) if len(true) else np.zeros(true.shape[1])
        return {
            "count": np.array(len(true)),
            "mean": mean,
            "deviation": ((true - mean) ** 2).sum(0),
            "error": ((true - predicted) ** 2).sum(0),
        }

    def add(self, one: Totals, other: Totals) -> Totals:
        """Both groups: the deviations from their common mean (Chan, Golub and LeVeque, 1983)."""
        count = one["count"] + other["count"]
        apart, weight = other["mean"] - one["mean"], other["count"] / max(count, 1)
        return {
            "count": count,
            "mean": one["mean"] + apart * weight,
            "deviation": one["deviation"] + other["deviation"] + apart**2 * one["count"] * weight,
            "error": one["error"] + other["error"],
        }

    def value(self, totals: Totals) -> Any:
        """The average of the outputs' R²."""
        deviation, error = totals["deviation"], totals["error"]
        varies = deviation > 0
        # Constant targets: 1 where all are hit, else 0.
        figures = np.where(varies, 1 - error / np.where(varies, deviation, 1), (error == 0).astype(np.float64))
        if totals["count"] < 2:
            figures = np.full_like(figures, np.nan)
        if self.average == "none":
            return figures
        weights = deviation if self.average == "variance" and varies.any() else np.ones_like(deviation)
        return float((figures * weights).sum() / weights.sum())


@computes(TopK)
def top_k_accuracy(output: TensorLike, target: TensorLike, k: int = 5, ignore_index: int | None = None) -> float:
    """The fraction of rows whose target is among the k largest outputs. A row with a NaN is wrong.

    Args:
        output: scores `(N, C)`. Of equal ones the first counts as the largest.
        target: class indices `(N,)`.
        k: how many outputs count.
        ignore_index: targets to leave out.

    Raises:
        ShapeError: other shapes.
        RangeError: a class outside [0, C).

    >>> import tensorgrad as tg
    >>> top_k_accuracy(tg.tensor([[0.1, 0.6, 0.3], [0.5, 0.4, 0.1]]), tg.tensor([2, 2]), k=2)
    0.5
    """
    return TopK(k, ignore_index=ignore_index)(output, target)


@computes(R2)
def r2(output: TensorLike, target: TensorLike, average: str = "uniform") -> Any:
    """R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)²: the weight of the targets' variance that the outputs explain.

    1 is perfect; the targets' mean ȳ gives 0. Where the targets are constant, it is 1 if all are hit, else 0.

    Args:
        output: predictions ŷ, `(N,)`, `(N, 1)` or `(N, D)`.
        target: y, as many.
        average: over the D outputs: "uniform", "variance" (each weighted by its targets' variance), or "none", one
            for each, `(D,)`.

    Returns:
        A number, NaN for fewer than two examples; an array for "none".

    Raises:
        ShapeError: other shapes.
        ArgumentError: another average.

    >>> import tensorgrad as tg
    >>> r2(tg.tensor([1.0, 2.0, 4.0]), tg.tensor([1.0, 3.0, 5.0]))
    0.75
    """
    return R2(average)(output, target)

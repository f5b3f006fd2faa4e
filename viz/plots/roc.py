"""The ROC curve: the true positive rate at each false positive rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.viz.format import theme
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.checks import finite, numbers, same_length

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tensorgrad.ops.operands import TensorLike


class Roc(NamedTuple):
    """A ROC curve.

    Attributes:
        false_positive_rate: `(T,)`, from 0 to 1, at each threshold that separates scores.
        true_positive_rate: `(T,)`, at the same thresholds.
        auc: the area under the curve.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    auc: float


def roc(targets: TensorLike, scores: TensorLike) -> Roc:
    """False and true positive rates at every threshold, and the area under that curve.

    Examples of equal score enter together, so that ties give a slanted line, and the area is the probability that a
    positive scores above a negative, ties counting half. Fawcett, An introduction to ROC analysis, Pattern Recognition
    Letters 27, 2006.

    Args:
        targets: `(N,)`: 1 (or True) for positive; 0, −1 or False for negative.
        scores: `(N,)` or `(N, 1)`: the larger, the more positive; probabilities or logits.

    Returns:
        `(false_positive_rate, true_positive_rate, auc)`, float64.

    Raises:
        ShapeError: the shapes don't fit together.
        DTypeError: targets or scores don't hold numbers.
        ArgumentError: targets have other values, or are all positive or all negative; scores are NaN or infinite; there
            are no examples.

    >>> false_positives, true_positives, auc = roc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> false_positives, true_positives, auc
    (array([0. , 0. , 0.5, 0.5, 1. ]), array([0. , 0.5, 0.5, 1. , 1. ]), 0.75)
    """
    positive, score = _checked(targets, scores)
    order = np.argsort(-score, kind="stable")
    score, positive = score[order], positive[order]
    # The last example among equal scores.
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    found = np.concatenate([[0], np.cumsum(positive)[ends]])
    false_positives = np.concatenate([[0], ends + 1]) - found
    true_rate, false_rate = found / found[-1], false_positives / false_positives[-1]
    return Roc(false_rate, true_rate, float(np.trapezoid(true_rate, false_rate)))


def roc_curve(targets: TensorLike, scores: TensorLike, ax: Axes | None = None, label: str = "") -> Axes:
    """The ROC curve, with its area (AUC) in the legend; the diagonal is chance. Call it again on `ax` to compare.

    Raises what `roc` raises.

    Args:
        targets: as of `roc`.
        scores: as of `roc`.
        ax: where to draw.
        label: the name of the curve.

    >>> import tensorgrad as tg
    >>> ax = tg.viz.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> [line.get_label() for line in ax.get_lines()]
    ['chance', 'AUC 0.750']
    """
    false_rate, true_rate, auc = roc(targets, scores)
    ax = canvas.axes("roc_curve", ax, 4.6, 4.4)
    first = "chance" not in [line.get_label() for line in ax.get_lines()]
    if first:
        ax.plot([0, 1], [0, 1], color=theme.PALE, linewidth=1.2, linestyle="--", label="chance")
    color = canvas.LINES[(len(ax.get_lines()) - 1) % len(canvas.LINES)]
    text = f"{label}: AUC {auc:.3f}" if label else f"AUC {auc:.3f}"
    ax.plot(false_rate, true_rate, color=color, linewidth=2, label=text, clip_on=False, zorder=3)
    if first:
        ax.fill_between(false_rate, true_rate, color=color, alpha=0.08, linewidth=0)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set(xlabel="false positive rate (1 − specificity)", ylabel="true positive rate (sensitivity)")
    ax.set_title("ROC curve", fontsize=11)
    canvas.tidy(ax, legend=False)
    ax.legend(frameon=False, loc="lower right")
    return ax


def _checked(targets: TensorLike, scores: TensorLike) -> tuple[np.ndarray, np.ndarray]:
    """Whether each example is positive, and its score, both `(N,)`."""
    truth = numbers("roc", 1, "(N,)", targets=targets)
    score = numbers("roc", (1, 2), "(N,) or (N, 1)", scores=scores)
    if score.ndim == 2 and score.shape[1] != 1:
        fix = "pass the scores of one class: scores[:, 1]"
        raise ShapeError(restate("roc", "scores must be (N,) or (N, 1)", fix=fix, scores=score))
    same_length("roc", targets=truth, scores=score)
    values = set(np.unique(truth).tolist())
    if not (values <= {0.0, 1.0} or values <= {-1.0, 1.0}):
        problem = f"targets must be 0 and 1, or −1 and 1, got {sorted(values)}"
        raise ArgumentError(restate("roc", problem, targets=truth))
    if len(values) == 1:
        problem = f"targets must have both classes, got only {'positives' if values == {1.0} else 'negatives'}"
        raise ArgumentError(restate("roc", problem, targets=truth))
    # (N, 1) -> (N,)
    return truth > 0, finite("roc", score, "scores").reshape(-1)

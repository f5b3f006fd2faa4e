"""Losses that are ops of a graph."""

from typing import Any, Literal

import tensorgrad as tg
from tensorgrad.onnx.table import Outputs, op

How = Literal["none", "mean", "sum"]


def _likelihood_loss(log_probabilities: Any, target: Any, weight: Any, ignored: int | None, reduction: str) -> Any:
    """−w · log p of the class of each target; ignored ones count for nothing."""
    counts = tg.ones_like(target).to(tg.bool) if ignored is None else target != ignored
    classes = tg.where(counts, target, tg.zeros_like(target)).to(tg.int64)
    weights = counts.to(log_probabilities.dtype)
    if weight is not None:
        weights = weights * weight[classes]
    # (N, C, ...) -> (N, ...)
    loss = -log_probabilities.gather(1, classes.unsqueeze(1)).squeeze(1) * weights
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / weights.sum()


@op("NegativeLogLikelihoodLoss")
def nll_loss(x, target, weight=None, *, ignore_index: int | None = None, reduction: How = "mean"):
    return _likelihood_loss(x, target, weight, ignore_index, reduction)


@op("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy_loss(
    scores, labels, weights=None, *, ignore_index: int | None = None, reduction: How = "mean", outputs: Outputs
):
    log_probabilities = tg.log_softmax(scores, 1)
    return _likelihood_loss(log_probabilities, labels, weights, ignore_index, reduction), log_probabilities

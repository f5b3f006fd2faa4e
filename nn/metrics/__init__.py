"""Metrics: functions of outputs and targets, and classes whose figures are right over any number of batches.

`precision` and its like may be passed to `fit` and `evaluate` too; `Precision(average="micro")` sets options.
"""

from tensorgrad.nn.metrics.classes import accuracy
from tensorgrad.nn.metrics.counts import (
    F1,
    ConfusionMatrix,
    IoU,
    Precision,
    Recall,
    confusion_matrix,
    f1,
    iou,
    precision,
    recall,
)
from tensorgrad.nn.metrics.metric import Metric
from tensorgrad.nn.metrics.scores import R2, TopK, r2, top_k_accuracy

__all__ = [
    "F1",
    "R2",
    "ConfusionMatrix",
    "IoU",
    "Metric",
    "Precision",
    "Recall",
    "TopK",
    "accuracy",
    "confusion_matrix",
    "f1",
    "iou",
    "precision",
    "r2",
    "recall",
    "top_k_accuracy",
]

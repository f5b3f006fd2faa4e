"""Using a network: the forward pass alone, nothing recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.autograd.engine import no_grad
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.nn.data import DataLoader, Dataset
from tensorgrad.nn.module import Module
from tensorgrad.nn.training.history import Means
from tensorgrad.ops.operands import as_tensor, values
from tensorgrad.tensor import Tensor

Metric = Callable[[Tensor, Tensor], Any]
"""A function of a batch's outputs and targets that gives their mean score, a number."""


def accuracy(output: Tensor, target: Tensor) -> float:
    """The share of rows whose largest output is the target class; a row with a NaN has no largest, and is wrong.

    Args:
        output: scores or probabilities `(N, C)`, C ≥ 2. (One column may hold logits or probabilities, whose thresholds
            differ: 0 and 0.5.)
        target: class indices `(N,)`, integers, or probabilities `(N, C)`, of which the largest counts.

    Raises:
        ShapeError: other shapes.

    >>> import tensorgrad as tg
    >>> accuracy(tg.tensor([[0.1, 0.9], [0.8, 0.2]]), tg.tensor([1, 1]))
    0.5
    """
    scores, labels = values(output), values(target)
    if scores.ndim != 2 or labels.shape not in (scores.shape, scores.shape[:1]):
        expected = "output (N, C), and target (N,) or (N, C)"
        raise ShapeError(restate("accuracy", "the shapes don't fit", expected=expected, output=output, target=target))
    if scores.shape[1] < 2:
        problem = "one column has no largest: every row would be of class 0"
        fix = "compare with a threshold: (output[:, 0] > 0) == target for logits, > 0.5 for probabilities"
        raise ShapeError(restate("accuracy", problem, expected="C ≥ 2", fix=fix, output=output, target=target))
    if len(labels) == 0:
        return math.nan
    # (N, C) -> (N,)
    classes = labels.argmax(1) if labels.ndim == 2 else labels
    return float(np.mean((scores.argmax(1) == classes) & ~np.isnan(scores).any(1)))


def measure(metrics: Mapping[str, Metric] | None, output: Tensor, target: Tensor) -> dict[str, float]:
    """The metrics of a batch; without any, the accuracy if the batch looks like one of classification."""
    if metrics is None:
        several = output.ndim == 2 and output.shape[1] > 1
        classification = several and target.ndim == 1 and target.dtype.kind in "iu"
        metrics = {"accuracy": accuracy} if classification else {}
    with no_grad():
        return {name: float(metric(output.detach(), target)) for name, metric in metrics.items()}


def unpack(batch: Any) -> tuple[tuple[Tensor, ...], Tensor]:
    """A batch (x, ..., target) as the model's inputs and the target, all tensors."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        problem, expected = "this is no batch to learn from", "a tuple (x, target), or (x1, x2, ..., target)"
        raise ArgumentError(restate("batch", problem, expected=expected, batch=batch))
    *inputs, target = [as_tensor(field) for field in batch]
    return tuple(inputs), target


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """In eval mode, with nothing recorded; afterwards each module is back in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def evaluate(
    model: Module,
    loader: Iterable[Any],
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    metrics: Mapping[str, Metric] | None = None,
) -> dict[str, float]:
    """The means of loss and metrics over all images of a loader, in eval mode and with nothing recorded.

    Args:
        model: the network; its modules end up in the mode they were in.
        loader: batches (x, target).
        loss: a function (output, target) -> scalar, the mean over a batch; None leaves it out.
        metrics: functions (output, target) -> number by name; by default the accuracy, if targets are class indices.

    Raises:
        ArgumentError: a loader without batches, or with batches that aren't (x, target).

    >>> import tensorgrad as tg
    >>> batch = tg.eye(3), tg.tensor([0, 1, 1])
    >>> evaluate(tg.nn.Identity(), [batch])
    {'accuracy': 0.6666666666666666}
    """
    means = Means()
    with evaluating(model):
        for batch in loader:
            inputs, target = unpack(batch)
            output = model(*inputs)
            values = {} if loss is None else {"loss": loss(output, target).item()}
            means.add(values | measure(metrics, output, target), len(inputs[0]))
    if not means.count:
        raise ArgumentError(restate("evaluate", "the loader gave no images", loader=loader))
    return means.values()


def predict(model: Module, data: Any, batch_size: int = 256) -> Tensor:
    """The outputs of the model for all of `data`, in eval mode and with nothing recorded.

    Args:
        model: the network; its modules end up in the mode they were in.
        data: an array or Tensor `(N, ...)`; a Dataset or a loader of batches, of which targets, the last of several
            fields, are ignored.
        batch_size: how many rows go through the model at once, where `data` doesn't come in batches.

    Returns:
        A Tensor with the outputs' rows in the order of the data.

    Raises:
        ArgumentError: a loader without batches.

    >>> import numpy as np, tensorgrad as tg
    >>> predict(tg.nn.Flatten(), np.ones((5, 2, 3))).shape
    (5, 6)
    """
    with evaluating(model):
        outputs = [model(*inputs).data for inputs in _inputs(data, batch_size)]
    if not outputs:
        raise ArgumentError(restate("predict", "the loader gave no batches", data=data))
    # [(n, ...), ...] -> (N, ...)
    return Tensor(np.concatenate(outputs))


def _inputs(data: Any, batch_size: int) -> Iterator[tuple[Tensor, ...]]:
    """The model's inputs, batch by batch; one empty batch for data without rows."""
    if isinstance(data, Tensor | np.ndarray):
        rows = as_tensor(data)
        for start in range(0, max(len(rows), 1), batch_size):
            yield (rows[start : start + batch_size],)
        return
    for batch in DataLoader(data, batch_size) if isinstance(data, Dataset) else data:
        fields = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
        yield tuple(as_tensor(field) for field in (fields[:-1] or fields))

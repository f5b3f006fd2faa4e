"""Evaluate a network: the forward pass alone, without recording gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.nn.data import DataLoader, Dataset
from tensorgrad.nn.module import Module
from tensorgrad.nn.training.history import Means
from tensorgrad.ops.operands import TensorLike, as_tensor, values
from tensorgrad.tensor import Tensor

Metric = Callable[[Tensor, Tensor], Any]
"""A function (outputs, targets) of a batch -> its mean score, a number."""


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


def measure(metrics: Mapping[str, Metric] | None, output: Tensor, target: Tensor) -> dict[str, float]:
    """The metrics of a batch; by default the accuracy, if the targets are class indices."""
    if metrics is None:
        several = output.ndim == 2 and output.shape[1] > 1
        classification = several and target.ndim == 1 and target.dtype.kind in "iu"
        metrics = {"accuracy": accuracy} if classification else {}
    with no_grad():
        return {name: float(metric(output.detach(), target)) for name, metric in metrics.items()}


def unpack(batch: Any) -> tuple[tuple[Tensor, ...], Tensor]:
    """A batch (x, ..., target) as the model's inputs and the target, all tensors."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        problem = "the loader must yield batches (x, target), or (x1, x2, ..., target)"
        raise ArgumentError(restate("batch", problem, batch=batch))
    *inputs, target = [as_tensor(field) for field in batch]
    return tuple(inputs), target


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Within, evaluation mode without recording gradients; afterwards each module is in its former mode."""
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
    """The means of loss and metrics over all images of a loader, in evaluation mode and without recording gradients.

    Args:
        model: the network; afterwards its modules are in their former mode.
        loader: batches (x, target).
        loss: a function (output, target) -> scalar, the mean over a batch; None for the metrics alone.
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
        raise ArgumentError(restate("evaluate", "loader must yield at least one image", loader=loader))
    return means.values()


def predict(model: Module, data: Any, batch_size: int = 256) -> Tensor:
    """The outputs of the model for all of `data`, in evaluation mode and without recording gradients.

    Args:
        model: the network; afterwards its modules are in their former mode.
        data: an array or Tensor `(N, ...)`; or a Dataset or a loader of batches, whose targets, the last of several
            fields, are ignored.
        batch_size: the number of rows per call of the model, unless `data` comes in batches.

    Returns:
        A Tensor with the rows of the outputs, in the order of the data.

    Raises:
        ArgumentError: a loader without batches.

    >>> import numpy as np, tensorgrad as tg
    >>> predict(tg.nn.Flatten(), np.ones((5, 2, 3))).shape
    (5, 6)
    """
    with evaluating(model):
        outputs = [model(*inputs).data for inputs in _inputs(data, batch_size)]
    if not outputs:
        raise ArgumentError(restate("predict", "data must yield at least one batch", data=data))
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

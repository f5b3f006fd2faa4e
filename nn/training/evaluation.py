"""Evaluate a network: the forward pass alone, without recording gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, overload

import numpy as np

from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.data import DataLoader, Dataset
from tensorgrad.nn.module import Module
from tensorgrad.nn.training.tally import Measure, Tally
from tensorgrad.nn.training.weights import weighted as by_weight
from tensorgrad.ops.operands import as_tensor
from tensorgrad.tensor import Tensor


def unpack(batch: Any, weighted: bool = False) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A batch (x, ..., target), or (x, ..., target, weight), as the model's inputs and what the loss is told."""
    told = 2 if weighted else 1
    if not isinstance(batch, tuple | list) or len(batch) <= told:
        last = "target, weight" if weighted else "target"
        problem = f"the loader must yield batches (x, {last}), or (x1, x2, ..., {last})"
        raise ArgumentError(restate("batch", problem, batch=batch))
    fields = tuple(as_tensor(field) for field in batch)
    return fields[:-told], fields[-told:]


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


@overload
def evaluate(
    model: Module,
    loader: Iterable[Any],
    loss: Callable[..., Tensor] | None = None,
    metrics: None = None,
    weighted: bool = False,
) -> dict[str, float]: ...
@overload
def evaluate(
    model: Module,
    loader: Iterable[Any],
    loss: Callable[..., Tensor] | None = None,
    metrics: Mapping[str, Measure] | None = None,
    weighted: bool = False,
) -> dict[str, Any]: ...
def evaluate(
    model: Module,
    loader: Iterable[Any],
    loss: Callable[..., Tensor] | None = None,
    metrics: Mapping[str, Measure] | None = None,
    weighted: bool = False,
) -> dict[str, Any]:
    """Loss and metrics over all images of a loader, in evaluation mode and without recording gradients.

    Args:
        model: the network; afterwards its modules are in their former mode.
        loader: batches (x, target).
        loss: a function (output, target) -> scalar, the mean over a batch; None for the metrics alone.
        metrics: by name, metrics of `nn.metrics`, or functions (output, target) -> the mean over a batch; by default
            the accuracy, if targets are class indices.
        weighted: batches are (x, target, weight), see `fit`.

    Raises:
        ArgumentError: a loader without batches, or with batches that aren't (x, target).

    >>> import tensorgrad as tg
    >>> batch = tg.eye(3), tg.tensor([0, 1, 1])
    >>> evaluate(tg.nn.Identity(), [batch])
    {'accuracy': 0.6666666666666666}
    """
    return evaluated(model, loader, loss, metrics, weighted).values()


def evaluated(
    model: Module,
    loader: Iterable[Any],
    loss: Callable[..., Tensor] | None,
    metrics: Mapping[str, Measure] | None,
    weighted: bool,
) -> Tally:
    """As `evaluate`: what was found, to be added to what other processes find."""
    tally = Tally("evaluate", metrics)
    loss = by_weight(loss) if weighted and loss is not None else loss
    with evaluating(model):
        for batch in loader:
            inputs, told = unpack(batch, weighted)
            output = model(*inputs)
            values = {} if loss is None else {"loss": loss(output, *told).item()}
            tally.add(values, output, told[0], len(inputs[0]))
    if not tally.count:
        raise ArgumentError(restate("evaluate", "loader must yield at least one image", loader=loader))
    return tally


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

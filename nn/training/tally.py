"""What a pass over batches found: the means of loss and functions over all examples, and the totals of metrics."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np

from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.metrics import Metric, accuracy
from tensorgrad.nn.metrics.metric import Totals, as_metric, per_batch
from tensorgrad.nn.training.history import Means, Record
from tensorgrad.nn.training.processes import Processes
from tensorgrad.tensor import Tensor

Measure = Callable[[Tensor, Tensor], Any]
"""A `Metric`, or a function (outputs, targets) of a batch -> its mean score, a number."""


class Tally:
    """The loss and the metrics over the examples of several batches.

    Args:
        call: for errors.
        metrics: `Metric`s, whose totals are added, and functions, whose numbers are averaged, each batch weighted by
            its size. None for the accuracy, if the targets are class indices.
        numbers_only: refuse metrics whose figure is an array.

    Raises:
        ArgumentError: metrics that aren't given by name, or aren't callable; or one that isn't a number, where only
            numbers will do.
    """

    def __init__(self, call: str, metrics: Mapping[str, Measure] | None, numbers_only: bool = False) -> None:
        self._call = call
        _check(call, metrics)
        self._metrics = None if metrics is None else {name: as_metric(metric) for name, metric in metrics.items()}
        self._means = Means()
        self._totals: dict[str, Totals] = {}
        for name, metric in self._counted():
            if numbers_only and not metric.is_number:
                problem = f"metrics[{name!r}] gives an array, and records hold numbers"
                raise ArgumentError(
                    restate(call, problem, fix="average it; nn.evaluate takes it as it is", metric=metric)
                )

    @property
    def count(self) -> int:
        """The number of examples."""
        return self._means.count

    def add(self, values: Mapping[str, float], output: Tensor, target: Tensor, size: int) -> dict[str, Any]:
        """Add a batch of `size` examples: its loss, by name, and its metrics; returns the figures of the batch."""
        found, means = dict(values), dict(values)
        with no_grad():
            for name, metric in self._functions(output, target).items():
                if isinstance(metric, Metric):
                    totals = metric.totals(output.detach(), target)
                    found[name] = metric.value(totals)
                    self._totals[name] = metric.add(self._totals[name], totals) if name in self._totals else totals
                else:
                    with per_batch(name):
                        found[name] = means[name] = float(metric(output.detach(), target))
        self._means.add(means, size)
        return found

    def add_together(
        self,
        processes: Processes,
        values: Mapping[str, float],
        output: Tensor,
        target: Tensor,
        size: int,
        seconds: float,
    ) -> tuple[dict[str, Any], int, float]:
        """`add` the batches of all processes: returns the figures of all, how many examples, and rank 0's seconds."""
        if processes.size == 1:
            return self.add(values, output, target, size), size, seconds
        batch = copy.copy(self)
        batch._means, batch._totals = Means(), {}
        batch.add(values, output, target, size)
        seconds = batch.merge(processes, seconds)
        self._means.add(batch._means.values(), batch.count)
        for name, metric in self._counted():
            self._totals[name] = _total(metric, [self._totals.get(name), batch._totals.get(name)])
        return batch.values(), batch.count, seconds

    def merge(self, processes: Processes, seconds: float = 0.0) -> float:
        """Add what the other processes have found: afterwards all have the same. Returns rank 0's seconds."""
        if processes.size == 1:
            return seconds
        found, count, seconds = processes.means(self._means.values(), self.count, seconds)
        self._means = Means()
        self._means.add(found, count)
        if counted := dict(self._counted()):
            everywhere = processes.of_all(self._totals)
            self._totals = {name: _total(m, [totals.get(name) for totals in everywhere]) for name, m in counted.items()}
        return seconds

    def values(self) -> dict[str, Any]:
        """The figures over all examples so far."""
        return self._means.values() | {
            name: metric.value(self._totals[name]) for name, metric in self._counted() if name in self._totals
        }

    def begin(self, steps: Iterable[Record]) -> None:
        """Begin anew; or after some steps of an epoch, whose records are given, and whose totals were restored.

        Raises:
            ArgumentError: the totals of these steps aren't known.
        """
        steps, counted = list(steps), {name for name, _ in self._counted()}
        if steps and (unknown := sorted(counted - set(self._totals))):
            problem = f"the checkpoint lies within an epoch, and doesn't know the metrics {unknown} of its first steps"
            raise ArgumentError(restate(self._call, problem, fix="resume with the same metrics as before"))
        self._totals = self._totals if steps else {}
        self._means = Means.of(steps, counted)

    def state_dict(self) -> dict[str, Any]:
        """The totals, as arrays by name."""
        return {
            name: {key: np.asarray(value) for key, value in totals.items()} for name, totals in self._totals.items()
        }

    def prepare_state_dict(self, state: dict[str, Any] | None) -> Callable[[], None]:
        """Return a function that restores the totals."""

        def load() -> None:
            self._totals = {name: state[name] for name, _ in self._counted() if state and name in state}

        return load

    def _functions(self, output: Tensor, target: Tensor) -> Mapping[str, Measure]:
        if self._metrics is not None:
            return self._metrics
        several = output.ndim == 2 and output.shape[1] > 1
        classification = several and target.ndim == 1 and target.dtype.kind in "iu"
        return {"accuracy": accuracy} if classification else {}

    def _counted(self) -> Iterator[tuple[str, Metric]]:
        for name, metric in (self._metrics or {}).items():
            if isinstance(metric, Metric):
                yield name, metric


def _check(call: str, metrics: Any) -> None:
    if not isinstance(metrics, Mapping | None):
        problem = f"metrics must be a dict, got {type(metrics).__name__}"
        raise ArgumentError(restate(call, problem, fix='pass metrics={"f1": nn.metrics.F1()}', metrics=metrics))
    for name, metric in (metrics or {}).items():
        if isinstance(metric, type) and issubclass(metric, Metric):
            problem = f"metrics[{name!r}] must be a metric, got its class"
            raise ArgumentError(restate(call, problem, fix=f"pass {metric.__name__}(…)"))
        if not callable(metric):
            problem = f"metrics[{name!r}] must be a metric or a function (output, target), got {metric!r}"
            raise ArgumentError(restate(call, problem))


def _total(metric: Metric, parts: Iterable[Totals | None]) -> Totals:
    """The sum of totals, of those that are there."""
    return reduce(metric.add, [totals for totals in parts if totals is not None])

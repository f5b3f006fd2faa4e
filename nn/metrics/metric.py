"""A metric over several batches: batches give totals, totals add up, and the figure is computed from the sums alone."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.ops.operands import TensorLike

Totals = dict[str, np.ndarray]
"""What is known of the examples so far, as arrays by name."""


class Metric:
    """Base class of figures that aren't a mean over the examples, such as F1: right over any number of batches.

    The mean of the F1 of two batches isn't the F1 of their examples. So a metric says what to count in a batch, its
    `totals`, and how the figure follows from the sums, its `value`; `fit` and `evaluate` add the totals of all batches.
    Called with the outputs and targets of one batch, it gives the figure of that batch.

    >>> import numpy as np, tensorgrad as tg
    >>> class GeometricMean(Metric):
    ...     def totals(self, output, target):
    ...         return {"logs": np.log(output.numpy()).sum(), "count": np.array(output.numel())}
    ...     def value(self, totals):
    ...         return round(float(np.exp(totals["logs"] / totals["count"])), 5)
    >>> batches = [(tg.tensor([1.0]), tg.tensor([0.0])), (tg.tensor([4.0, 16.0]), tg.tensor([0.0, 0.0]))]
    >>> tg.nn.evaluate(tg.nn.Identity(), batches, metrics={"mean": GeometricMean()})
    {'mean': 4.0}
    """

    is_number = True
    """Whether `value` gives a number. `fit` takes no others, since its records are numbers."""

    def totals(self, output: TensorLike, target: TensorLike) -> Totals:
        """What to count in a batch, as arrays by name."""
        raise NotImplementedError

    def add(self, one: Totals, other: Totals) -> Totals:
        """The totals of two groups of examples together; unless overridden, the sums."""
        return {name: one[name] + other[name] for name in one}

    def value(self, totals: Totals) -> Any:
        """The figure, from the totals of all examples."""
        raise NotImplementedError

    def __call__(self, output: TensorLike, target: TensorLike) -> Any:
        """The figure of these examples."""
        if _state.per_batch is not None:
            name = type(self).__name__
            problem = (
                f"the function calls {name} for one batch, and the mean over batches isn't the {name} of all examples"
            )
            fix = f"pass the metric itself: metrics={{{_state.per_batch!r}: nn.metrics.{name}(...)}}"
            raise ArgumentError(restate(f"metrics[{_state.per_batch!r}]", problem, fix=fix))
        return self.value(self.totals(output, target))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class _State(threading.local):
    per_batch: str | None = None


_state = _State()


@contextmanager
def per_batch(name: str) -> Iterator[None]:
    """Within, a function is called whose numbers are averaged over batches: no metric may be computed in it."""
    _state.per_batch = name
    try:
        yield
    finally:
        _state.per_batch = None


F = TypeVar("F", bound=Callable[..., Any])


def computes(metric: type[Metric]) -> Callable[[F], F]:
    """Mark a function of outputs, targets and options as the figure of a metric, which takes the same options."""

    def mark(function: F) -> F:
        function.metric = metric  # type: ignore[attr-defined]
        return function

    return mark


def as_metric(function: Any) -> Any:
    """The metric that a marked function computes, alone or as a `functools.partial`; anything else as it is.

    >>> from tensorgrad.nn.metrics import f1
    >>> as_metric(f1), as_metric(functools.partial(f1, average="micro")).average
    (F1(average='macro', ignore_index=None, threshold=None, zero_division=0.0), 'micro')
    """
    if isinstance(function, functools.partial) and hasattr(function.func, "metric"):
        if function.args:
            raise ArgumentError(restate("metrics", "a partial may only set options by name", metric=function))
        return function.func.metric(**function.keywords)
    kind = getattr(function, "metric", None)
    return kind() if isinstance(kind, type) and issubclass(kind, Metric) else function

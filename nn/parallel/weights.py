"""The weight of each process's samples in the common batch, by which gradients are scaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tensorgrad.autograd.engine import apply, host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.distributed.functional import ScaleGradient
from tensorgrad.distributed.world import Agreement, world
from tensorgrad.errors import DTypeError, ShapeError, restate
from tensorgrad.tensor import Tensor


class Weight:
    """The weight of this process's samples in a batch of all: n·R/N, for n samples here and N in all R processes.

    The samples are counted while the model computes: the numbers are sent before its forward pass, and received after.
    """

    def __init__(self) -> None:
        self._everywhere: Agreement | None = None

    def begin(self, samples: int) -> np.ndarray:
        """Send the number of samples to the other processes; returns it as an array, for `complete`."""
        return host_call(self._begin, samples)

    def complete(self, samples: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """The weight, once the numbers of all processes have come."""
        return host_call(self._complete, samples, dtype)

    def _begin(self, samples: int) -> np.ndarray:
        self._everywhere = world().begin_agreement("DistributedDataParallel.forward", numbers=(samples,))
        return np.array(float(samples))

    def _complete(self, samples: np.ndarray, dtype: np.dtype) -> np.ndarray:
        assert self._everywhere is not None
        everywhere = self._everywhere.numbers().sum()
        return np.array(samples * world().size / everywhere if everywhere else 1.0, dtype)


def weighted(output: Any, weight: Callable[[np.dtype], np.ndarray]) -> Any:
    """The output, whose gradients are scaled by the weight of this process.

    If each process takes the mean of the losses of its own samples, the mean over the processes of the gradients is
    then the gradient of the mean over all samples.

    Args:
        output: a Tensor, or tuples, lists and dicts of tensors.
        weight: gives the weight in a dtype.
    """

    def scaled(x: Any) -> Any:
        if isinstance(x, Tensor):
            return apply(ScaleGradient, x, wrap(weight(x.dtype))) if x.requires_grad else x
        if isinstance(x, Mapping):
            return type(x)({key: scaled(value) for key, value in x.items()})  # type: ignore[call-arg]
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            return type(x)(*map(scaled, x))
        if isinstance(x, tuple | list):
            return type(x)(map(scaled, x))
        if x is None or isinstance(x, int | float | str | np.ndarray):
            return x
        problem = f"forward returned {type(x).__name__}, whose tensors aren't known"
        fix = "return tensors, or tuples, lists or dicts of tensors; or pass dim=None: ranks count alike, whatever n"
        raise DTypeError(restate("DistributedDataParallel", problem, fix=fix))

    return scaled(output)


def count(arguments: Any, dim: int) -> int:
    """The samples in a batch: the length of axis `dim` of the first tensor or array among the arguments."""
    for x in _arrays(arguments):
        if not -x.ndim <= dim < x.ndim:
            problem = f"the first input has no axis dim = {dim}, along which samples are counted"
            fix = "pass dim=, the axis of the samples, or dim=None: ranks count alike, whatever n"
            raise ShapeError(restate("DistributedDataParallel", problem, fix=fix, input=x))
        return x.shape[dim]
    problem = "forward got no tensor or array in which samples could be counted"
    raise ShapeError(restate("DistributedDataParallel", problem, fix="pass dim=None: ranks count alike, whatever n"))


def _arrays(arguments: Any) -> Iterator[Any]:
    if isinstance(arguments, Tensor | np.ndarray):
        yield arguments
    elif isinstance(arguments, Mapping):
        yield from _arrays(list(arguments.values()))
    elif isinstance(arguments, tuple | list):
        for x in arguments:
            yield from _arrays(x)

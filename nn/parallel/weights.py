"""The weight of each process's samples in the common batch, by which gradients are scaled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorgrad.autograd.engine import apply, host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.distributed.functional import ScaleGradient
from tensorgrad.distributed.world import world
from tensorgrad.errors import DTypeError, ShapeError, restate
from tensorgrad.tensor import Tensor


def weight_of(samples: int) -> np.ndarray:
    """n·R/N, for n samples here and N in all R processes together."""
    return host_call(_weight, samples)


def weighted(output: Any, weight: np.ndarray) -> Any:
    """The output, whose gradients are scaled by the weight of this process.

    If each process takes the mean of the losses of its own samples, the mean over the processes of the gradients is
    then the gradient of the mean over all samples.

    Args:
        output: a Tensor, or tuples, lists and dicts of tensors.
        weight: of `weight_of`.
    """

    def scaled(x: Any) -> Any:
        if isinstance(x, Tensor):
            return apply(ScaleGradient, x, wrap(weight)) if x.requires_grad else x
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


def _weight(samples: int) -> np.ndarray:
    """n·R/N, with the samples of all processes."""
    group = world()
    everywhere = float(group.agree("DistributedDataParallel.forward", numbers=(samples,)).sum())
    return np.array(samples * group.size / everywhere if everywhere else 1.0)


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

"""The weight of each process's samples in the common batch, by which gradients are scaled."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad.autograd import modes
from tensorgrad.autograd.engine import apply, host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.distributed.functional import ScaleGradient
from tensorgrad.distributed.world import Agreement, world
from tensorgrad.errors import DTypeError, ShapeError, restate
from tensorgrad.tensor import Tensor

_begun: dict[int, Agreement] = {}
"""By number, the agreements about samples that have begun and aren't complete: models may be called within others."""

_numbers = itertools.count()


def begin_counting(samples: int) -> np.ndarray:
    """Send the number of samples to the other processes; theirs travel while the model computes.

    Returns:
        The number of samples, and that of the agreement, `(2,)`: for `weights`.
    """
    return host_call(_begin, samples)


def weights(counting: np.ndarray, dtypes: Sequence[np.dtype]) -> tuple[np.ndarray, ...]:
    """n·R/N in these dtypes, for n samples here and N in all R processes, once all numbers have come."""
    found = host_call(_complete, counting, tuple(dtypes))
    return found if isinstance(found, tuple) else (found,)


def stop_counting(counting: np.ndarray) -> None:
    """Forget an agreement that wasn't completed, since the model raised; the next exchange completes it."""
    _begun.pop(int(counting[1]), None)


def _begin(samples: int) -> np.ndarray:
    number = next(_numbers)
    _begun[number] = world().begin_agreement("DistributedDataParallel.forward", numbers=(samples,))
    return np.array([float(samples), float(number)])


def _complete(counting: np.ndarray, dtypes: tuple[np.dtype, ...]) -> np.ndarray | tuple[np.ndarray, ...]:
    """The weights; of one dtype without a tuple, as host calls return."""
    samples, number = counting.tolist()
    everywhere = sum([theirs for (theirs,) in _begun.pop(int(number)).numbers()])
    weight = samples * world().size / everywhere if everywhere else 1.0
    found = tuple([np.array(weight, dtype) for dtype in dtypes])
    return found[0] if len(found) == 1 else found


def weighted(output: Any, weigh: Callable[[Sequence[np.dtype]], Sequence[np.ndarray]]) -> Any:
    """The output, whose gradients are scaled by the weight of this process.

    If each process takes the mean of the losses of its own samples, the mean over the processes of the gradients is
    then the gradient of the mean over all samples.

    Args:
        output: a Tensor, or tuples, lists and dicts of tensors.
        weigh: gives the weight in several dtypes.
    """
    found: dict[np.dtype, Any] = {}
    _mapped(output, lambda x: found.setdefault(x._data.dtype, x))  # to collect the dtypes alone
    factors = weigh(tuple(found))
    if not modes.observers() and all([factor == 1 for factor in factors]):
        return output  # a recording needs the op: its factor may be another in a later call
    for dtype, factor in zip(found, factors, strict=True):
        found[dtype] = wrap(factor)
    return _mapped(output, lambda x: apply(ScaleGradient, x, found[x._data.dtype]))


def _mapped(output: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """The output, with the function of each of its tensors through which gradients flow."""
    if isinstance(output, Tensor):
        return function(output) if output.requires_grad else output
    if isinstance(output, Mapping):
        return type(output)({key: _mapped(value, function) for key, value in output.items()})  # type: ignore[call-arg]
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*[_mapped(value, function) for value in output])
    if isinstance(output, tuple | list):
        return type(output)([_mapped(value, function) for value in output])
    if output is None or isinstance(output, int | float | str | np.ndarray):
        return output
    problem = f"forward returned {type(output).__name__}, whose tensors aren't known"
    fix = "return tensors, or tuples, lists or dicts of tensors; or pass dim=None: ranks count alike, whatever n"
    raise DTypeError(restate("DistributedDataParallel", problem, fix=fix))


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
    elif isinstance(arguments, tuple | list):
        for x in arguments:
            yield from _arrays(x)
    elif isinstance(arguments, Mapping):
        yield from _arrays(list(arguments.values()))

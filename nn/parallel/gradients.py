"""Gradients averaged over the processes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.autograd.versions import begin_version
from tensorgrad.distributed.world import world
from tensorgrad.errors import GraphError, ShapeError, TensorgradError, restate
from tensorgrad.tensor import Tensor


class Gradients:
    """The gradients of some parameters: the same in all processes, in the same order."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        dtypes = sorted({p.dtype for p in self.parameters})
        self._by_dtype = [_OneDtype([p for p in self.parameters if p.dtype == dtype]) for dtype in dtypes]

    def are_of(self, parameters: Sequence[Tensor]) -> bool:
        """Whether these are the parameters."""
        same = len(parameters) == len(self.parameters)
        return same and all(p is q for p, q in zip(parameters, self.parameters, strict=True))

    def average(self) -> None:
        """Replace each gradient, in place, by its mean over the processes.

        A parameter without a gradient in one process counts as zeros there; one without in all of them stays without.

        Raises:
            DistributedError: another process exchanges other gradients.
            GraphError: a gradient with a graph.
            ShapeError: a gradient that was assigned, of another shape than its parameter.
        """
        for parameters in self._by_dtype:
            parameters.average()


class _OneDtype:
    """Parameters of one dtype, whose gradients are exchanged together."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters, self.dtype = parameters, parameters[0].dtype
        self.zeros = [np.broadcast_to(self.dtype.type(0), p.shape) for p in parameters]
        names = " ".join([p.name or "" for p in parameters])
        numbers = sum(p.numel() for p in parameters)
        self.what = f"{len(parameters)} parameters with {numbers} numbers in {self.dtype}: {names}"

    def average(self) -> None:
        own, averages, used = [], [], []
        owners: set[int] = set()
        for p, zeros in zip(self.parameters, self.zeros, strict=True):
            grad = p._grad
            used.append(grad is not None)
            if grad is None:
                own.append(zeros)
            else:
                data = grad._data
                if grad._requires_grad or data.shape != zeros.shape:
                    raise _unfit(p, grad)
                owner = data if data.base is None else data.base
                shared = id(owner) in owners
                owners.add(id(owner))
                # What is averaged in place must be the memory of this gradient alone.
                own.append(data.copy() if shared else data)
                if not shared and _owns(owner) and data.flags.carray and data.dtype == self.dtype:
                    averages.append(grad)
                    continue
            averages.append(Tensor(np.empty(zeros.shape, self.dtype)))
        # The fraction of the processes in which each parameter has a gradient.
        own.append(np.array(used, self.dtype))
        group = world()
        # After all that may fail: whoever agrees takes part in what follows.
        group.begin_agreement("backward", self.what).numbers()
        group.reduce(own, [*[average._data for average in averages], own[-1]], factor=1 / group.size)
        for p, average, fraction in zip(self.parameters, averages, own[-1].tolist(), strict=True):
            if fraction:
                p._grad = average
                begin_version(average, keep=False)


def _owns(array: object) -> bool:
    """Whether an array has memory of its own, not a part of something else's."""
    return type(array) is np.ndarray and array.flags.owndata


def _unfit(p: Tensor, grad: Tensor) -> TensorgradError:
    call = "DistributedDataParallel"
    if grad.shape != p.shape:
        problem = f"a gradient must have the parameter's shape {p.shape}, got {grad.shape}"
        return ShapeError(restate(call, problem, fix="assign a .grad of that shape, or None", parameter=p))
    problem = "the gradient has a graph, which an exchange would cut: backward(create_graph=True)"
    fix = "take such gradients by tg.grad(…, create_graph=True), and then backward() without it"
    return GraphError(restate(call, problem, fix=fix, parameter=p))

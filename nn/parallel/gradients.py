"""Gradients averaged over the processes, in one flat array per dtype."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.autograd.versions import begin_version
from tensorgrad.distributed.world import world
from tensorgrad.errors import GraphError, restate
from tensorgrad.tensor import Tensor


class Gradients:
    """The gradients of some parameters: the same in all processes, in the same order."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        # MPI has no half precision.
        dtypes = [np.promote_types(p.dtype, np.float32) for p in self.parameters]
        alike = ([p for p, its in zip(self.parameters, dtypes, strict=True) if its == d] for d in sorted(set(dtypes)))
        self._flat = [_Flat(group) for group in alike]

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
        """
        for flat in self._flat:
            flat.average()


class _Flat:
    """Gradients that are exchanged in one dtype, one after the other in one array.

    Behind them stands, per parameter, in how many processes it has a gradient.
    """

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        dtype = np.promote_types(parameters[0].dtype, np.float32)
        ends = np.cumsum([p.numel() for p in parameters]).tolist()
        self.array = np.empty(ends[-1] + len(parameters), dtype)
        self.counts = self.array[ends[-1] :]
        starts = [0, *ends[:-1]]
        self.places = [
            self.array[start:end].reshape(p.shape) for p, start, end in zip(parameters, starts, ends, strict=True)
        ]
        names = " ".join([p.name or "" for p in parameters])
        self.what = f"{len(parameters)} parameters with {ends[-1]} numbers in {dtype}: {names}"

    def average(self) -> None:
        grads = [p._grad for p in self.parameters]
        for p, grad in zip(self.parameters, grads, strict=True):
            if grad is not None and grad._requires_grad:
                raise _has_graph(p)
        for place, grad in zip(self.places, grads, strict=True):
            place[...] = 0 if grad is None else grad._data
        self.counts[...] = [grad is not None for grad in grads]
        group = world()
        group.agree("backward", self.what)  # after all that may fail: whoever agrees takes part in what follows
        group.reduce(self.array)
        share = self.array.dtype.type(1 / group.size)
        for p, place, count in zip(self.parameters, self.places, self.counts.tolist(), strict=True):
            if count:
                _set(p, place, share)


def _set(p: Tensor, total: np.ndarray, share: np.floating) -> None:
    """Set the gradient to total · share: in its memory, if it has some that can be written."""
    grad = p._grad
    if grad is None or not grad._data.flags.writeable:
        grad = p._grad = Tensor(np.empty(p.shape, p.dtype))
    np.multiply(total, share, out=grad._data, casting="same_kind")
    begin_version(grad, keep=False)


def _has_graph(p: Tensor) -> GraphError:
    problem = "the gradient has a graph, which an exchange would cut: backward(create_graph=True)"
    fix = "take such gradients by tg.grad(…, create_graph=True), and then backward() without it"
    return GraphError(restate("DistributedDataParallel", problem, fix=fix, parameter=p))

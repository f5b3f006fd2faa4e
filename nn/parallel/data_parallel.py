"""Data-parallel training: every process has the whole model, and trains on its part of each batch."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.autograd import configuration
from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.hooks import after_backward
from tensorgrad.autograd.modes import is_grad_enabled, no_grad
from tensorgrad.distributed.world import DistributedError, world
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.module import Module
from tensorgrad.nn.parallel.gradients import Gradients
from tensorgrad.nn.parallel.weights import begin_counting, count, stop_counting, weighted, weights
from tensorgrad.tensor import Tensor

CALL = "DistributedDataParallel"

_exchanged: weakref.WeakKeyDictionary[DistributedDataParallel, tuple[int, Gradients]] = weakref.WeakKeyDictionary()
"""By model, the gradients that it exchanges, and the configuration in which its parameters were last looked at. (Not
attributes: compiled functions compare those.)"""


class DistributedDataParallel(Module):
    """A model that several processes train together, each on its part of every batch: `mpiexec -n 4 python train.py`.

    At first all processes get the weights and buffers of rank 0. From then on each `backward()` ends with an exchange,
    after which `.grad` of every parameter is, in all processes, the gradient of the mean over the samples of all
    processes. So equal optimizers make equal steps: the training of one process with the whole batch.

    Losses are means over the samples of the process, as PyTorch's are by default. Processes with fewer samples, of a
    last batch, count less: gradients are weighted on their way into the model by n·R/N, where n of the N samples of all
    R processes are here. A parameter that isn't used in one process counts as zeros there; one that isn't used anywhere
    keeps its `.grad`.

    In a process by itself the model computes as it does alone. Li et al., PyTorch Distributed: Experiences on
    Accelerating Data Parallel Training, VLDB 2020.

    Args:
        module: the model. Its own state dict is `model.module.state_dict()`; that of this module has, as PyTorch's, the
            prefix "module.".
        device_ids: accepted.
        output_device: accepted.
        dim: the axis of the inputs along which samples are counted; None for processes that count alike, whatever
            their numbers of samples, as in PyTorch, and for losses that are sums.
        broadcast_buffers: give all processes the buffers of rank 0 before each forward pass. By default batch norm's
            running statistics stay those of each process; see `sync_buffers` and `nn.SyncBatchNorm`.
        find_unused_parameters: accepted; they are always found.
        bucket_cap_mb: accepted; all gradients are exchanged at once.

    Attributes:
        module: the model.

    Raises:
        DistributedError: names, shapes or dtypes of parameters and buffers differ between the processes.
        DTypeError: no Module.
        ArgumentError: `dim` is neither an int nor None.

    >>> import tensorgrad as tg
    >>> model = tg.nn.parallel.DistributedDataParallel(tg.nn.Linear(2, 1))
    >>> model(tg.ones(3, 2)).mean().backward()
    >>> list(model.state_dict()), list(model.module.state_dict())
    (['module.weight', 'module.bias'], ['weight', 'bias'])
    """

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int | None = 0,
        broadcast_buffers: bool = False,
        *,
        find_unused_parameters: bool = False,
        bucket_cap_mb: float | None = None,
    ) -> None:
        if not isinstance(module, Module):
            raise DTypeError(restate(CALL, f"expected a Module, got {type(module).__name__}", module=module))
        if dim is not None and (isinstance(dim, bool) or not isinstance(dim, int | np.integer)):
            raise ArgumentError(restate(CALL, f"dim must be an int or None, got {dim!r}", dim=dim))
        self.dim, self.broadcast_buffers = dim, broadcast_buffers
        self.require_backward_grad_sync = True
        if world().size > 1:
            _check_same(module)
            _give([*module.parameters(), *module.buffers()])
        self.module = module
        self._described = _description(module)
        self._gradients()

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the model computes; its gradients will be scaled by this process's weight in the batch."""
        several = world().size > 1
        if several and self.broadcast_buffers:
            self.sync_buffers()
        if not several or not is_grad_enabled() or self.dim is None:
            return self.module(*inputs, **kwargs)
        self._gradients()
        counting = begin_counting(count((inputs, kwargs), self.dim))
        try:
            return weighted(self.module(*inputs, **kwargs), lambda dtypes: weights(counting, dtypes))
        except BaseException:
            stop_counting(counting)
            raise

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Within, gradients add up in each process without an exchange; the first `backward()` after it exchanges all.

        >>> import tensorgrad as tg
        >>> model = tg.nn.parallel.DistributedDataParallel(tg.nn.Linear(2, 1))
        >>> with model.no_sync():
        ...     (model(tg.ones(3, 2)).mean() / 2).backward()
        >>> (model(tg.ones(3, 2)).mean() / 2).backward()
        """
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def sync_buffers(self) -> None:
        """Give all processes the buffers of rank 0, such as running statistics; `nn.fit` does before a validation."""
        if world().size > 1:
            host_call(_give, tuple(self.module.buffers()), effect=True)

    def _gradients(self) -> Gradients | None:
        """The gradients that are exchanged after backward passes; of parameters that have come since, too."""
        if world().size == 1:
            return None
        known = _exchanged.get(self)
        if known is not None and known[0] == configuration.current():
            return known[1]
        if _description(self.module) != self._described:
            problem = "the parameters or buffers of the model have other names, shapes or dtypes than at first"
            raise ArgumentError(restate(CALL, problem, fix="wrap the model when it is complete"))
        for p in self.module.parameters():
            if self._exchange not in getattr(p, "_after_backward", {}).values():
                after_backward(p, self._exchange)
        trained = [p for p in self.module.parameters() if p.requires_grad]
        gradients = Gradients(trained) if known is None or not known[1].are_of(trained) else known[1]
        _exchanged[self] = configuration.current(), gradients
        return gradients

    def _exchange(self) -> None:
        if self.require_backward_grad_sync:
            host_call(self._average, effect=True)

    def _average(self) -> None:
        gradients = self._gradients()
        if gradients is not None:
            gradients.average()


def _description(module: Module) -> list[str]:
    """Names, shapes and dtypes of the parameters and buffers."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return [f"{name}: {t.shape} {t.dtype}" for name, t in named]


def _check_same(module: Module) -> None:
    """Raise, in all processes, where the model isn't the same in all of them."""
    group = world()
    group.agree(CALL)
    models = [json.loads(text) for text in group.gather_bytes(json.dumps(_description(module)).encode())]
    if all(model == models[0] for model in models):
        return
    longest = max(map(len, models))
    padded = [model + ["nothing"] * (longest - len(model)) for model in models]
    place = next(k for k in range(longest) if len({model[k] for model in padded}) > 1)
    found = "; ".join(f"rank {rank}: {model[place]}" for rank, model in enumerate(padded))
    fix = "build the same model in all processes"
    raise DistributedError(restate(CALL, f"the model isn't the same in all ranks: {found}", fix=fix))


@no_grad()
def _give(tensors: Any) -> None:
    """Give all processes the values of rank 0."""
    group = world()
    group.agree("broadcast", ", ".join(f"{t.shape} {t.dtype}" for t in tensors))
    for t in tensors:
        array = np.array(t._data, order="C")
        group.broadcast(array, 0)
        if group.rank > 0:
            t[...] = Tensor(array)

"""What `fit` does together with other processes that train the same model."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorgrad.arrays.random import manual_seed
from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.distributed.world import world
from tensorgrad.nn.module import Module
from tensorgrad.nn.parallel import DistributedDataParallel
from tensorgrad.tensor import Tensor


class Processes:
    """A process that trains by itself. The subclass `Together` does the same with several."""

    rank, size = 0, 1

    def seed(self, seed: int) -> None:
        """Seed the package's generator: rank 0 with the seed itself, the others with seeds of their own."""
        numbers = np.random.SeedSequence((seed, self.rank)).generate_state(1, np.uint64)
        manual_seed(int(numbers[0]) if self.rank else seed)

    def cost(self, cost: Tensor, size: int) -> Tensor:
        """The mean loss over the samples of all processes, of the loss over `size` samples here."""
        return cost.detach()

    def means(self, values: Mapping[str, float], size: int, seconds: float) -> tuple[dict[str, float], int, float]:
        """Means over the samples of all processes, of means over `size` samples here; all samples; rank 0's seconds."""
        return dict(values), size, seconds

    def anywhere(self, *flags: bool) -> tuple[bool, ...]:
        """Per flag, whether it is set in some process."""
        return flags

    def of_rank_0(self, value: Any) -> Any:
        """What rank 0 passes."""
        return value

    def of_all(self, value: Any) -> list[Any]:
        """What each process passes, in the order of their ranks."""
        return [value]

    def share_buffers(self) -> None:
        """Give all processes the buffers of rank 0: running statistics."""


class Together(Processes):
    """The processes that train one model. All of them make the same calls."""

    def __init__(self, model: DistributedDataParallel) -> None:
        self.model = model
        self.rank, self.size = world().rank, world().size

    def cost(self, cost: Tensor, size: int) -> Tensor:
        """The mean loss over the samples of all processes."""
        return wrap(host_call(_mean_cost, cost._data, size))

    def means(self, values: Mapping[str, float], size: int, seconds: float) -> tuple[dict[str, float], int, float]:
        """Means over the samples of all processes."""
        world().agree("fit", " ".join(["means:", *values]))
        # (2 + values,) -> (size, 2 + values)
        everywhere = world().gather(np.array([size, seconds, *values.values()], np.float64))
        sizes = everywhere[:, 0]
        means = [_weighted(column, sizes) for column in everywhere.T[2:]]
        return dict(zip(values, means, strict=True)), int(sizes.sum()), float(everywhere[0, 1])

    def anywhere(self, *flags: bool) -> tuple[bool, ...]:
        """Per flag, whether it is set in some process."""
        everywhere = world().agree("fit", "flags", numbers=flags)
        return tuple([bool(column.any()) for column in everywhere.T])

    def of_rank_0(self, value: Any) -> Any:
        """What rank 0 passes."""
        data = pickle.dumps(value) if self.rank == 0 else b""
        return pickle.loads(world().broadcast_bytes(data, 0))

    def of_all(self, value: Any) -> list[Any]:
        """What each process passes."""
        return [pickle.loads(data) for data in world().gather_bytes(pickle.dumps(value))]

    def share_buffers(self) -> None:
        """Give all processes the buffers of rank 0."""
        self.model.sync_buffers()


def processes_of(model: Module) -> Processes:
    """Those that train the model: several for a `DistributedDataParallel` of several processes."""
    several = isinstance(model, DistributedDataParallel) and world().size > 1
    return Together(model) if several else Processes()  # type: ignore[arg-type]


def _mean_cost(cost: np.ndarray, size: int) -> np.ndarray:
    costs, sizes = world().agree("fit", "loss", numbers=(float(cost), size)).T
    return np.array(_weighted(costs, sizes), cost.dtype)


def _weighted(values: np.ndarray, sizes: np.ndarray) -> float:
    """The mean over all samples. (The mean over none is NaN, and doesn't count.)"""
    used = sizes > 0
    return float((values[used] * sizes[used]).sum() / sizes.sum()) if used.any() else float("nan")

"""Samplers: the order in which a `DataLoader` reads the items of a dataset.

A sampler is any object whose iteration yields indices; each `for` loop over it is one epoch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import as_array
from tensorgrad.distributed.world import world
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.data.seeding import as_generator
from tensorgrad.nn.state import is_count

Seed = np.random.Generator | int | None


class Sampler:
    """The base of samplers: a subclass defines `__iter__`, the indices of one epoch, and where it can `__len__`.

    >>> class Backwards(Sampler):
    ...     def __init__(self, data_source):
    ...         self.data_source = data_source
    ...     def __iter__(self):
    ...         return iter(range(len(self.data_source) - 1, -1, -1))
    >>> list(Backwards("abc"))
    [2, 1, 0]
    """

    def __init__(self, data_source: Any = None) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__, the indices of an epoch")


class SequentialSampler(Sampler):
    """The indices 0, 1, 2, …, in order.

    Args:
        data_source: the dataset.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """All indices in random order, or with replacement `num_samples` independent ones.

    Args:
        data_source: the dataset.
        replacement: draw each index from all items.
        num_samples: the number of indices of an epoch; the number of items by default. Without replacement, more than
            there are items begins another permutation.
        generator: a `numpy.random.Generator`, an int seed, or None for the package's generator.

    Raises:
        ArgumentError: a `num_samples` that isn't an int ≥ 1, a `replacement` that isn't a bool.

    >>> sorted(RandomSampler("abcd", generator=0)), len(list(RandomSampler("abcd", num_samples=6)))
    ([0, 1, 2, 3], 6)
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator: Seed = None
    ) -> None:
        _check_bool("RandomSampler", replacement=replacement)
        if num_samples is not None:
            _check_positive("RandomSampler", num_samples=num_samples)
        self.data_source, self.replacement, self._num_samples = data_source, replacement, num_samples
        self.generator = as_generator("RandomSampler", generator)

    @property
    def num_samples(self) -> int:
        """The number of indices of an epoch."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        if n == 0 or self.replacement:
            return iter(self.generator.integers(n, size=self.num_samples).tolist() if n else [])
        rounds = (self.generator.permutation(n).tolist() for _ in range(math.ceil(self.num_samples / n)))
        return itertools.islice(itertools.chain.from_iterable(rounds), self.num_samples)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in random order.

    Args:
        indices: the indices to draw from.
        generator: a `numpy.random.Generator`, an int seed, or None for the package's generator.

    >>> sorted(SubsetRandomSampler([3, 5, 7], generator=0))
    [3, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Seed = None) -> None:
        self.indices = indices
        self.generator = as_generator("SubsetRandomSampler", generator)

    def __iter__(self) -> Iterator[Any]:
        return (self.indices[i] for i in self.generator.permutation(len(self.indices)).tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` indices, index i with a probability proportional to weightsᵢ; balances classes of unequal size.

    Args:
        weights: one number ≥ 0 per item; they needn't sum to 1.
        num_samples: the number of indices of an epoch.
        replacement: draw an index as often as it comes; otherwise at most once.
        generator: a `numpy.random.Generator`, an int seed, or None for the package's generator.

    Raises:
        ArgumentError: weights that aren't a sequence of finite numbers ≥ 0 with a positive sum; `num_samples` not an
            int ≥ 1, or without replacement more than there are positive weights.

    >>> set(WeightedRandomSampler([0.0, 1.0, 3.0], 100, generator=0)) == {1, 2}
    True
    """

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Seed = None) -> None:
        call = "WeightedRandomSampler"
        _check_positive(call, num_samples=num_samples)
        _check_bool(call, replacement=replacement)
        self.weights = as_array(weights).astype(np.float64)
        self.num_samples, self.replacement = num_samples, replacement
        self.generator = as_generator(call, generator)
        fits = self.weights.ndim == 1 and bool(np.isfinite(self.weights).all() and (self.weights >= 0).all())
        if not fits or not self.weights.sum() > 0:
            problem = "weights must be a sequence of finite numbers ≥ 0, one per item, not all 0"
            raise ArgumentError(restate(call, problem, weights=weights))
        positive = int(np.count_nonzero(self.weights))
        if not replacement and num_samples > positive:
            problem = f"num_samples must be at most {positive}, the number of positive weights, without replacement"
            raise ArgumentError(restate(call, problem, fix="pass replacement=True", num_samples=num_samples))

    def __iter__(self) -> Iterator[int]:
        p = self.weights / self.weights.sum()
        return iter(self.generator.choice(len(p), self.num_samples, self.replacement, p).tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of another sampler.

    Args:
        sampler: the sampler, or any iterable of indices.
        batch_size: the indices of a batch, an int ≥ 1.
        drop_last: leave out a last batch that would be smaller.

    Raises:
        ArgumentError: a `batch_size` that isn't an int ≥ 1, a `drop_last` that isn't a bool.

    >>> list(BatchSampler(range(5), 2, False)), list(BatchSampler(range(5), 2, True))
    ([[0, 1], [2, 3], [4]], [[0, 1], [2, 3]])
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        _check_positive("BatchSampler", batch_size=batch_size)
        _check_bool("BatchSampler", drop_last=drop_last)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return whole + (rest > 0 and not self.drop_last)


class DistributedSampler(Sampler):
    """The indices of one of `num_replicas` processes that share an epoch: every `num_replicas`-th, from `rank` on.

    Batch k of all processes together is batch k, `num_replicas` times as large, of one process with the same order.

    Args:
        dataset: the dataset.
        num_replicas: the number of processes; by default that of `tg.distributed`.
        rank: the number of this process, from 0; by default that of `tg.distributed`.
        shuffle: another order in each epoch, the same in all processes.
        seed: the seed of these orders, the same in all processes.
        drop_last: cut the order, so that all processes get equally many indices.
        pad: continue the order from its beginning, so that all get equally many, as PyTorch does: some items come twice
            in an epoch. With False each item comes once, and the last batches of some processes have one item less, or
            none: `nn.DistributedDataParallel` weights them by their sizes.

    Call `set_epoch` before each epoch, as `nn.fit` does; otherwise all epochs have the same order.

    Raises:
        ArgumentError: a negative number, or a rank outside [0, num_replicas).

    >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False, pad=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3]]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        *,
        pad: bool = True,
    ) -> None:
        call = "DistributedSampler"
        num_replicas = world().size if num_replicas is None else num_replicas
        rank = world().rank if rank is None else rank
        _check_positive(call, num_replicas=num_replicas)
        if not is_count(rank) or rank >= num_replicas:
            problem = f"rank must be an int in [0, {num_replicas}), got {rank!r}"
            raise ArgumentError(restate(call, problem, rank=rank, num_replicas=num_replicas))
        if not is_count(seed):
            raise ArgumentError(restate(call, f"seed must be an int ≥ 0, got {seed!r}", seed=seed))
        _check_bool(call, pad=pad)
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.pad, self.epoch = shuffle, seed, drop_last, pad, 0
        n = len(dataset)
        largest = n // num_replicas if drop_last else math.ceil(n / num_replicas)
        self.total_size = largest * num_replicas if pad or drop_last else n
        self.num_samples = len(range(rank, self.total_size, num_replicas))
        self.fewest_and_most = self.total_size // num_replicas, largest
        """The fewest and the most indices that a process gets."""

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        order = np.random.default_rng((self.seed, self.epoch)).permutation(n) if self.shuffle else np.arange(n)
        # np.resize continues the order from its beginning: (n,) -> (total_size,)
        return iter(np.resize(order, self.total_size)[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, on which the order depends."""
        if not is_count(epoch):
            problem = f"epoch must be an int ≥ 0, got {epoch!r}"
            raise ArgumentError(restate("DistributedSampler.set_epoch", problem, epoch=epoch))
        self.epoch = epoch


def _check_positive(call: str, **argument: Any) -> None:
    ((name, value),) = argument.items()
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ArgumentError(restate(call, f"{name} must be an int ≥ 1, got {value!r}", **argument))


def _check_bool(call: str, **argument: Any) -> None:
    ((name, value),) = argument.items()
    if not isinstance(value, bool | np.bool_):
        raise DTypeError(restate(call, f"{name} must be True or False, got {value!r}", **argument))

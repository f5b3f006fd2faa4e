"""DataLoader: shuffled batches of a dataset, resumable in the middle of an epoch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.data.collate import default_convert, to_tensors
from tensorgrad.nn.data.dataset import Dataset, described
from tensorgrad.nn.data.fetch import Fetcher, StreamFetcher, may_draw
from tensorgrad.nn.data.loader_arguments import check_exclusive, check_workers, positive_int
from tensorgrad.nn.data.samplers import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from tensorgrad.nn.data.seeding import as_generator, generator_state, prepare_generator_state
from tensorgrad.nn.data.streams import IterableDataset
from tensorgrad.nn.data.workers import Job, Workers
from tensorgrad.nn.state import is_count

RESUMABLE = (DistributedSampler, RandomSampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler)
"""Samplers whose order is known when an epoch begins, and depends on their generator alone."""


@dataclass
class _Epoch:
    """One pass over the dataset: the order of the items if it is known, the batches yielded, the transforms' seed."""

    order: np.ndarray | None
    position: int = 0
    seed: int | None = None


class DataLoader:
    """Batches of a dataset as Tensors: each `for batch in loader` is one epoch, over every item once.

    Args:
        dataset: a `Dataset`, or anything with a length and items, such as a list of (x, y); or an `IterableDataset`.
        batch_size: items per batch, an int ≥ 1; the last batch may be smaller. None for single items, not collated.
        shuffle: draw a new order for every epoch.
        sampler: yields the indices of an epoch, in place of `shuffle`.
        batch_sampler: yields the list of indices of each batch, in place of all of the above and `drop_last`.
        num_workers: the number of processes that compute batches ahead; 0 for none. The batches are the same.
        collate_fn: a function of the list of a batch's items, whose result is yielded unchanged. By default the batch
            comes from `Dataset.batch`, and its arrays of shape (batch, ...) become Tensors.
        pin_memory: accepted; there is no device to copy to.
        drop_last: leave out a last batch that would be smaller.
        timeout: the seconds to wait for a batch of a worker; 0 for ever.
        worker_init_fn: called with the worker's number, in each worker, before its first batch.
        multiprocessing_context: how workers start, "fork" or "spawn"; by default forked on Linux, spawned elsewhere.
        generator: the generator for shuffling: a `numpy.random.Generator`, an int seed, or None for the package's
            generator, which `tensorgrad.manual_seed` seeds.
        prefetch_factor: the number of batches that each worker is ahead, 2 by default.
        persistent_workers: keep the workers, and their copies of the dataset, for the next epoch.
        pin_memory_device: accepted, as `pin_memory`.
        in_order: accepted; batches always come in order.

    The order is drawn when an iteration begins, so equal seeds give equal batches. Unless arrays or lists hold the
    items, a seed for the random transforms of the epoch is drawn too. Each batch has random numbers of its own, so it
    is the same whatever the number of workers. `state_dict()` and `load_state_dict()` allow to resume in the middle of
    an epoch.

    Raises:
        DTypeError: a dataset without length or items, a generator or collate_fn of another type.
        ArgumentError: a batch size that isn't an int ≥ 1, or arguments that exclude each other.
        WorkerError: in an iteration, a worker that died or gave no batch in time; the message names the item.

    >>> from tensorgrad.nn.data import TensorDataset
    >>> loader = DataLoader(TensorDataset(np.arange(5)), batch_size=2)
    >>> len(loader), [np.asarray(x).tolist() for (x,) in loader]
    (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Sequence[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: np.random.Generator | int | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self._streams = isinstance(dataset, IterableDataset)
        if not self._streams and not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            problem, fix = "dataset must have __len__ and __getitem__", "a stream derives from IterableDataset"
            raise DTypeError(restate("DataLoader", problem, fix=fix, dataset=dataset))
        for name, function in (("collate_fn", collate_fn), ("worker_init_fn", worker_init_fn)):
            if function is not None and not callable(function):
                what = "a list of items" if name == "collate_fn" else "the worker's number"
                raise DTypeError(
                    restate("DataLoader", f"{name} must be a function of {what}, or None", **{name: function})
                )
        check_exclusive(self._streams, batch_size, shuffle, sampler, batch_sampler, drop_last)
        check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset = dataset
        self.batch_size = None if batch_size is None or batch_sampler is not None else positive_int(batch_size)
        self.shuffle = bool(shuffle)
        self.drop_last = bool(drop_last)
        self.collate_fn = collate_fn
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.multiprocessing_context, self.persistent_workers = multiprocessing_context, persistent_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        self.generator = as_generator("DataLoader", generator)
        self._given = sampler
        self.sampler = self._own_sampler() if sampler is None else sampler
        self._given_batches = batch_sampler
        self._epoch: _Epoch | None = None  # the current pass; None between epochs
        self._resuming = False  # whether the next iteration continues the current pass
        self._workers: Workers | None = None  # those that persist

    @property
    def batch_sampler(self) -> Any:
        """The lists of indices of the batches, or None where items aren't collated."""
        if self._given_batches is not None or self.batch_size is None:
            return self._given_batches
        return BatchSampler(self.sampler, self.batch_size, self.drop_last)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        if self._given_batches is not None:
            return len(self._given_batches)  # type: ignore[arg-type]
        items = len(self.dataset) if self._streams else len(self.sampler)  # type: ignore[arg-type]
        if self.batch_size is None:
            return items
        if isinstance(self.sampler, DistributedSampler):
            # All processes have equally many batches; the last one may be empty in some of them.
            items = self.sampler.fewest_and_most[0 if self.drop_last else 1]
        whole, rest = divmod(items, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __repr__(self) -> str:
        dataset = self.dataset if isinstance(self.dataset, Dataset) else described(self.dataset)
        settings = {"batch_size": self.batch_size, "shuffle": self.shuffle, "num_workers": self.num_workers}
        said = [str(dataset), *(f"{name}={value}" for name, value in settings.items() if value)]
        try:
            batches = f": {len(self):,} batches"
        except TypeError:  # a stream, or a sampler, without a length
            batches = ""
        return f"DataLoader({', '.join(said)}){batches}"

    def __iter__(self) -> Iterator[Any]:
        epoch = self._epoch if self._resuming else None
        if epoch is None:
            epoch = self._epoch = _Epoch(self._draw_order(), seed=self._draw_seed())
        self._resuming = False
        return self._batches(epoch)

    def _own_sampler(self) -> Any:
        if self._streams:
            return itertools.repeat(None)
        return (
            RandomSampler(self.dataset, generator=self.generator) if self.shuffle else SequentialSampler(self.dataset)
        )

    # ---------------------------------------------------------------------------------------------------------- batches

    def _draw_order(self) -> np.ndarray | None:
        """The indices of an epoch if they are known at its beginning, which allows to resume it."""
        if self._streams or self._given_batches is not None:
            return None
        if self._given is not None:
            return np.array(list(self._given), np.intp) if type(self._given) in RESUMABLE else None
        n = len(self.dataset)
        return self.generator.permutation(n) if self.shuffle else np.arange(n)

    def _draw_seed(self) -> int | None:
        """The seed of the epoch's random transforms, or None where reading the dataset draws no random numbers."""
        return int(self.generator.integers(1 << 62)) if may_draw(self.dataset) else None

    def _source(self) -> np.random.Generator | None:
        """The generator that orders come from, or None if they don't come from one."""
        if self._given is None:
            return self.generator if self.shuffle else None
        return getattr(self._given, "generator", None)

    def _tasks(self, epoch: _Epoch) -> Iterator[Any]:
        """What each remaining batch of the epoch is made of."""
        if epoch.order is not None and self.batch_size is not None:
            for position in range(epoch.position, len(self)):
                start = position * self.batch_size
                yield epoch.order[start : start + self.batch_size]
        elif epoch.order is not None:
            yield from epoch.order[epoch.position :].tolist()
        elif self._streams:
            yield from itertools.repeat(self.batch_size)
        else:
            yield from self.sampler if self.batch_sampler is None else self.batch_sampler

    def _batches(self, epoch: _Epoch) -> Iterator[Any]:
        seeds = (None if epoch.seed is None else (epoch.seed, k) for k in itertools.count(epoch.position))
        tasks = zip(self._tasks(epoch), seeds, strict=False)
        for batch in self._from_workers(tasks) if self.num_workers else self._here(tasks):
            # Counted before it is yielded: a state taken inside the loop's body resumes after this batch.
            epoch.position += 1
            yield self._as_tensors(batch)
        if self._epoch is epoch:
            self._epoch = None

    def _as_tensors(self, batch: Any) -> Any:
        if self.collate_fn is not None:
            return batch
        return to_tensors(batch) if self._batched else default_convert(batch)

    def _here(self, tasks: Iterator[tuple[Any, Any]]) -> Iterator[Any]:
        """Compute the batches in this process."""
        if not self._streams:
            fetch = Fetcher(self.dataset, self.collate_fn, self._batched)
            yield from itertools.starmap(fetch, tasks)
            return
        stream = StreamFetcher(self.dataset, self.collate_fn, self.drop_last)
        for task, seed in tasks:
            try:
                batch = stream(task, seed)
            except StopIteration:
                return
            yield batch

    def _from_workers(self, tasks: Iterator[tuple[Any, Any]]) -> Iterator[Any]:
        """Let workers compute the batches; they end with the iteration, however it ends, unless they persist."""
        workers, self._workers = self._workers or self._start_workers(), None
        keep = False
        try:
            yield from workers.batches(tasks)
            keep = self.persistent_workers
        except GeneratorExit:  # broken off
            keep = self.persistent_workers
            raise
        finally:
            if keep and self._workers is None:
                self._workers = workers
            else:
                workers.close()

    def _start_workers(self) -> Workers:
        job = Job(
            self.dataset,
            self.collate_fn,
            self._batched,
            self._streams,
            self.drop_last,
            self.worker_init_fn,
            self.num_workers,
        )
        epoch = self._epoch
        seed = epoch.seed if epoch is not None and epoch.seed is not None else 0
        return Workers(job, self.multiprocessing_context, self.prefetch_factor or 2, self.timeout, seed)

    @property
    def _batched(self) -> bool:
        return self.batch_size is not None or self._given_batches is not None

    # ------------------------------------------------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """The state that determines all further batches, as values that JSON can represent.

        Keys: `position`, the number of batches yielded in the current epoch, or None between epochs; `order`, its
        permutation if shuffled or sampled; `seed`, that of its random transforms; `generator`, the state of the
        generator that the orders come from; and `length`, `batch_size`, `shuffle` and `drop_last`, which must be the
        same in the loader that loads the state.

        Raises:
            ArgumentError: a stream, a batch_sampler, or a sampler that isn't one of tensorgrad's.
        """
        self._check_resumable("DataLoader.state_dict")
        epoch, source = self._epoch, self._source()
        ordered = epoch is not None and epoch.order is not None and (self.shuffle or self._given is not None)
        return {
            **self._identity(),
            "position": None if epoch is None else epoch.position,
            "order": epoch.order.tolist() if ordered else None,  # type: ignore[union-attr]
            "seed": None if epoch is None else epoch.seed,
            "generator": None if source is None else generator_state(source),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume at `state`: the next iteration yields the rest of its epoch, and then new epochs follow.

        A shuffling loader also restores the state of its generator, which may be the package's.

        Raises:
            ArgumentError: the state of a loader with another dataset length, other settings or another type of
                generator; this loader is unchanged.

        >>> from tensorgrad.nn.data import TensorDataset
        >>> first, second = (DataLoader(TensorDataset(np.arange(100)), 10, shuffle=True, generator=s) for s in (1, 2))
        >>> batches = iter(first)
        >>> _ = next(batches)
        >>> second.load_state_dict(first.state_dict())
        >>> all(np.array_equal(a, b) for (a,), (b,) in zip(batches, second, strict=True))
        True
        """
        self.prepare_state_dict(state)()

    def prepare_state_dict(self, state: dict[str, Any]) -> Callable[[], None]:
        """Check a state without changing anything; return a function that loads it and can't fail.

        Errors are those of `load_state_dict`.
        """
        call = "DataLoader.load_state_dict"
        if not isinstance(state, dict):
            problem = f"state must be the dict that state_dict() returned, got {type(state).__name__}"
            raise ArgumentError(restate(call, problem, state=state))
        self._check_resumable(call)
        epoch, source = self._saved_epoch(call, state), self._source()
        put_back = None if source is None else prepare_generator_state(call, source, state.get("generator"))

        def load() -> None:
            if put_back is not None:
                put_back()
            self._epoch = epoch
            self._resuming = epoch is not None

        return load

    def _check_resumable(self, call: str) -> None:
        if self._streams or self._given_batches is not None or type(self._given) not in (type(None), *RESUMABLE):
            what = "a stream" if self._streams else "a loader with a sampler of its own"
            fix = f"use one of the samplers {', '.join(kind.__name__ for kind in RESUMABLE)}"
            raise ArgumentError(restate(call, f"{what} can't be resumed", fix=fix, dataset=self.dataset))

    def _identity(self) -> dict[str, Any]:
        settings = {name: getattr(self, name) for name in ("batch_size", "shuffle", "drop_last")}
        return {"length": len(self.dataset), **settings}

    def _saved_epoch(self, call: str, state: dict[str, Any]) -> _Epoch | None:
        """The epoch of `state`, after checking that the state belongs to such a loader."""
        for name, value in self._identity().items():
            if type(state.get(name)) is not type(value) or state[name] != value:
                found = state.get(name, "missing")
                problem = f"the state belongs to another loader: {name} must be {value!r}, got {found!r}"
                raise ArgumentError(restate(call, problem, **{name: found}))
        position = state.get("position")
        if position is None:
            return None
        if not is_count(position) or position > len(self):
            problem = f"position must be an int in [0, {len(self)}] or None, got {position!r}"
            raise ArgumentError(restate(call, problem, position=position))
        seed = state.get("seed")
        if seed is not None and not is_count(seed):
            raise ArgumentError(restate(call, f"seed must be an int ≥ 0 or None, got {seed!r}", seed=seed))
        return _Epoch(self._saved_order(call, state.get("order")), position, seed)

    def _saved_order(self, call: str, order: Any) -> np.ndarray:
        n = len(self.dataset)
        if not self.shuffle and self._given is None:
            return np.arange(n)
        count = len(self.sampler)  # type: ignore[arg-type]
        fits = isinstance(order, list) and len(order) == count and all(map(is_count, order))
        fits = fits and max(order, default=0) < max(n, 1)
        if self._given is None and (not fits or len(set(order)) != n):
            raise ArgumentError(restate(call, f"order must be a permutation of the {n} items", order=order))
        if not fits:
            raise ArgumentError(restate(call, f"order must be a list of {count} indices of the {n} items", order=order))
        return np.array(order, np.intp)

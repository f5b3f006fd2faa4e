"""Compute one batch of a dataset: for the loader itself, and in its workers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tensorgrad.nn.data.batch_seeds import batch_seed
from tensorgrad.nn.data.collate import collate, emptied
from tensorgrad.nn.data.dataset import ConcatDataset, Dataset, StackDataset, Subset, TensorDataset, TransformDataset
from tensorgrad.nn.data.normalize import Normalize

Progress = Callable[[int], None]
"""Called with the place in the batch of the item that is read next."""


def nowhere(place: int) -> None:
    """The progress that nobody follows."""


class Fetcher:
    """Batches of a dataset with indices.

    Args:
        dataset: the dataset.
        collate_fn: makes a batch of a list of items; None for `Dataset.batch`, or else `collate`.
        batched: whether a task is a list of indices, or one index whose item isn't collated.
        progress: is told which item of a batch is read.
    """

    def __init__(
        self, dataset: Any, collate_fn: Callable[[list], Any] | None, batched: bool, progress: Progress = nowhere
    ) -> None:
        self.dataset, self.collate_fn, self.batched, self.progress = dataset, collate_fn, batched, progress

    def __call__(self, task: Any, seed: tuple[int, ...] | None) -> Any:
        """The batch of a task; errors get a note that names the item."""
        if self.batched and self.collate_fn is None and len(task) == 0:
            # What a process without an item of the last batch gets: arrays of the right shapes and dtypes.
            return emptied(self([0], seed))
        with batch_seed(seed):
            if not self.batched:
                item = self._item(0, task)
                return item if self.collate_fn is None else self.collate_fn(item)
            if self.collate_fn is None and _has_own_batches(self.dataset):
                return self.dataset.batch(task)
            return (self.collate_fn or collate)(self._items(task))

    def _items(self, indices: Sequence[Any]) -> list[Any]:
        if hasattr(self.dataset, "__getitems__"):
            return self.dataset.__getitems__(list(indices))
        return [self._item(place, index) for place, index in enumerate(indices)]

    def _item(self, place: int, index: Any) -> Any:
        self.progress(place)
        index = int(index) if isinstance(index, np.integer) else index
        try:
            return self.dataset[index]
        except Exception as error:
            error.add_note(f"DataLoader: while reading {item_name(self.dataset, index)}")
            raise


class StreamFetcher:
    """Batches of a stream. A task is the number of items, or None for one that isn't collated.

    Args:
        dataset: the stream.
        collate_fn: makes a batch of a list of items; None for `collate`.
        drop_last: leave out a last batch that is smaller.
    """

    def __init__(self, dataset: Any, collate_fn: Callable[[Any], Any] | None, drop_last: bool) -> None:
        self.items: Iterator[Any] = iter(dataset)
        self.collate_fn, self.drop_last = collate_fn, drop_last

    def __call__(self, task: int | None, seed: tuple[int, ...] | None) -> Any:
        """The next batch; StopIteration where the stream ends."""
        with batch_seed(seed):
            if task is None:
                item = next(self.items)
                return item if self.collate_fn is None else self.collate_fn(item)
            items = list(itertools.islice(self.items, task))
            if not items or (self.drop_last and len(items) < task):
                raise StopIteration
            return (self.collate_fn or collate)(items)


def may_draw(dataset: Any) -> bool:
    """Whether reading the dataset may draw random numbers: not if arrays or lists hold the items."""
    if type(dataset) in (ConcatDataset, StackDataset):
        parts = dataset.datasets
        return any(map(may_draw, parts.values() if isinstance(parts, dict) else parts))
    if type(dataset) is Subset:
        return may_draw(dataset.dataset)
    if type(dataset) is TransformDataset:
        return type(dataset.transform) is not Normalize or may_draw(dataset.dataset)
    return type(dataset) not in (TensorDataset, list, tuple, range, str, np.ndarray)


def item_name(dataset: Any, index: Any) -> str:
    """An item for errors, by its index in the dataset itself and in the subsets of it."""
    name = f"item {index!r} of {type(dataset).__name__}"
    while type(dataset) is Subset and isinstance(index, int) and -len(dataset) <= index < len(dataset):
        index, dataset = int(dataset.indices[index]), dataset.dataset
        name = f"item {index} of {type(dataset).__name__}, {name}"
    return name


def _has_own_batches(dataset: Any) -> bool:
    """Whether the dataset makes batches by more than collating its items."""
    if type(dataset) is Subset:
        return _has_own_batches(dataset.dataset)
    return isinstance(dataset, Dataset) and type(dataset).batch is not Dataset.batch

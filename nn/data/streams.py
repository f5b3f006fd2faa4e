"""Datasets that are streams: items in order, without indices."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from tensorgrad.errors import DTypeError, restate
from tensorgrad.nn.data.dataset import Dataset


class IterableDataset(Dataset):
    """The base of datasets that are streams: a subclass defines `__iter__`; there is no index, and perhaps no length.

    In a `DataLoader` with workers each worker iterates over its own copy of the dataset. `get_worker_info()` tells
    `__iter__` which worker it runs in, so that each one yields its part of the items.

    >>> class Countdown(IterableDataset):
    ...     def __iter__(self):
    ...         return iter((3, 2, 1))
    >>> from tensorgrad.nn.data import DataLoader
    >>> [batch.tolist() for batch in DataLoader(Countdown(), 2)]
    [[3, 2], [1]]
    """

    __len__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__, the stream of its items")

    def __getitem__(self, index: int) -> Any:
        problem, fix = "a stream has no indices", "iterate over the dataset"
        raise DTypeError(restate(f"{type(self).__name__}[...]", problem, fix=fix, index=index))

    def __add__(self, other: Any) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class ChainDataset(IterableDataset):
    """Several `IterableDataset`s, one after the other.

    Args:
        datasets: the datasets.

    Raises:
        DTypeError: a dataset that isn't an `IterableDataset`.
    """

    def __init__(self, datasets: Iterable[IterableDataset]) -> None:
        self.datasets = list(datasets)
        for k, dataset in enumerate(self.datasets):
            if not isinstance(dataset, IterableDataset):
                fix = "ConcatDataset joins datasets with indices"
                arguments: dict[str, Any] = {f"datasets[{k}]": dataset}
                raise DTypeError(restate("ChainDataset", "datasets must be IterableDatasets", fix=fix, **arguments))

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:  # type: ignore[override]
        lengths: list[int] = [len(dataset) for dataset in self.datasets]  # type: ignore[arg-type, misc]
        return sum(lengths)

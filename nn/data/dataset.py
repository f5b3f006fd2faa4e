"""Datasets: items by index, and whole batches in one step.

Datasets return NumPy arrays; `DataLoader` converts their batches to tensors.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import as_array
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.nn.data.collate import collate
from tensorgrad.nn.data.seeding import as_generator
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor


class Dataset:
    """The base of map-style datasets: a subclass defines `len(dataset)` and `dataset[i]`, usually a tuple (x, y).

    `batch(indices)` by default collates single items; a dataset that can fetch many items faster overrides it.
    `classes` holds the names of the labels 0, 1, 2, ..., or None.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 10
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> Squares().batch([2, 3])
    (array([2, 3]), array([4, 9]))
    """

    classes: tuple[str, ...] | None = None

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__, the number of its items")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__, one item by its index")

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        """The items at `indices`, stacked field by field along a new first axis."""
        return collate([self[int(i)] for i in indices])

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])

    def __repr__(self) -> str:
        return described(self)


def described(dataset: Any) -> str:
    """What kind of dataset it is, and how many items it has.

    >>> described([1, 2]), described(TensorDataset(np.zeros((3, 2))))
    ('list(2 items)', 'TensorDataset(3 items)')
    """
    try:
        count = f"{len(dataset):,} items"
    except (TypeError, NotImplementedError):  # a stream, or a class that isn't finished
        count = ""
    return f"{type(dataset).__name__}({count})"


class TensorDataset(Dataset):
    """A dataset of arrays: item i is `(array_0[i], array_1[i], ...)`, a Tensor for each field that was given as one.

    Args:
        arrays: arrays, Tensors or lists of numbers, all of the same length. An array's memory is shared, not copied;
            `tensors` holds what was given.
        classes: the names of the labels, if they have names.

    A batch is one gather per array, without a loop over the items, and never shares memory with the dataset.

    Raises:
        ShapeError: the arrays differ in length.
        RangeError: an index out of range.

    >>> dataset = TensorDataset(np.arange(6).reshape(3, 2), np.array([0, 1, 0]), classes=("even", "odd"))
    >>> len(dataset), dataset[1][0].tolist(), dataset.batch([2, 0])[0].tolist()
    (3, [2, 3], [[4, 5], [0, 1]])
    """

    def __init__(self, *arrays: TensorLike, classes: Sequence[str] | None = None) -> None:
        self.tensors = arrays
        self.arrays = tuple(as_array(array) for array in arrays)
        self.classes = None if classes is None else tuple(classes)
        if not arrays or any(a.ndim == 0 for a in self.arrays) or len({len(a) for a in self.arrays}) > 1:
            named: dict[str, Any] = {f"arrays[{i}]": array for i, array in enumerate(self.arrays)}
            problem = "the arrays must have a common length, the size of their first axis"
            raise ShapeError(restate("TensorDataset", problem, expected="one array or more", **named))

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __repr__(self) -> str:
        fields = (f"{array.shape[1:] or 'scalar'} {array.dtype}" for array in self.arrays)
        return f"{described(self)[:-1]}: {', '.join(fields)})"

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        try:
            fields = tuple(array[index] for array in self.arrays)
            return tuple(
                Tensor(field) if isinstance(given, Tensor) else field
                for field, given in zip(fields, self.tensors, strict=True)
            )
        except IndexError as error:
            expected = f"an index of the {len(self)} items"
            raise RangeError(restate("TensorDataset[...]", str(error), expected=expected, index=index)) from None

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, ...]:
        """The items at `indices` as one array per field: shapes (len(indices), ...)."""
        indices = as_indices("TensorDataset.batch", indices, len(self))
        # `take` is 1.2 to 1.3 times as fast as `array[indices]` on MNIST.
        # (N, ...) -> (len(indices), ...)
        return tuple(np.take(array, indices, axis=0) for array in self.arrays)


class Subset(Dataset):
    """Some of a dataset's items, in the order of `indices`.

    Args:
        dataset: anything with a length and items.
        indices: integers; they may repeat, and be negative as in a list.

    Raises:
        RangeError: an index out of range, when the Subset is made.
        DTypeError: indices that aren't integers.

    >>> Subset(TensorDataset(np.array([10, 11, 12, 13])), [3, 1]).batch([0, 1])[0].tolist()
    [13, 11]
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | np.ndarray) -> None:
        self.dataset = dataset
        self.indices = as_indices("Subset", indices, len(dataset))
        self.classes = getattr(dataset, "classes", None)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[check_index("Subset[...]", index, len(self))])]

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        """The items at `indices` of the subset, fetched as one batch of the dataset below."""
        return gather(self.dataset, self.indices[as_indices("Subset.batch", indices, len(self))])


class ConcatDataset(Dataset):
    """Several datasets, one after the other; `a + b` of two `Dataset`s is one.

    Args:
        datasets: the datasets, at least one.

    `cumulative_sizes` holds the number of items up to the end of each dataset.

    Raises:
        ArgumentError: no datasets.
        DTypeError: a dataset without length or items.
        RangeError: an index out of range.

    >>> both = ConcatDataset(["ab", "cde"])
    >>> len(both), both[1], both[2], both[-1], both.cumulative_sizes
    (5, 'b', 'c', 'e', [2, 5])
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError(restate("ConcatDataset", "datasets must not be empty", datasets=self.datasets))
        for k, dataset in enumerate(self.datasets):
            if not callable(getattr(dataset, "__len__", None)):
                arguments: dict[str, Any] = {f"datasets[{k}]": dataset}
                problem, fix = "datasets must have __len__ and __getitem__", "ChainDataset joins streams"
                raise DTypeError(restate("ConcatDataset", problem, fix=fix, **arguments))
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))
        self.classes = getattr(self.datasets[0], "classes", None)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        index = check_index("ConcatDataset[...]", index, len(self)) % len(self)
        part = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[part][index - (self.cumulative_sizes[part - 1] if part else 0)]


class StackDataset(Dataset):
    """Several datasets of equal length side by side: item i is a tuple of their items i, or a dict of them.

    Args:
        args: the datasets of a tuple.
        kwargs: the datasets of a dict, by name; either `args` or `kwargs`.

    Raises:
        ArgumentError: no datasets, or both `args` and `kwargs`.
        ShapeError: datasets of unequal length.

    >>> StackDataset("abc", [1, 2, 3])[1], StackDataset(image="abc", label=[1, 2, 3])[2]
    (('b', 2), {'image': 'c', 'label': 3})
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            problem = "pass datasets either by position, for tuples, or by name, for dicts"
            raise ArgumentError(restate("StackDataset", problem, args=args, kwargs=kwargs))
        self.datasets: Any = args or kwargs
        lengths = [len(dataset) for dataset in args or kwargs.values()]
        if len(set(lengths)) > 1:
            raise ShapeError(restate("StackDataset", "the datasets must have one length", lengths=lengths))
        self._length = lengths[0]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)


class TransformDataset(Dataset):
    """A dataset whose items are `transform(*fields)` of another dataset's, computed whenever they are read.

    Args:
        dataset: anything with a length and items.
        transform: a function of the fields, whose first axis is the batch (a single item is a batch of one). It returns
            a tuple with any number of fields.

    A transform that draws random numbers has its own generator, which isn't part of the state of a `DataLoader`.

    Raises:
        DTypeError: `transform` isn't callable.

    >>> plain = TensorDataset(np.array([[0, 255], [51, 0]], np.uint8), np.array([0, 1]))
    >>> scaled = TransformDataset(plain, lambda x, y: (x / np.float32(255), y))
    >>> scaled.batch([1, 0])[0].tolist() == [[np.float32(0.2), 0], [0, 1]]
    True
    """

    def __init__(self, dataset: Any, transform: Callable[..., tuple]) -> None:
        if not callable(transform):
            problem = "transform must be a function of the batch's fields, such as lambda x, y: (x / 255, y)"
            raise DTypeError(restate("TransformDataset", problem, transform=transform))
        self.dataset = dataset
        self.transform = transform
        self.classes = getattr(dataset, "classes", None)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple:
        return tuple(field[0] for field in self.batch([check_index("TransformDataset[...]", index, len(self))]))

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """The items at `indices`, transformed together."""
        fields = gather(self.dataset, indices)
        result = self.transform(*fields) if isinstance(fields, tuple) else self.transform(fields)
        return result if isinstance(result, tuple) else (result,)


def gather(dataset: Any, indices: Sequence[int] | np.ndarray) -> Any:
    """A batch of any dataset: by `Dataset.batch`, or item by item for other objects."""
    return dataset.batch(indices) if isinstance(dataset, Dataset) else collate([dataset[int(i)] for i in indices])


def random_split(
    dataset: Any, lengths: Sequence[int] | Sequence[float], generator: np.random.Generator | int | None = None
) -> list[Subset]:
    """Split a dataset at random into disjoint parts that cover it.

    Args:
        dataset: anything with a length and items.
        lengths: integers that sum to `len(dataset)`, or floats that sum to 1. Fractions of the length are rounded down;
            the first parts get one of the remaining items each.
        generator: a `numpy.random.Generator`, an int seed, or None for the package's generator.

    Raises:
        ArgumentError: lengths that are negative or have another sum.
        DTypeError: another type of generator.

    >>> [len(part) for part in random_split(range(10), [0.75, 0.25], generator=0)]
    [8, 2]
    """
    lengths = _split_lengths(lengths, len(dataset))
    order = as_generator("random_split", generator).permutation(len(dataset))
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(lengths[:-1]))]


def _split_lengths(lengths: Sequence[int] | Sequence[float], total: int) -> list[int]:
    """Integer lengths that sum to `total`, from lengths or fractions."""
    parts = np.atleast_1d(np.asarray(lengths))
    whole = parts.dtype.kind in "iu"
    fits = parts.ndim == 1 and parts.size > 0 and parts.dtype.kind in "iuf" and bool((parts >= 0).all())
    if not fits or not (parts.sum() == total if whole else math.isclose(parts.sum(), 1, abs_tol=1e-6)):
        problem = f"lengths must be integers ≥ 0 that sum to {total}, the number of items, or floats ≥ 0 that sum to 1"
        raise ArgumentError(restate("random_split", problem, lengths=lengths))
    if whole:
        return parts.tolist()
    # 1e-9 is added since rounding errors such as 0.29 * 100 = 28.999999999999996 would lose an item.
    sizes = [math.floor(fraction * total + 1e-9) for fraction in parts.tolist()]
    remaining = total - sum(sizes)
    return [n + (i < remaining) for i, n in enumerate(sizes)]


def check_index(call: str, index: int, length: int) -> int:
    """The index. Raises RangeError if it is out of range: an IndexError, which ends `for item in dataset`."""
    if not -length <= index < length:
        raise RangeError(restate(call, f"index must be in [{-length}, {length}), got {index}", index=index))
    return index


def as_indices(call: str, indices: Sequence[int] | np.ndarray, length: int) -> np.ndarray:
    """`indices` as a 1-D integer array. Raises DTypeError for others, RangeError outside [−length, length)."""
    array = np.asarray(indices)
    if array.size == 0:
        array = array.astype(np.intp)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        fix = "np.flatnonzero(mask) turns a mask into indices" if array.dtype.kind == "b" else ""
        raise DTypeError(restate(call, "indices must be a 1-D sequence of integers", fix=fix, indices=array))
    outside = (array < -length) | (array >= length)
    if outside.any():
        problem = f"index {array[outside][0]} is out of range"
        raise RangeError(restate(call, problem, expected=f"indices of the {length} items", indices=array))
    return array

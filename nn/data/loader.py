"""DataLoader: shuffled batches of a dataset, resumable in the middle of an epoch."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.data.collate import to_tensors
from tensorgrad.nn.data.dataset import gather
from tensorgrad.nn.data.seeding import as_generator, generator_state, prepare_generator_state
from tensorgrad.nn.state import is_count


@dataclass
class _Epoch:
    """One pass over the dataset: the order of the items, and the number of batches yielded."""

    order: np.ndarray
    position: int = 0


class DataLoader:
    """Batches of a dataset as Tensors: each `for batch in loader` is one epoch, over every item once.

    Args:
        dataset: a `Dataset`, or anything with a length and items, such as a list of (x, y).
        batch_size: items per batch, an int ≥ 1; the last batch may be smaller.
        shuffle: draw a new order for every epoch.
        drop_last: leave out a last batch that would be smaller.
        generator: the generator for shuffling: a `numpy.random.Generator`, an int seed, or None for the package's
            generator, which `tensorgrad.manual_seed` seeds.
        collate_fn: a function of the list of a batch's items, whose result is yielded unchanged. By default the batch
            comes from `Dataset.batch`, and its arrays of shape (batch, ...) become Tensors.

    The order is drawn when an iteration begins, so equal seeds give equal batches. `state_dict()` and
    `load_state_dict()` allow to resume in the middle of an epoch.

    Raises:
        DTypeError: a dataset without length or items, a generator or collate_fn of another type.
        ArgumentError: a batch size that isn't an int ≥ 1.

    >>> from tensorgrad.nn.data import TensorDataset
    >>> loader = DataLoader(TensorDataset(np.arange(5)), batch_size=2)
    >>> len(loader), [np.asarray(x).tolist() for (x,) in loader]
    (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        generator: np.random.Generator | int | None = None,
        collate_fn: Callable[[list], Any] | None = None,
    ) -> None:
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            problem = "dataset must have __len__ and __getitem__"
            raise DTypeError(restate("DataLoader", problem, dataset=dataset))
        if collate_fn is not None and not callable(collate_fn):
            problem = "collate_fn must be a function of a list of items, or None"
            raise DTypeError(restate("DataLoader", problem, collate_fn=collate_fn))
        self.dataset = dataset
        self.batch_size = _positive_int(batch_size)
        self.shuffle = bool(shuffle)
        self.drop_last = bool(drop_last)
        self.collate_fn = collate_fn
        self.generator = as_generator("DataLoader", generator)
        self._epoch: _Epoch | None = None  # the current pass; None between epochs
        self._resuming = False  # whether the next iteration continues the current pass

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        epoch = self._epoch if self._resuming else None
        if epoch is None:
            epoch = self._epoch = _Epoch(self._draw_order())
        self._resuming = False
        return self._batches(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The state that determines all further batches, as values that JSON can represent.

        Keys: `position`, the number of batches yielded in the current epoch, or None between epochs; `order`, its
        permutation if shuffled; `generator`, the generator's state if shuffled; and `length`, `batch_size`, `shuffle`
        and `drop_last`, which must be the same in the loader that loads the state.
        """
        epoch = self._epoch
        return {
            **self._identity(),
            "position": None if epoch is None else epoch.position,
            "order": epoch.order.tolist() if epoch is not None and self.shuffle else None,
            "generator": generator_state(self.generator) if self.shuffle else None,
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
        epoch = self._saved_epoch(call, state)
        put_back = prepare_generator_state(call, self.generator, state.get("generator")) if self.shuffle else None

        def load() -> None:
            if put_back is not None:
                put_back()
            self._epoch = epoch
            self._resuming = epoch is not None

        return load

    def _identity(self) -> dict[str, Any]:
        settings = {name: getattr(self, name) for name in ("batch_size", "shuffle", "drop_last")}
        return {"length": len(self.dataset), **settings}

    def _draw_order(self) -> np.ndarray:
        n = len(self.dataset)
        return self.generator.permutation(n) if self.shuffle else np.arange(n)

    def _batches(self, epoch: _Epoch) -> Iterator[Any]:
        for position in range(epoch.position, len(self)):
            start = position * self.batch_size
            batch = self._fetch(epoch.order[start : start + self.batch_size])
            # Counted before it is yielded: a state taken inside the loop's body resumes after this batch.
            epoch.position = position + 1
            yield batch
        if self._epoch is epoch:
            self._epoch = None

    def _fetch(self, indices: np.ndarray) -> Any:
        if self.collate_fn is None:
            return to_tensors(gather(self.dataset, indices))
        return self.collate_fn([self.dataset[int(i)] for i in indices])

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
        return _Epoch(self._saved_order(call, state.get("order")), position)

    def _saved_order(self, call: str, order: Any) -> np.ndarray:
        n = len(self.dataset)
        if not self.shuffle:
            return np.arange(n)
        fits = isinstance(order, list) and len(order) == n and all(map(is_count, order)) and max(order, default=0) < n
        if not fits or len(set(order)) != n:
            raise ArgumentError(restate(call, f"order must be a permutation of the {n} items", order=order))
        return np.array(order, np.intp)


def _positive_int(batch_size: int) -> int:
    try:
        size = operator.index(batch_size)
    except TypeError:
        size = 0
    if isinstance(batch_size, bool) or size < 1:
        problem = f"batch_size must be an int ≥ 1, got {batch_size!r}"
        raise ArgumentError(restate("DataLoader", problem, batch_size=batch_size))
    return size

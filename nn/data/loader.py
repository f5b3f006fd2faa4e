"""The loader: shuffled, batched passes over a dataset that can be stopped and resumed to the bit."""

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
    """One pass: the order of its items and how many batches it has handed out."""

    order: np.ndarray
    position: int = 0


class DataLoader:
    """Batches of a dataset as Tensors: each `for batch in loader` is one epoch, over every item once.

    Args:
        dataset: a `Dataset`, or anything with a length and items, such as a list of (x, y).
        batch_size: items per batch, an int ≥ 1; the last batch may be smaller.
        shuffle: draw a new order for every epoch.
        drop_last: leave out a last batch that would be smaller.
        generator: what shuffling draws from: a `numpy.random.Generator`, an int seed, or None for the package-wide
            generator that `tensorgrad.manual_seed` seeds.
        collate_fn: called with the list of a batch's items; what it returns is yielded as it is. Without it the batch
            is gathered by `Dataset.batch` and its arrays, shapes (batch, ...), become Tensors.

    The order is drawn when an iteration begins, so equal seeds give equal batches. `state_dict()` and
    `load_state_dict()` stop and resume in the middle of an epoch.

    Raises:
        DTypeError: a dataset without length or items, a generator or collate_fn of the wrong kind.
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
            expected, problem = "an object with __len__ and __getitem__", "the dataset has no length or no items"
            raise DTypeError(restate("DataLoader", problem, expected=expected, dataset=dataset))
        if collate_fn is not None and not callable(collate_fn):
            expected, problem = "a function of a list of items, or None", "collate_fn can't be called"
            raise DTypeError(restate("DataLoader", problem, expected=expected, collate_fn=collate_fn))
        self.dataset = dataset
        self.batch_size = _positive_int(batch_size)
        self.shuffle = bool(shuffle)
        self.drop_last = bool(drop_last)
        self.collate_fn = collate_fn
        self.generator = as_generator("DataLoader", generator)
        self._epoch: _Epoch | None = None  # the pass begun last; None between epochs
        self._resuming = False  # whether the next iteration continues that pass instead of beginning one

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        if not self._resuming:
            self._epoch = _Epoch(self._draw_order())
        self._resuming = False
        return self._batches(self._epoch)

    def state_dict(self) -> dict[str, Any]:
        """All that decides the batches still to come, as JSON can hold it.

        Keys: `position`, the batches handed out of the epoch begun last, or None between epochs; `order`, that epoch's
        permutation when shuffled; `generator`, the generator's state when shuffled; and `length`, `batch_size`,
        `shuffle` and `drop_last`, which must be the same where the state is loaded.
        """
        epoch = self._epoch
        return {
            **self._identity(),
            "position": None if epoch is None else epoch.position,
            "order": epoch.order.tolist() if epoch is not None and self.shuffle else None,
            "generator": generator_state(self.generator) if self.shuffle else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken: the next iteration yields the rest of that epoch, then come the later ones.

        A shuffling loader also sets its generator back, the package-wide one too if it draws from that.

        Raises:
            ArgumentError: the state of a loader with another dataset length or other settings, or of another kind of
                generator; this loader is left as it was.

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
        """Check a state whole, change nothing, and return the function that loads it, which can't fail.

        Errors are those of `load_state_dict`.
        """
        call = "DataLoader.load_state_dict"
        if not isinstance(state, dict):
            raise ArgumentError(restate(call, "this is no state", expected="what state_dict() returned", state=state))
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
            # Counted before it is handed out: a state taken inside the loop's body resumes after this batch.
            epoch.position = position + 1
            yield batch
        if self._epoch is epoch:
            self._epoch = None

    def _fetch(self, indices: np.ndarray) -> Any:
        if self.collate_fn is None:
            return to_tensors(gather(self.dataset, indices))
        return self.collate_fn([self.dataset[int(i)] for i in indices])

    def _saved_epoch(self, call: str, state: dict[str, Any]) -> _Epoch | None:
        """The epoch that `state` was taken in, after checking that it is one of this loader's."""
        for name, value in self._identity().items():
            if type(state.get(name)) is not type(value) or state[name] != value:
                problem, expected = f"the state is another loader's: its {name} differs", f"{name} = {value!r}"
                raise ArgumentError(restate(call, problem, expected=expected, **{name: state.get(name, "missing")}))
        position = state.get("position")
        if position is None:
            return None
        if not is_count(position) or position > len(self):
            expected = f"an int from 0 to {len(self)}, or None"
            raise ArgumentError(restate(call, "no position in an epoch", expected=expected, position=position))
        return _Epoch(self._saved_order(call, state.get("order")), position)

    def _saved_order(self, call: str, order: Any) -> np.ndarray:
        n = len(self.dataset)
        if not self.shuffle:
            return np.arange(n)
        fits = isinstance(order, list) and len(order) == n and all(map(is_count, order)) and max(order, default=0) < n
        if not fits or len(set(order)) != n:
            expected = f"a permutation of the {n} items"
            raise ArgumentError(restate(call, "the order isn't a permutation", expected=expected, order=order))
        return np.array(order, np.intp)


def _positive_int(batch_size: int) -> int:
    try:
        size = operator.index(batch_size)
    except TypeError:
        size = 0
    if isinstance(batch_size, bool) or size < 1:
        problem = "no such batch size"
        raise ArgumentError(restate("DataLoader", problem, expected="an int ≥ 1", batch_size=batch_size))
    return size

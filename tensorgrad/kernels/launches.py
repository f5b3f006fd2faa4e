"""Launches of kernels, written down as they happen, and made again by one call.

Around a launch Python looks up a plan, takes buffers and hands over a dozen arguments, which takes as long as a small
kernel itself. Where the same launches are to follow each other once more, in the same memory, the words that their
thunks read (see `calls`) can be kept, and nothing of that is left.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.kernels.calls import call, call_thunk, mark_at
from tensorgrad.kernels.runtime import enter_parallel, loop_address, piece, thunk_of

# In numba's structure of an array: two pointers that kernels don't need, its size, the item's, and then the address.
ADDRESS = 4


class Launch(NamedTuple):
    """A kernel with its arguments; or where a mark must be 0, the one word, if there is no thunk."""

    thunk: int
    words: list[int]
    addresses: list[int]
    """Which of the words are addresses of arrays."""
    pieces: int


class Recorder:
    """What is told to `runtime.recorded`.

    Attributes:
        launches: in order, with the marks that were looked at.
        arrays: their arguments, which have to stay; but for those that `stays` says will stay anyway.
        pure: False if Python has seen numbers that the kernels left.
    """

    def __init__(self, stays: Callable[[np.ndarray], bool]) -> None:
        self.launches: list[Launch] = []
        self.arrays: list[np.ndarray] = []
        self.pure, self._stays = True, stays

    def launched(self, piece: Any, arguments: tuple, pieces: int) -> None:
        """A kernel is about to run."""
        thunk, address = thunk_of(piece, arguments)
        words, addresses = [address], []
        for array in _flatten(arguments, words, addresses):
            self._keep(array)
        self.launches.append(Launch(thunk, words, addresses, pieces))

    def marked(self, marks: np.ndarray) -> None:
        """Marks were looked at, and none was found."""
        self._keep(marks)
        for k in range(marks.size):
            self.launches.append(Launch(0, [marks.ctypes.data + k * marks.strides[0]], [0], 0))
        # Halves of 64 bits, of which one isn't 0 if the whole isn't, are more than are written.
        self.pure = self.pure and marks.ndim == 1 and marks.dtype.kind == "i" and not marks.any()

    def seen(self) -> None:
        """Numbers were looked at."""
        self.pure = False

    def _keep(self, array: np.ndarray) -> None:
        if not self._stays(array):
            self.arrays.append(array)


class Launches:
    """Launches that can be made again, in memory that stays.

    Args:
        launches: as recorded.
        regions: memory that may lie elsewhere each time: pairs (address, bytes).
    """

    def __init__(self, launches: Sequence[Launch], regions: Sequence[tuple[int, int]]) -> None:
        starts = [0, *accumulate(len(launch.words) for launch in launches)][: len(launches)]
        self._words = np.array([word for launch in launches for word in launch.words], np.int64)
        first = self._words.ctypes.data
        # A row per launch: the thunk, where its words are, the pieces.
        rows = [(x.thunk, first + 8 * start, x.pieces) for x, start in zip(launches, starts, strict=True)]
        self._table = np.array(rows, np.int64).reshape(-1, 3)
        self._loop, self._parallel = loop_address(), any(launch.pieces > 1 for launch in launches)
        moved = [
            (start + k, region, launch.words[k] - begin)
            for launch, start in zip(launches, starts, strict=True)
            for k in launch.addresses
            for region, (begin, size) in enumerate(regions)
            if begin <= launch.words[k] < begin + size
        ]
        self._moved = np.array(moved, np.int64).reshape(-1, 3)

    def play(self, regions: np.ndarray) -> bool:
        """Make all launches, given where each region lies now (int64). False if a mark stops them."""
        arguments = (self._loop, self._table, self._words, self._moved, regions)
        return enter_parallel(_play, *arguments) if self._parallel else _play(*arguments)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    yield "play", lambda: Launches([], []).play(np.zeros(0, np.int64))


@piece
def _play(loop, table, words, moved, regions):
    for k in range(len(moved)):
        words[moved[k, 0]] = regions[moved[k, 1]] + moved[k, 2]
    for k in range(len(table)):
        thunk, at, pieces = table[k, 0], table[k, 1], table[k, 2]
        if thunk == 0:
            if mark_at(at) != 0:
                return False
        elif pieces == 1:
            call_thunk(thunk, at, 0, 1)
        else:
            call(loop, (thunk, at), 0, pieces)
    return True


def _flatten(value: Any, words: list[int], addresses: list[int]) -> Iterator[np.ndarray]:
    """Append what a thunk reads of an argument to `words`, and which of these are addresses; yields the arrays."""
    if isinstance(value, np.ndarray):
        addresses.append(len(words) + ADDRESS)
        words += 0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _flatten(part, words, addresses)
    elif isinstance(value, float | np.floating):
        words.append(int(np.array(value).view(f"i{np.array(value).itemsize}")))
    else:
        words.append(int(value))

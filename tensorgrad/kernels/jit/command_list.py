"""Launches of kernels, written down as they happen, and made again by one call.

Around a launch Python looks up a plan, takes buffers and hands over a dozen arguments, which takes as long as a small
kernel itself. Where the same launches are to follow each other once more, in the same memory, the words that their
thunks read (see `calls`) can be kept, and nothing of that is left.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.kernels.jit.dispatch import enter_parallel, kernel, loop_address, thunk_of
from tensorgrad.kernels.jit.opaque import Opaque, Unreadable, is_constant, real
from tensorgrad.kernels.jit.trampolines import call, call_thunk, mark_at

# In numba's structure of an array: two pointers that kernels don't need, its size, the item's, and then the address.
ADDRESS = 4


class Launch(NamedTuple):
    """A kernel with its arguments; or where a mark must be 0, the one word, if there is no thunk."""

    thunk: int
    words: list[int]
    addresses: list[int]
    """Which of the words are addresses of arrays."""
    chunks: int


class Recorder:
    """What is told to `runtime.recorded`: it writes down launches on opaque arrays and constants, and refuses others.

    Attributes:
        launches: in order, with the marks that were looked at.
        constants: those among their arguments, which have to stay.
    """

    def __init__(self) -> None:
        self.launches: list[Launch] = []
        self.constants: list[np.ndarray] = []

    def launched(self, kernel: Any, arguments: tuple, chunks: int) -> tuple:
        """A kernel is about to run: the arguments that it gets."""
        for array in _plain_arrays(arguments):
            if not is_constant(array):
                raise Unreadable("a kernel is given an array that NumPy has made: a replay would not make it anew")
            self.constants.append(array)
        arguments = real(arguments)
        thunk, address = thunk_of(kernel, arguments)
        words, addresses = [address], []
        _flatten(arguments, words, addresses)
        self.launches.append(Launch(thunk, words, addresses, chunks))
        return arguments

    def marked(self, marks: Opaque) -> np.ndarray:
        """Marks are looked at, (M,) int64: those that the kernels have left now. A replay goes on where all are 0."""
        array = real(marks)
        if type(marks) is not Opaque or array.ndim != 1 or array.dtype.kind != "i" or array.any():
            raise Unreadable("a kernel has left a mark")
        for k in range(array.size):
            self.launches.append(Launch(0, [array.ctypes.data + k * array.strides[0]], [0], 0))
        return array

    def seen(self, array: np.ndarray | Opaque) -> np.ndarray:
        """Numbers are looked at."""
        raise Unreadable("Python decides by the numbers of an array")


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
        rows = [(x.thunk, first + 8 * start, x.chunks) for x, start in zip(launches, starts, strict=True)]
        self._table = np.array(rows, np.int64).reshape(-1, 3)
        self._loop, self._parallel = loop_address(), any(launch.chunks > 1 for launch in launches)
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


@kernel
def _play(loop, table, words, moved, regions):
    for k in range(len(moved)):
        words[moved[k, 0]] = regions[moved[k, 1]] + moved[k, 2]
    for k in range(len(table)):
        thunk, at, chunks = table[k, 0], table[k, 1], table[k, 2]
        if thunk == 0:
            if mark_at(at) != 0:
                return False
        elif chunks == 1:
            call_thunk(thunk, at, 0, 1)
        else:
            call(loop, (thunk, at), 0, chunks)
    return True


def _plain_arrays(arguments: tuple) -> Iterator[np.ndarray]:
    """The arrays among arguments that aren't opaque."""
    for value in arguments:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from _plain_arrays(value)


def _flatten(value: Any, words: list[int], addresses: list[int]) -> None:
    """Append what a thunk reads of an argument to `words`, and which of these are addresses."""
    if isinstance(value, np.ndarray):
        addresses.append(len(words) + ADDRESS)
        words += 0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides
    elif isinstance(value, tuple):
        for part in value:
            _flatten(part, words, addresses)
    elif isinstance(value, float | np.floating):
        words.append(int(np.array(value).view(f"i{np.array(value).itemsize}")))
    else:
        words.append(int(value))

"""Captured steps: command lists and host calls over fixed memory, and who owns their results."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays import memory
from tensorgrad.compiler.capture.capturing import Capturing, NotCapturable, begins_within, place_of
from tensorgrad.compiler.capture.host_calls import HostCall, Made
from tensorgrad.compiler.steps import Step
from tensorgrad.kernels.jit.opaque import extent, real

LIMIT = memory.LIMIT
"""Bytes that a capture holds at most: as many as the pool of buffers, from which the steps themselves take theirs."""


class Captured:
    """Steps that were captured on some arrays, and can run on others of the same shapes, dtypes and layouts.

    Args:
        steps: the steps, in order.
        parameters: the names of the arrays that a caller passes in each run.
        arrays: those arrays, one per parameter, in the run that captures.
        wanted: the names of the arrays that a run returns.
        constants: the arrays that stay the same in all runs, by name.
        made: what those steps have returned for these arrays that mustn't be run once more.

    Attributes:
        invalid: whether a run stopped halfway, or the number of threads has changed.

    Raises:
        NotCapturable: the steps or the arrays can't be captured.
        memory.ArenaFull: the steps need too much memory.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        parameters: Sequence[str],
        arrays: Sequence[np.ndarray],
        wanted: Sequence[str],
        constants: dict[str, np.ndarray],
        made: Made,
    ) -> None:
        if not all(array.flags.carray for array in arrays):
            raise NotCapturable  # kernels would get copies
        if any(
            begins_within(one, place_of(other)) or begins_within(other, place_of(one))
            for one, other in combinations(arrays, 2)
        ):
            raise NotCapturable  # arrays overlap, but in a later run each may lie somewhere else
        self.invalid = False
        self._threads, self._arena = kernels.dispatch.get_num_threads(), memory.Arena(LIMIT)
        self._places = [place_of(array) for array in arrays]
        self._kinds = [(array.shape, array.dtype) for array in arrays]
        self._known = [weakref.ref(array) for array in arrays]  # the arrays of the last run
        self._held: list[np.ndarray] = []
        capture = Capturing(self._arena, steps, parameters, arrays, wanted, constants, made)
        parts = capture.parts
        hosts = sum(type(part) is HostCall for part in parts)
        if sum(len(part) for part in parts if type(part) is list) <= hosts:
            raise NotCapturable  # a host call costs as much as a launch saves
        self._held, self._views = capture.held, capture.views
        self._plan_results(capture, wanted)
        regions = [*self._places, *(place for place, *_ in self._fresh.values())]
        self._units = [
            part if isinstance(part, HostCall) else kernels.command_list.CommandList(part, regions) for part in parts
        ]
        self._starts = np.array([begin for begin, _ in regions], np.int64)  # where the regions lie in this run

    @property
    def nbytes(self) -> int:
        """Bytes of the fixed memory."""
        return self._arena.nbytes

    def fill(self, byte: int) -> None:
        """Overwrite all memory between the steps."""
        self._arena.fill(byte)

    def run(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray] | None:
        """The wanted arrays by name, owned by the caller; None if it stopped halfway.

        It stops where a kernel sets its status flag, or a host call's result has other strides than at the capture.

        `follow` must have returned True for the arrays.
        """
        found: dict[str, np.ndarray] = {}
        # A fresh result lies in a buffer of its own, at the offset at which the capture's buffer held it.
        for k, (name, ((_, size), offset, like)) in enumerate(self._fresh.items(), len(arrays)):
            buffer = memory.empty((size,), np.uint8)
            self._starts[k] = buffer.ctypes.data
            found[name] = buffer[offset : offset + like.nbytes].view(like.dtype).reshape(like.shape)
        for unit in (*self._views, *self._units):
            if not (unit(arrays, found) if isinstance(unit, HostCall) else unit.play(self._starts)):
                self.invalid = True
                return None
        for name, array in self._copied.items():
            found[name] = _copied(array)
        for name in self._by_host:
            # The next run overwrites fixed memory, so a result that is a view of it is copied.
            if _borrows(found[name], self._stays):
                found[name] = _copied(found[name])
        return found

    def follow(self, arrays: Sequence[np.ndarray]) -> bool:
        """Note parameters that have moved.

        Returns:
            False if the capture can't run: an array has another shape, dtype or layout, or the number of threads has
            changed.
        """
        for k, array in enumerate(arrays):
            if self._known[k]() is not array:
                if (array.shape, array.dtype) != self._kinds[k] or not array.flags.carray:
                    return False
                self._known[k], self._starts[k] = weakref.ref(array), array.ctypes.data
        self.invalid = kernels.dispatch.get_num_threads() != self._threads
        return kernels.dispatch.parallel_with(self._threads)

    def _plan_results(self, capture: Capturing, wanted: Sequence[str]) -> None:
        """Decide how the caller comes to own each result.

        - A result that lies alone in a buffer of the arena is *fresh*: each run gives the launches another buffer.
        - A result by a host call is returned as it is, unless it is a view of fixed memory.
        - Any other result is copied out of fixed memory at the end of a run.
        """
        self._by_host = [name for name in wanted if name in capture.by_host or capture.returned_by_view(name)]
        self._stays = [*self._arena.buffers(), *map(place_of, self._held)]
        self._fresh: dict[str, tuple[tuple[int, int], int, np.ndarray]] = {}
        self._copied: dict[str, np.ndarray] = {}
        made = [real(capture.known[name]) for name in wanted if not capture.returned_by_view(name)]
        if any(np.may_share_memory(one, other) for one, other in combinations(made, 2)):
            raise NotCapturable  # each would be copied, and a change of one would not be seen in the other
        for name in wanted:
            if name in self._by_host:
                continue
            array = real(capture.known[name])
            place = next((place for place in self._arena.buffers() if begins_within(array, place)), None)
            others = (*self._held, *(real(capture.known[other]) for other in wanted if other != name))
            alone = place is not None and not any(begins_within(x, place) for x in others)
            if place is not None and alone and array.nbytes >= memory.SMALLEST and array.flags.carray:
                # An array of that shape and dtype, without its memory.
                like = np.broadcast_to(np.empty((), array.dtype), array.shape)
                self._fresh[name] = place, array.ctypes.data - place[0], like
            else:
                self._copied[name] = array


def _copied(array: np.ndarray) -> np.ndarray:
    """A copy with the same strides. Sums run in the order of memory, so another layout could change their last bits."""
    if array.flags.carray:
        return array.copy()
    shape, strides, dtype = array.shape, array.strides, array.dtype
    count, at = extent(shape, strides, dtype.itemsize)
    copy = np.ndarray(shape, dtype, np.empty(count, dtype), at * dtype.itemsize, strides)
    once = tuple([slice(None if stride else 1) for stride in strides])  # an axis of stride 0 has one element in memory
    np.copyto(copy[once], array[once])
    copy.flags.writeable = array.flags.writeable
    return copy


def _borrows(array: np.ndarray, places: Sequence[tuple[int, int]]) -> bool:
    """Whether the array is a view of memory in one of these places."""
    if array.base is None:
        return False
    start = array.ctypes.data
    return any(begin <= start < begin + size for begin, size in places)

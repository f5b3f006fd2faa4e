"""Where arrays lie in memory: their bounds, whether they overlap, and where a part lies in its whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays.memory import empty
from tensorgrad.kernels.jit.opaque import view_of

BYTE = np.dtype(np.uint8)


def address(array: np.ndarray) -> int:
    """The address of element 0."""
    return array.__array_interface__["data"][0]


def bounds(array: np.ndarray) -> tuple[int, int]:
    """The addresses of the first byte and behind the last."""
    low = high = address(array)
    if not array.size:
        return low, low
    for n, stride in zip(array.shape, array.strides, strict=True):
        low += min((n - 1) * stride, 0)
        high += max((n - 1) * stride, 0)
    return low, high + array.itemsize


def same_memory(view: np.ndarray, array: np.ndarray) -> bool:
    """Whether `view` was made as a view of `array`, or is it."""
    return view is array or (view.base is not None and (view.base is array or view.base is array.base))


def lies_within(part: np.ndarray, whole: np.ndarray) -> bool:
    """Whether all bytes of `part` lie between the first and the last of `whole`."""
    (low, high), (start, end) = bounds(part), bounds(whole)
    return start <= low and high <= end


class Place(NamedTuple):
    """Where an array lies in another one, its whole. Offsets and strides are in bytes, as in NumPy.

    Offsets count from the lowest byte of the whole, which may have any strides.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    whole_shape: tuple[int, ...]
    whole_strides: tuple[int, ...]
    whole_offset: int
    size: int
    dtype: np.dtype
    writeable: bool

    @classmethod
    def of(cls, part: np.ndarray, whole: np.ndarray) -> Place:
        """The place of `part`, a view of `whole`."""
        low, high = bounds(whole)
        offset = address(part) - low if part.size else 0
        whole_offset = address(whole) - low
        within = part.shape, part.strides, offset, whole.shape, whole.strides, whole_offset
        return cls(*within, high - low, whole.dtype, part.flags.writeable)

    @property
    def is_whole(self) -> bool:
        """Whether the part is the whole, element for element."""
        return self[:3] == self[3:6]

    def read(self, whole: np.ndarray) -> np.ndarray:
        """The part of an array of the whole's shape; a view where the array is laid out as the whole was."""
        place = self._in(whole.dtype)
        contiguous = whole.flags.c_contiguous and whole.nbytes == place.size
        laid_out = contiguous and whole.strides == place.whole_strides
        part = place._part(whole if laid_out else place._copied(whole))
        part.flags.writeable = self.writeable and part.flags.writeable
        return part

    def replaced(self, whole: np.ndarray, part: np.ndarray) -> np.ndarray:
        """A copy of an array of the whole's shape, with other values in the part."""
        place = self._in(np.result_type(whole, part))
        memory = place._copied(whole)
        kernels.copies.copy(part, place._part(memory))
        return place._whole(memory)

    def embedded(self, part: np.ndarray) -> np.ndarray:
        """An array of the whole's shape: `part` in its place, 0 elsewhere. Elements at one address are added up."""
        place = self._in(part.dtype)
        memory = np.zeros(place.size, BYTE)
        target = place._part(memory)
        if overlaps_itself(target):
            places, which = np.unique(place._addresses(), return_inverse=True)
            sums = np.bincount(which.ravel(), part.ravel())  # in float64
            bytes_of = sums.astype(part.dtype).view(BYTE).reshape(len(places), -1)
            memory[places[:, None] + np.arange(part.itemsize)] = bytes_of
        else:
            target[...] = part
        return place._whole(memory)

    def _addresses(self) -> np.ndarray:
        """Where in the memory each element of the part begins, in bytes."""
        places = np.asarray(self.offset)
        for n, stride in zip(self.shape, self.strides, strict=True):
            places = places[..., None] + stride * np.arange(n)
        return places

    def _in(self, dtype: np.dtype) -> Place:
        """The same place among elements of another dtype: finite differences compute in float64."""
        if dtype == self.dtype:
            return self
        n = max(1, -(-dtype.itemsize // self.dtype.itemsize))  # so that wider elements don't overlap
        return Place(
            shape=self.shape,
            strides=tuple(n * stride for stride in self.strides),
            offset=n * self.offset,
            whole_shape=self.whole_shape,
            whole_strides=tuple(n * stride for stride in self.whole_strides),
            whole_offset=n * self.whole_offset,
            size=n * self.size,
            dtype=dtype,
            writeable=self.writeable,
        )

    def _copied(self, whole: np.ndarray) -> np.ndarray:
        memory = empty((self.size,), BYTE)
        kernels.copies.copy(whole, self._whole(memory))
        return memory

    def _part(self, memory: np.ndarray) -> np.ndarray:
        return view_of(memory, self.shape, self.dtype, self.offset, self.strides)

    def _whole(self, memory: np.ndarray) -> np.ndarray:
        return view_of(memory, self.whole_shape, self.dtype, self.whole_offset, self.whole_strides)


def overlaps_itself(array: np.ndarray) -> bool:
    """Whether several elements lie at one address, as after broadcasting: a write there would be ambiguous."""
    reach = array.itemsize  # bytes that one run along the axes looked at so far covers
    axes = sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1)
    if not array.size:
        return False
    for stride, n in axes:
        if stride < reach:
            return bool(axes[0][0] == 0) or _repeats_an_address(array)
        reach += (n - 1) * stride
    return False


def _repeats_an_address(array: np.ndarray) -> bool:
    """Compare the addresses of all elements: for strides that interleave."""
    places = np.zeros(1, np.int64)
    for stride, n in zip(array.strides, array.shape, strict=True):
        places = (places[:, None] + stride * np.arange(n)).ravel()
    places.sort()
    return bool((np.diff(places) < array.itemsize).any())


def is_same_place(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether both arrays have the same elements in the same order at the same places."""
    return address(one) == address(other) and one.shape == other.shape and one.strides == other.strides

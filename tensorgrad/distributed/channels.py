"""The two ways in which numbers travel between processes: memory that the processes of a machine share, and messages.

Shared memory is for up to eight processes of one machine, messages for more and for several machines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import pack_into, unpack_from
from typing import Any, Protocol

import numpy as np
from mpi4py import MPI

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import KERNEL_FLOATS
from tensorgrad.distributed.world import DistributedError
from tensorgrad.errors import restate
from tensorgrad.kernels.fallback import exchange as fallback
from tensorgrad.kernels.fallback.exchange import LINE, portions

Arrays = Sequence[np.ndarray]
Test = Callable[[], bool]
"""Whether an exchange is complete."""
Wait = Callable[[Test], None]
"""Waits for it; raises where that takes too long."""

OPERATIONS = {"sum": (MPI.SUM, np.add), "product": (MPI.PROD, np.multiply),
              "min": (MPI.MIN, np.minimum), "max": (MPI.MAX, np.maximum)}  # fmt: skip

LARGEST = 8
"""Processes that share memory at most. Each of R reads R - 1 arrays there; with MPI's messages it gets about two."""

NUMBERS, ARRAYS = 0, 1
"""Kinds of steps. Where two processes are in steps of different kinds, neither reads what the other has written."""

HALF = 1 << 19
"""Bytes that a process publishes at once; longer arrays take several steps."""


class Channel(Protocol):
    """How numbers travel."""

    def begin_exchange(self, numbers: Sequence[float]) -> tuple[Test, Callable[[], list[tuple[float, ...]]]]:
        """Begin to send a few numbers, as many as the others send.

        Returns:
            Whether the numbers of all processes are here; and then what they are.
        """

    def reduce(self, arrays: Arrays, out: Arrays, operation: str, factor: float, wait: Wait) -> None:
        """Reduce arrays over all processes: see `World.reduce`."""


def channel(communicator: Any) -> Channel:
    """Shared memory, where all processes can have it; otherwise messages."""
    here = communicator.Split_type(MPI.COMM_TYPE_SHARED)
    shared = None
    if here.size == communicator.size <= LARGEST:
        try:
            shared = SharedMemory(communicator)
        except MPI.Exception:  # the machine has none left, or the MPI has no such windows
            shared = None
    here.Free()
    return shared if communicator.allreduce(shared is not None, MPI.LAND) and shared else Messages(communicator)


class Messages:
    """Exchanges of MPI, which are begun without blocking."""

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator

    def begin_exchange(self, numbers: Sequence[float]) -> tuple[Test, Callable[[], list[tuple[float, ...]]]]:
        """Begin MPI's all-gather."""
        own = np.array(numbers, np.float64)
        # (N,) -> (size, N)
        everybody = np.empty((self._communicator.size, own.size))
        return self._communicator.Iallgather(own, everybody).Test, lambda: [tuple(row) for row in everybody.tolist()]

    def reduce(self, arrays: Arrays, out: Arrays, operation: str, factor: float, wait: Wait) -> None:
        """Make MPI's all-reduce of one flat array."""
        flat = np.concatenate([x.reshape(-1) for x in arrays], dtype=_exchanged(out), casting="same_kind")
        wait(self._communicator.Iallreduce(MPI.IN_PLACE, flat, OPERATIONS[operation][0]).Test)
        if factor != 1:
            flat *= flat.dtype.type(factor)
        start = 0
        for y in out:
            y[...] = flat[start : start + y.size].reshape(y.shape)
            start += y.size


class SharedMemory:
    """A window of MPI with a part for each process, which it alone writes and all read.

    An exchange is a step, or several. In a step each process writes into one half of its part, then sets its counter to
    the number and kind of the step, then waits until the counters of the others have come as far, and reads their
    halves. The next step uses the other halves. So a half is written again after all have published the step between,
    before which they had read what was there.

    Raises:
        MPI.Exception: there is no room for the memory.
    """

    def __init__(self, communicator: Any) -> None:
        self._size, self._rank = communicator.size, communicator.rank
        self._window = MPI.Win.Allocate_shared(2 * LINE + 2 * HALF, 1, comm=communicator)
        self._window.Lock_all(MPI.MODE_NOCHECK)  # what `Sync` needs, which keeps numbers and counters in their order
        query: Any = self._window.Shared_query
        parts = [np.frombuffer(query(rank)[0], np.uint8) for rank in range(self._size)]
        # The counter has a line for itself: writing to it takes the line from all who read it.
        parts = [part[-part.ctypes.data % LINE :] for part in parts]
        self._halves = [[part[start : start + HALF] for part in parts] for start in (LINE, LINE + HALF)]
        counters = [part[:8].data.cast("q") for part in parts]
        self._counter, self._others = counters[self._rank], counters[: self._rank] + counters[self._rank + 1 :]
        self._counter[0] = self._step = 0
        self._window.Sync()
        communicator.Barrier()

    def begin_exchange(self, numbers: Sequence[float]) -> tuple[Test, Callable[[], list[tuple[float, ...]]]]:
        """Publish the numbers."""
        form, halves = f"{len(numbers)}d", self._next()
        pack_into(form, halves[self._rank].data, 0, *numbers)
        return self._publish(NUMBERS), lambda: [unpack_from(form, half.data) for half in halves]

    def reduce(self, arrays: Arrays, out: Arrays, operation: str, factor: float, wait: Wait) -> None:
        """Combine what all processes have written in the order of their ranks: so all have the same bits."""
        dtype = _exchanged(out)
        # Kernels take arrays by their addresses.
        own = [x if x.flags.carray and x.dtype == dtype else np.array(x, dtype, order="C") for x in arrays]
        results = [y if y.dtype == dtype else np.empty(y.shape, dtype) for y in out]
        by_kernel = operation == "sum" and dtype in KERNEL_FLOATS and kernels.dispatch.COMPILED
        table = kernels.exchange.Table.of(own, results) if by_kernel else None
        for portion in portions(tuple([x.size for x in own]), HALF // dtype.itemsize, dtype.itemsize):
            halves = [half.view(dtype) for half in self._next()]
            if table is not None:
                kernels.exchange.write(table, portion, halves[self._rank])
            else:
                fallback.write(own, portion, halves[self._rank])
            wait(self._publish(ARRAYS))
            if table is not None:
                kernels.exchange.add(table, halves, self._rank, portion, factor)
            else:
                fallback.combine(halves, portion, results, OPERATIONS[operation][1], factor)
        for y, result in zip(out, results, strict=True):
            if y is not result:
                y[...] = result

    def _next(self) -> list[np.ndarray]:
        """What each process writes in the next step, as bytes."""
        return self._halves[(self._step + 1) % 2]

    def _publish(self, kind: int) -> Test:
        """Let the others read what was written; the test says whether all of them have come as far."""
        self._step += 1
        now, sync, others = 2 * self._step + kind, self._window.Sync, self._others
        sync()
        self._counter[0] = now

        def published() -> bool:
            for counter in others:
                theirs = counter[0]
                if theirs // 2 < now // 2:
                    return False
                if theirs // 2 == now // 2 and theirs != now:
                    problem = "another rank left an exchange before it was complete, by an error that it caught"
                    fix = "don't catch errors of exchanges; what isn't caught ends all ranks"
                    raise DistributedError(restate("tensorgrad.distributed", problem, fix=fix))
            sync()
            return True

        return published


def _exchanged(out: Arrays) -> np.dtype:
    """The dtype in which numbers travel and are added: MPI has no half precision, and native byte order alone."""
    return np.dtype(np.float32) if out[0].dtype == np.float16 else out[0].dtype.newbyteorder("=")

"""The processes that compute together, the *world*: each has a number, its *rank*, and exchanges arrays with others.

A process by itself is a world of one, in which every exchange returns what was given. `mpiexec -n 4` starts a world of
four, whose exchanges MPI makes: see `mpi.py`. So what is written for several processes runs in one, unchanged.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Sequence

import numpy as np

from tensorgrad.errors import TensorgradError, restate

DEFAULT_TIMEOUT = 300.0
"""The seconds that a process waits for the others."""


class DistributedError(TensorgradError, RuntimeError):
    """Processes that compute together disagree about what they do next, or one of them doesn't come."""

    repeatable = False


class Agreement:
    """An agreement that has begun: its messages travel while the process computes.

    Args:
        complete: waits for the other processes, raises where they disagree, and returns the numbers of each.
    """

    def __init__(self, complete: Callable[[], Sequence[Sequence[float]]]) -> None:
        self._complete: Callable[[], Sequence[Sequence[float]]] | None = complete
        self._everybody: Sequence[Sequence[float]] = ()
        self._error: DistributedError | None = None

    def numbers(self) -> Sequence[Sequence[float]]:
        """Wait until the agreement is complete.

        Returns:
            The numbers of each process.

        Raises:
            DistributedError: as `World.agree` does; again at each call.
        """
        if self._error is not None:
            raise self._error
        if self._complete is not None:
            try:
                self._everybody = self._complete()
            except DistributedError as error:
                self._error = error
                raise
            self._complete = None
        return self._everybody


class World:
    """A process by itself. Subclasses exchange arrays between several.

    All processes must make the same calls in the same order.
    """

    rank = 0
    """The number of this process."""
    size = 1
    """How many processes there are."""

    def agree(self, call: str, what: str = "", numbers: Sequence[float] = ()) -> np.ndarray:
        """Check that all processes make this call, and exchange a few numbers.

        Args:
            call: one of `CALLS`, the same in all processes.
            what: a description that must be the same, such as shape and dtype of an array to be added.
            numbers: up to six numbers.

        Returns:
            The numbers of all processes `(size, len(numbers))`, float64.

        Raises:
            DistributedError: another process makes another call, gives another description, or ended.
        """
        # (size, N)
        return np.array(self.begin_agreement(call, what, numbers).numbers(), np.float64)

    def begin_agreement(self, call: str, what: str = "", numbers: Sequence[float] = ()) -> Agreement:
        """Begin what `agree` does.

        The next exchange completes it, if nobody has before, and raises its error then.
        """
        return Agreement(lambda: [numbers])

    def reduce(
        self, arrays: Sequence[np.ndarray], out: Sequence[np.ndarray], operation: str = "sum", factor: float = 1.0
    ) -> None:
        """Write, for each array, its sum over all processes, or another combination, times a factor.

        Args:
            arrays: of the same shapes in all processes.
            out: where the results go: C-contiguous arrays of these shapes and one dtype. They may be the arrays
                themselves, but no two of them overlap.
            operation: "sum", "product", "min" or "max".
            factor: what the results are multiplied by, of floats.
        """
        for x, y in zip(arrays, out, strict=True):
            np.copyto(y, x if factor == 1 else x * factor, casting="same_kind")

    def broadcast(self, array: np.ndarray, source: int) -> None:
        """Replace a C-contiguous array, in place, by that of the process `source`."""

    def gather(self, array: np.ndarray) -> np.ndarray:
        """The arrays `(...)` of all processes, `(size, ...)` in the order of their ranks."""
        return array[None]

    def broadcast_bytes(self, data: bytes, source: int) -> bytes:
        """What the process `source` gave, of any length."""
        sizes = self.agree("broadcast_object_list", str(source), numbers=(len(data),))[:, 0].astype(int)
        padded = np.frombuffer(data.ljust(sizes[source]), np.uint8)[: sizes[source]].copy()
        self.broadcast(padded, source)
        return padded.tobytes()

    def gather_bytes(self, data: bytes) -> list[bytes]:
        """What each process gave, of any length."""
        sizes = self.agree("all_gather_object", numbers=(len(data),))[:, 0].astype(int)
        padded = np.frombuffer(data.ljust(sizes.max()), np.uint8)
        return [row.tobytes()[:size] for row, size in zip(self.gather(padded), sizes, strict=True)]


_world: World | None = None
_timeout = DEFAULT_TIMEOUT
_lock = threading.RLock()


def world() -> World:
    """The world of this process, found at the first call.

    Raises:
        DistributedError: `mpiexec` started several processes, but mpi4py isn't installed, or finds no MPI.
    """
    return _world if _world is not None else join(False)


def join(wanted: bool) -> World:
    """The world; `wanted` says that there should be one of MPI, though nothing tells that `mpiexec` was used."""
    global _world
    with _lock:
        if _world is None or (wanted and _world.size == 1):
            _world = _found(wanted)
        return _world


def timeout() -> float:
    """The seconds that an exchange waits for the other processes."""
    return _timeout


def set_timeout(seconds: float) -> None:
    """Set the seconds that an exchange waits for the other processes."""
    global _timeout
    _timeout = seconds


def was_started_by_mpi() -> bool:
    """Whether a launcher of MPI started this process, as the environment tells: Hydra (MPICH, Intel), Open MPI, PMIx.

    What the process starts in turn inherits the environment, but isn't part of the world.
    """
    if multiprocessing.parent_process() is not None:
        return False
    sizes = ("PMI_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_SIZE")
    found = [os.environ[name] for name in sizes if name in os.environ]
    return found[0] != "1" if found else "PMIX_RANK" in os.environ


def has_mpi4py() -> bool:
    """Whether mpi4py is installed."""
    return importlib.util.find_spec("mpi4py") is not None


def _found(wanted: bool) -> World:
    started = was_started_by_mpi()
    if not (started or "mpi4py.MPI" in sys.modules or (wanted and has_mpi4py())):
        return World()
    if not has_mpi4py():
        problem = "mpiexec started several processes, and they can't talk to each other without mpi4py"
        fix = "pip install 'tensorgrad-engine[mpi]'"
        raise DistributedError(restate("tensorgrad.distributed", problem, fix=fix))
    try:
        from tensorgrad.distributed import mpi
    except (ImportError, RuntimeError) as error:  # mpi4py doesn't find the library of an MPI
        if not started:
            return World()
        problem = f"mpiexec started several processes, and mpi4py can't load its MPI: {error}"
        fix = "pip install 'tensorgrad-engine[mpi]' in this environment, or set LD_LIBRARY_PATH to the MPI's libraries"
        raise DistributedError(restate("tensorgrad.distributed", problem, fix=fix)) from error

    return mpi.world(started)

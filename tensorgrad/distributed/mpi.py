"""A world of several processes that exchange arrays by MPI.

Every exchange begins with an agreement: all processes exchange a few numbers that say which call they make, of what.
Where these differ, all of them raise the same error, in place of computing with wrong numbers or waiting for ever. The
end of the program is such a call too.

Exchanges are begun without blocking and then asked for: so one that doesn't end is noticed, and where there are more
processes than cores, a process that waits lets others compute. How the numbers travel is in `channels.py`.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any

import mpi4py
import numpy as np

from tensorgrad.distributed import world as worlds
from tensorgrad.distributed.world import Agreement, DistributedError, World
from tensorgrad.errors import restate
from tensorgrad.kernels.jit import dispatch

mpi4py.rc.threads = False  # one thread of a process makes the exchanges

from mpi4py import MPI  # noqa: E402

from tensorgrad.distributed.channels import channel  # noqa: E402

END = "the end of the program"
CALLS = (
    END, "barrier", "broadcast", "all_reduce", "all_gather", "all_gather_object", "broadcast_object_list",
    "DistributedDataParallel", "DistributedDataParallel.forward", "backward", "SyncBatchNorm",
    "SyncBatchNorm's backward", "fit",
)  # fmt: skip
"""What processes do together. An agreement exchanges the position in this list."""

NUMBERS = 6
"""How many numbers an agreement exchanges, besides the call and the checksum of its description."""

EAGER = 2e-3
"""For so many seconds a process asks again and again whether an exchange is complete; then it sleeps in between."""


def world(started: bool) -> World:
    """The world of all processes that MPI knows; `started` says that a launcher of MPI started this one."""
    ours = MPI.COMM_WORLD.size
    theirs = int(os.environ.get("WORLD_SIZE", "1")) if os.environ.get("WORLD_SIZE", "1").isdecimal() else 1
    if ours == 1 and (started or theirs > 1):
        problem = f"{theirs if theirs > 1 else 'several'} processes were started, but MPI finds this one alone"
        fix = f"start them by the mpiexec of the MPI that mpi4py uses, {MPI.get_vendor()[0]}"
        raise DistributedError(restate("tensorgrad.distributed", problem, fix=fix))
    if ours == 1:
        return World()
    _divide_cores()
    return MpiWorld(MPI.COMM_WORLD.Dup())


def _divide_cores() -> None:
    """Let the processes of one machine share its cores, unless the user has chosen a number of threads."""
    here = MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED)
    if "NUMBA_NUM_THREADS" not in os.environ:
        threads = max(1, (os.cpu_count() or 1) // here.size)
        dispatch.set_num_threads(min(threads, dispatch.get_num_threads()))
    here.Free()


class MpiWorld(World):
    """The processes of a communicator. It ends all of them where one of them fails."""

    def __init__(self, communicator: Any) -> None:
        self._communicator, self._channel = communicator, channel(communicator)
        self.rank, self.size = communicator.rank, communicator.size
        self._process = os.getpid()
        self._exchanges, self._call = 0, "init_process_group"  # the number and the name of the last agreement
        self._begun: Agreement | None = None
        self._left: str | None = None  # the call that this process waits in, or whose wait an error has ended
        self._excepthook = sys.excepthook
        sys.excepthook = self._fail
        atexit.register(self._leave)

    def begin_agreement(self, call: str, what: str = "", numbers: Sequence[float] = ()) -> Agreement:
        """Begin to check that all processes make this call, and to exchange a few numbers."""
        self._enter()
        own = (float(CALLS.index(call)), float(_checksum(what)))
        self._exchanges, self._call = self._exchanges + 1, call
        is_complete, read = self._channel.begin_exchange((*own, *numbers, *[0.0] * (NUMBERS - len(numbers))))

        def complete() -> list[tuple[float, ...]]:
            self._begun = None
            self._wait(is_complete, call)
            everybody = read()
            if any([theirs[:2] != own for theirs in everybody]):
                self._disagree(call, what, [CALLS[int(theirs[0])] for theirs in everybody])
            return [theirs[2 : 2 + len(numbers)] for theirs in everybody]

        self._begun = Agreement(complete)
        return self._begun

    def reduce(
        self, arrays: Sequence[np.ndarray], out: Sequence[np.ndarray], operation: str = "sum", factor: float = 1.0
    ) -> None:
        """Write, for each array, its sum over all processes, or another combination, times a factor."""
        self._enter()
        self._left = self._call
        self._channel.reduce(arrays, out, operation, factor, lambda is_complete: self._wait(is_complete, self._call))
        self._left = None

    def broadcast(self, array: np.ndarray, source: int) -> None:
        """Replace an array by that of the process `source`."""
        self._enter()
        self._wait(self._communicator.Ibcast(array.reshape(-1).view(np.uint8), source).Test, "broadcast")

    def gather(self, array: np.ndarray) -> np.ndarray:
        """The arrays of all processes."""
        self._enter()
        everybody = np.empty((self.size, *array.shape), array.dtype)
        # As bytes: MPI doesn't know all dtypes.
        sent, received = (x.reshape(-1).view(np.uint8) for x in (array, everybody))
        self._wait(self._communicator.Iallgather(sent, received).Test, "all_gather")
        return everybody

    def _enter(self) -> None:
        """Complete what has begun, ahead of another exchange."""
        if os.getpid() != self._process:
            problem = f"a child process of rank {self.rank} isn't a rank, and can't take part in exchanges"
            raise DistributedError(restate("tensorgrad.distributed", problem, fix="make them in the parent process"))
        if self._left is not None:
            problem = f"rank {self.rank} left {self._left} before it was complete, so the ranks are no longer in step"
            raise DistributedError(restate("tensorgrad.distributed", problem, fix="end the program on all ranks"))
        if self._begun is not None:
            self._begun.numbers()

    # --------------------------------------------------------------------------------------------------------- waiting

    def _wait(self, is_complete: Callable[[], bool], call: str) -> None:
        """Wait for an exchange, in turns with other processes of this core; raise where it takes too long."""
        start, limit, self._left = time.perf_counter(), worlds.timeout(), call
        while not is_complete():
            waited = time.perf_counter() - start
            if waited < EAGER:
                _yield()
            elif waited < limit:
                time.sleep(50e-6 if waited < 1 else 2e-3)
            else:
                self._unanswered = is_complete  # with the request, whose arrays must outlive it
                problem = (
                    f"rank {self.rank} waited {limit:g} s for the other ranks in {call}, its exchange number "
                    f"{self._exchanges}: one of them hangs, computes for longer, or takes another path"
                )
                fix = "all ranks must make the same calls; init_process_group(timeout=seconds) lets them wait longer"
                raise DistributedError(restate("tensorgrad.distributed", problem, fix=fix))
        self._left = None

    # -------------------------------------------------------------------------------------------------- disagreements

    def _disagree(self, call: str, what: str, calls: list[str]) -> None:
        """Raise, in all processes, an error that says what each of them was about to do."""
        if END in calls:
            if call == END:
                return  # the others raise
            gone = ", ".join(str(rank) for rank, theirs in enumerate(calls) if theirs == END)
            problem = f"rank {gone} reached {END}, while rank {self.rank} is in {call}"
        elif len(set(calls)) > 1:
            problem = "the ranks are in different calls: " + _by_rank(calls)
        else:
            described = [bytes(row).rstrip(b"\0").decode(errors="ignore") for row in self.gather(_text(what))]
            problem = f"the ranks differ in {call}: " + _by_rank(described)
        fix = "all ranks must make the same calls, in the same order, on the same shapes and dtypes"
        raise DistributedError(restate("tensorgrad.distributed", problem, fix=fix))

    # ------------------------------------------------------------------------------------------------------- the end

    def _leave(self) -> None:
        """Tell the others that the program has ended; wait for them to end too."""
        if os.getpid() == self._process and not MPI.Is_finalized():
            self._begun = self._left = None
            worlds.set_timeout(float("inf"))  # another process may still have much to do by itself
            self.agree(END)

    def _fail(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Print the error with the rank, and end all processes."""
        if os.getpid() != self._process:  # a child of this process
            self._excepthook(kind, error, trace)
            return
        lines = "".join(traceback.format_exception(kind, error, trace)).splitlines()
        lines.append(f"{kind.__name__} on rank {self.rank} of {self.size}: all ranks are ended")
        sys.stdout.flush()
        sys.stderr.write("".join(f"[rank {self.rank}] {line}\n" for line in lines))
        sys.stderr.flush()
        self._communicator.Abort(1)


@lru_cache(64)
def _checksum(what: str) -> int:
    return zlib.crc32(what.encode())


def _by_rank(described: Sequence[str]) -> str:
    """`rank 0, 1: a; rank 2: b`."""
    ranks: dict[str, list[str]] = {}
    for rank, text in enumerate(described):
        ranks.setdefault(text, []).append(str(rank))
    return "; ".join(f"rank {', '.join(who)}: {text}" for text, who in ranks.items())


def _text(what: str) -> np.ndarray:
    """The beginning of a description, as an array of the same size in all processes."""
    return np.frombuffer(what.encode()[:400].ljust(400, b"\0"), np.uint8)


def _yield() -> None:
    """Let another process have the core, if one waits for it."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)

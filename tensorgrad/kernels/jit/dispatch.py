"""How kernels are compiled and run: everything about numba that isn't a loop.

A kernel is one function that does chunk `index` of `chunks`, a part of the work. `run` gives the chunks to the
threads for much work, and calls them one after the other for little work or where threads can't be used: the bits are
the same either way. Python between kernels hands them memory, sizes and plans that follow from the sizes. Where Python
branches on values, it does so through `otherwise` or `status_set`: kernel launches are recorded to be repeated.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.ma  # numba opens it at its first call, and a fork in the midst of an import would leave it locked
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher
from numba.extending import typeof_impl

from tensorgrad.arrays import few
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.kernels.jit.cache import address, cached, say_once
from tensorgrad.kernels.jit.compiler import pipeline
from tensorgrad.kernels.jit.opaque import Opaque, Unreadable, real
from tensorgrad.kernels.jit.partition import Access, Partition
from tensorgrad.kernels.jit.trampolines import call, call_trampoline, packed_arguments, trampoline
from tensorgrad.system.forks import wait_for
from tensorgrad.windows import as_tuple

_config: Any = numba.config  # whose attributes are made at run time

# OpenMP first: it launches in 2 µs and may be entered by several Python threads at once.
if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
    _config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

# Where threads wait for each other they soon sleep: on a busy machine the thread that is waited for may need the very
# core that a spinning one would keep for its time slice, 4 ms for a kernel of 0.3. Beside one busy program a step of
# LeNet-5, batch 64, takes 9 ms with this count and 24 with four times as much; alone both take 2.
SPINS = "5000"

# NaN and infinities must come through, so sums may be reordered and fused, and nothing else. C calls no kernel, so
# none has an entry for it: each entry is one more function to compile.
OPTIONS: dict[str, Any] = {
    "pipeline_class": pipeline(),
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract"},
    "no_cfunc_wrapper": True,
}

WITHOUT_ENTRY = OPTIONS | {"no_cpython_wrapper": True}

# For what innermost loops compute an element with: LLVM leaves a loop that calls a function as it is.
INLINE = WITHOUT_ENTRY | {"forceinline": True}

COMPILED = not _config.DISABLE_JIT
"""False where numba may not compile (NUMBA_DISABLE_JIT=1, to debug): `by_fallback` computes then.

Kernels are plain Python functions there, and those that emit machine instructions can't be called.
"""

# Multiply-adds or comparisons below which a parallel region costs more than it brings.
SMALL = 500_000


def kernel(function: Callable) -> Callable:
    """Compile a kernel."""
    return cached(numba.njit(**OPTIONS)(function))


def helper(function: Callable) -> Callable:
    """Compile a function that other compiled functions call, and Python never: numba makes no entry for Python.

    For a function that one kernel calls in one place, `inlined` compiles faster.
    """
    compiled = numba.njit(**WITHOUT_ENTRY)(function)
    if COMPILED:
        compiled.__class__ = _Helper
    return cached(compiled)


class _Helper(CPUDispatcher):
    """A compiled function without an entry for Python."""

    def __call__(self, *arguments: Any) -> Any:
        """Raise a `TypeError`: numba would jump to the address 0."""
        raise TypeError(f"{self.py_func.__name__} is for compiled functions; in Python call its py_func")


def inlined(function: Callable) -> Callable:
    """A helper that is compiled as a part of whatever calls it, and so not twice where one kernel does."""
    return numba.njit(inline="always", **OPTIONS)(function)


@cached
@numba.njit(parallel=True, **OPTIONS)
def _all_chunks(trampoline, packed, first, chunks):
    """The one parallel loop that there is: numba takes a third of a second to compile one."""
    for index in numba.prange(first, chunks):
        call_trampoline(trampoline, packed, np.int64(index), chunks)


@kernel
def _launch(loop, trampoline, address, chunks, *arguments):
    call(loop, (trampoline, packed_arguments(address, arguments)), 0, chunks)


@typeof_impl.register(Opaque)
def _refuse(array, context):
    raise Unreadable("a kernel can't read an opaque array, unless its launch is recorded")


def address_of(kernel: Callable, arguments: tuple) -> int:
    """The address of a kernel's machine code, for arguments such as these, all but `index` and `chunks`.

    A kernel that takes the address can `call` a long one of another module without compiling it once more.
    """
    return address(kernel, (*map(numba.typeof, arguments), numba.intp, numba.intp))


_entries: dict[tuple, tuple[int, int]] = {}


def trampoline_of(kernel: Callable, arguments: tuple) -> tuple[int, int]:
    """The address of a trampoline for such arguments, and that of the kernel, the first of its packed arguments.

    They are looked up by what decides about the types that numba gives the arguments.
    """
    key = (kernel, _kinds(arguments))
    found = _entries.get(key)
    if found is None:
        found = _entries[key] = trampoline(tuple(map(numba.typeof, arguments))), address_of(kernel, arguments)
    return found


def _kinds(arguments: tuple) -> tuple:
    """A key that is equal only for arguments of equal numba types; numba's own `typeof` takes far longer."""
    kinds: list[Any] = []
    for argument in arguments:
        kind = type(argument)
        if kind is np.ndarray:
            kinds += argument.dtype, argument.ndim, argument.flags.num
        else:
            kinds.append(_kinds(argument) if kind is tuple else kind)
    return tuple(kinds)


def by_fallback(function: Callable, *arguments: Any) -> Any:
    """Call the NumPy fallback of a kernel, after all checks, if not `COMPILED`."""
    say_once("NUMBA_DISABLE_JIT is set: NumPy code runs in place of the compiled kernels, more slowly")
    with np.errstate(all="ignore"):  # as in kernels
        return function(*arguments)


class _Mode(threading.local):
    recorder = None


_mode = _Mode()
_counting = threading.RLock()
_recorders = 0  # how many blocks of `recorded` any thread is in: a count is read in a tenth of the time of `_mode`

few.allow(COMPILED)


def _count_recorders(change: int) -> None:
    global _recorders
    with _counting:
        _recorders += change
        _allow_few()


def _allow_few() -> None:
    few.allow(COMPILED and not _recorders and not _every_variant)


@contextmanager
def recorded(recorder: Any) -> Iterator[Any]:
    """Within, in this thread, `recorder` is told of each launch and each status flag.

    For what it returns see `command_list.Recorder`.
    """
    _count_recorders(1)
    before, _mode.recorder = _mode.recorder, recorder
    try:
        yield recorder
    finally:
        _mode.recorder = before
        _count_recorders(-1)


def is_recording() -> bool:
    """Whether this thread records launches: then a decision must not depend on values."""
    return _recorders > 0 and _mode.recorder is not None


def partition_of(array: Any) -> tuple[Partition, int] | None:
    """How the chunks of a recorded launch shared out an array that they wrote, and how many there were."""
    recorder = _mode.recorder
    return None if recorder is None else recorder.partitions.get(real(array).ctypes.data)


def chunks_as_made(array: Any, partition: Partition) -> int | None:
    """In how many chunks a recorded launch made an array, if it shared it out as a partition does; else None.

    Then each thread finds its part in its own cache, and waits for no other.
    """
    found = partition_of(array) if is_recording() else None
    if found is None or found[0].among(found[1]) != partition.among(found[1]):
        return None
    return found[1]


def status_set(flags: np.ndarray) -> bool:
    """Whether the kernel set a status flag: the result is invalid."""
    if _recorders and _mode.recorder is not None:
        flags = _mode.recorder.status_read(flags)
    return any(flags.tolist())  # a third of the time of flags.any()


def otherwise(flags: np.ndarray, compute: Callable[[], object]) -> None:
    """Call `compute` if a kernel set its status flag: it computes the same results in another way, in the same memory.

    It makes launches, and takes its decisions by sizes alone. In a command list they are made in those replays where
    a flag is set. `flags` (M,) are int64 or int32.
    """
    if _recorders and _mode.recorder is not None:
        _mode.recorder.otherwise(flags, compute)
    elif any(flags.tolist()):
        compute()


def run(kernel: Callable, arguments: tuple, chunks: int, access: Access | None = None) -> None:
    """Run all `chunks` of a kernel, in parallel where there are several and threads can be used.

    `access` says how the chunks share out arrays, for a launch that is recorded: see `partition`.
    """
    if _recorders and _mode.recorder is not None:
        arguments = _mode.recorder.launched(kernel, arguments, chunks, access)
    if chunks == 1 and not _every_variant:
        kernel(*arguments, 0, 1)
        return
    if _serial_only or _every_variant:
        for index in range(chunks):
            kernel(*arguments, index, chunks)
    if _serial_only:
        return
    enter_parallel(_launch, loop_address(), *trampoline_of(kernel, arguments), chunks, *arguments)


def enter_parallel(compiled: Callable, *arguments: Any) -> Any:
    """Call a compiled function that enters the parallel loop."""
    if not _threads_launched():
        _launch_threads()
    if numba.get_num_threads() != _threads:
        numba.set_num_threads(_threads)
    if _layer == "workqueue":
        with _entrance:
            return compiled(*arguments)
    return compiled(*arguments)


@cache
def loop_address() -> int:
    """The address of the parallel loop: a function (trampoline, packed arguments, first chunk, chunks)."""
    return address_of(_all_chunks, (0, 0))


def parallel_with(threads: int) -> bool:
    """Whether kernels can now be run in parallel by so many threads."""
    return not _serial_only and not _every_variant and _threads == threads


def chunks_for(items: int, work: int) -> int:
    """Into how many chunks to cut `items` images or planes that take `work` operations in all: one for little work."""
    if work < SMALL and not _every_variant:
        return 1
    return max(1, min(items, get_num_threads()))


def threads_for(work: int, threads: int) -> int:
    """For how many of `threads` work is worth being laid out: for little work for one, since it runs on one.

    It doesn't look at `every_variant`: a layout decides about the bits of a sum, and plans are kept.
    """
    return 1 if work < SMALL else threads


# ---------------------------------------------------------------------------------------------------------- threads

_threads = _config.NUMBA_NUM_THREADS
_serial_only = not COMPILED
_layer: str | None = None  # the threading layer, once threads are launched
_every_variant = False
_entrance = threading.Lock()


def get_num_threads() -> int:
    """How many threads a kernel uses. At the start: all cores of this process, or `NUMBA_NUM_THREADS`.

    >>> import tensorgrad as tg
    >>> tg.get_num_threads() >= 1
    True
    """
    return _threads


def set_num_threads(count: int) -> None:
    """Let each kernel use `count` threads from now on, in all Python threads of this process.

    Several trainings at once are fastest with one thread each; see `docs/sweeps.md`. Sums that are shared among another
    number of threads are rounded otherwise.

    Args:
        count: from 1 to the number of threads at the start: all cores, or `NUMBA_NUM_THREADS`.

    Raises:
        ArgumentError: more threads than there are, or fewer than 1.

    >>> import tensorgrad as tg
    >>> before = tg.get_num_threads()
    >>> tg.set_num_threads(1)
    >>> tg.get_num_threads()
    1
    >>> tg.set_num_threads(before)
    """
    global _threads
    (wanted,) = as_tuple(count, 1, op="set_num_threads", name="count", minimum=1)
    if wanted > _config.NUMBA_NUM_THREADS:
        problem = f"count must be at most {_config.NUMBA_NUM_THREADS}, got {wanted}"
        fix = "set the environment variable NUMBA_NUM_THREADS before the program starts"
        raise ArgumentError(restate("set_num_threads", problem, fix=fix, count=count))
    _threads = wanted


@contextmanager
def every_variant() -> Iterator[None]:
    """Within, each kernel runs serially and in parallel whatever its size: so both are compiled."""
    global _every_variant
    _every_variant = True
    _allow_few()
    try:
        yield
    finally:
        _every_variant = False
        _allow_few()


def _launch_threads() -> None:
    with _entrance:
        waits = not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ)
        if waits:
            os.environ["GOMP_SPINCOUNT"] = SPINS
        try:
            numba.get_num_threads()  # chooses the threading layer, loads it and launches it
        finally:
            # OpenMP has read it by now; other libraries and child processes are to wait as they like.
            if waits:
                del os.environ["GOMP_SPINCOUNT"]


def _threads_launched() -> bool:
    global _layer
    if _layer is None:
        with suppress(ValueError):  # also launched by other people's numba code
            _layer = numba.threading_layer()
    return _layer is not None


def _after_fork_in_child() -> None:
    # The threads of the parent don't exist here, and OpenMP ends a process that enters a parallel region all the same.
    global _serial_only
    _serial_only = _serial_only or _threads_launched()


# A child must not inherit a lock that another thread holds, nor threads half launched. In the order of `run`.
wait_for(_entrance, global_compiler_lock, _counting)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

"""How kernels are compiled, cached and run: everything about numba that isn't a loop.

A kernel is two functions. The *piece* does its share of the images, `piece` of `pieces`, and is itself callable; the
*driver* runs all pieces in one parallel region. `run` calls the driver for much work, and the piece by itself, over the
same pieces in the same order, for little work or where threads can't be used: the bits are the same either way.
"""

import hashlib
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path

import numba
import numpy as np
import numpy.ma  # numba opens it at its first call, and a fork in the midst of an import would leave it locked
from numba import types
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

from tensorgrad.arrays import KERNEL_FLOATS
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.geometry import as_tuple

# OpenMP first: it launches in 2 µs and may be entered by several Python threads at once.
if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
    numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

# Where threads wait for each other they soon sleep: on a busy machine the thread that is waited for may need the very
# core that a spinning one would keep for its time slice, 4 ms for a kernel of 0.3. Beside one busy program a step of
# LeNet-5, batch 64, takes 9 ms with this count and 24 with four times as much; alone both take 2.
SPINS = "5000"

# NaN and infinities must come through, so sums may be reordered and fused, and nothing else.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}}

# For what innermost loops compute an element with: LLVM leaves a loop that calls a function as it is.
INLINE = OPTIONS | {"forceinline": True}

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

# Multiply-adds or comparisons below which a parallel region costs more than it brings.
SMALL = 500_000


def piece(function: Callable) -> Callable:
    """Compile a kernel's share of the work, or a helper of one."""
    return _cached(numba.njit(**OPTIONS)(function))


def inlined(function: Callable) -> Callable:
    """A helper that is compiled as a part of whatever calls it, and so not twice where one piece does."""
    return numba.njit(inline="always", **OPTIONS)(function)


def driver(function: Callable) -> Callable:
    """Compile the parallel loop over a kernel's pieces, a function of its own: numba caches by function alone."""
    return _cached(numba.njit(parallel=True, **OPTIONS)(function))


def driver_of(piece: Callable) -> Callable[[Callable], Callable]:
    """As `driver`, for a loop that takes the address of `piece` before its arguments, to `call` it.

    A loop that names its piece compiles the piece again, twice, which takes seconds for a long one.
    """

    def decorate(function: Callable) -> Callable:
        loop, addresses = driver(function), {}

        def launch(*arguments: object) -> None:
            kinds = tuple([argument.dtype for argument in arguments if type(argument) is np.ndarray])
            if kinds not in addresses:
                addresses[kinds] = address_of(piece, arguments[:-1])
            loop(addresses[kinds], *arguments)

        return launch

    return decorate


def shared_driver(piece: Callable) -> Callable:
    """The driver of a piece that needs none of its own: one loop for all pieces that take the same kinds of arrays."""
    addresses = {}

    def launch(*arguments: object) -> None:
        kinds = tuple([argument.dtype for argument in arguments if type(argument) is np.ndarray])
        if kinds not in addresses:
            addresses[kinds] = address_of(piece, arguments[:-1])
        _shared_loop()(addresses[kinds], arguments[:-1], arguments[-1])

    return launch


@cache
def _shared_loop() -> Callable:
    def loop(address, arguments, pieces):
        for index in numba.prange(pieces):
            call(address, arguments, np.int64(index), pieces)

    return driver(loop)


def address_of(piece: Dispatcher, arguments: tuple) -> int:
    """Where the machine code of `piece` stands, for arguments such as these, all but `index` and `pieces`.

    A piece that takes the address can `call` a long one of another room without compiling it once more.
    """
    kinds = (*(numba.typeof(argument) for argument in arguments), numba.intp, numba.intp)
    piece.compile(kinds)
    compiled = piece.overloads[kinds]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


@intrinsic
def call(typing, address, arguments, index, pieces):
    """Call the piece at `address` with a tuple of arguments, in numba's own convention."""

    def emit(context, builder, signature, values):
        kinds = (*arguments.types, index, pieces)
        function = context.call_conv.get_function_type(types.none, kinds)
        at = builder.inttoptr(values[0], function.as_pointer())
        unpacked = [builder.extract_value(values[1], k) for k in range(len(arguments.types))]
        context.call_conv.call_function(builder, at, types.none, kinds, [*unpacked, *values[2:]])
        return context.get_dummy_value()

    return types.void(address, arguments, index, pieces), emit


def run(piece: Callable, driver: Callable, arguments: tuple, pieces: int) -> None:
    """Run all `pieces` of a kernel, in parallel where there are several and threads can be used."""
    if pieces == 1 and not _every_variant:
        piece(*arguments, 0, 1)
        return
    if _serial_only or _every_variant:
        for index in range(pieces):
            piece(*arguments, index, pieces)
    if _serial_only:
        return
    if not _threads_launched():
        _launch_threads()
    if numba.get_num_threads() != _threads:
        numba.set_num_threads(_threads)
    if _layer == "workqueue":
        with _entrance:
            driver(*arguments, pieces)
    else:
        driver(*arguments, pieces)


def pieces_for(items: int, work: int) -> int:
    """Into how many pieces to cut `items` images or planes that take `work` operations in all: one for little work."""
    if work < SMALL and not _every_variant:
        return 1
    return max(1, min(items, get_num_threads()))


def threads_for(work: int, threads: int) -> int:
    """For how many of `threads` work is worth being laid out: for little work for one, since it runs on one.

    It doesn't look at `every_variant`: a layout decides about the bits of a sum, and plans are kept.
    """
    return 1 if work < SMALL else threads


def ready(array: np.ndarray) -> np.ndarray:
    """`array` as kernels take it: contiguous, aligned, writable, of native byte order; copied only where it isn't.

    Numba compiles a kernel again for each kind of array, read-only ones included, so all are brought to one kind.
    """
    if type(array) is np.ndarray and array.flags.carray and array.dtype.isnative:
        return array
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True, subok=False)


def floats(op: str, names: str, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """`arrays`, each made `ready`; `names` is what the caller calls them. Raises `DTypeError` as `check_float` does.

    >>> x, w = floats("conv2d", "x w", np.ones(2), np.ones(3)[::-1])
    >>> w.flags.c_contiguous
    True
    """
    dtype = arrays[0].dtype
    if dtype is _FLOAT32 or dtype is _FLOAT64:
        # Most calls of small networks end here, so it is made of what costs least; a dtype that is equal to one of
        # NumPy's own without being it takes the long way, to the same end.
        for array in arrays:
            if array.dtype is not dtype or not array.flags.carray or type(array) is not np.ndarray:
                break
        else:
            return arrays
    check_float(op, **dict(zip(names.split(), arrays, strict=True)))
    return tuple([ready(array) for array in arrays])


@lru_cache(maxsize=1024)
def zeros(count: int, dtype: np.dtype) -> np.ndarray:
    """So many zeros that kernels only read, in place of a bias for example: made once."""
    return np.zeros(count, dtype)


def check_float(op: str, **arrays: np.ndarray) -> np.dtype:
    """The dtype of all arrays. Raises `DTypeError` unless all are float32 or all float64."""
    dtypes = [array.dtype for array in arrays.values()]
    dtype = dtypes[0]
    if (dtype is _FLOAT32 or dtype is _FLOAT64) and dtypes.count(dtype) == len(dtypes):
        return dtype
    kinds = {dtype.newbyteorder("=") for dtype in dtypes}
    dtype = kinds.pop()
    if kinds or dtype not in KERNEL_FLOATS:
        expected = "arrays of one dtype, float32 or float64"
        raise DTypeError(restate(op, "dtypes that kernels can't take together", expected=expected, **arrays))
    return dtype


# ---------------------------------------------------------------------------------------------------------- threads

_threads = numba.config.NUMBA_NUM_THREADS
_serial_only = False
_layer: str | None = None  # the threading layer, once threads are launched
_every_variant = False
_entrance = threading.Lock()


def get_num_threads() -> int:
    """How many threads a kernel uses. At the start: all cores of this process, or `NUMBA_NUM_THREADS`."""
    return _threads


def set_num_threads(count: int) -> None:
    """Use `count` threads from now on, in all Python threads. Raises `ArgumentError` beyond those there are.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global _threads
    (wanted,) = as_tuple(count, 1, op="set_num_threads", name="count", minimum=1)
    if wanted > numba.config.NUMBA_NUM_THREADS:
        expected = f"at most {numba.config.NUMBA_NUM_THREADS}"
        fix = "set the environment variable NUMBA_NUM_THREADS before the program starts"
        raise ArgumentError(restate("set_num_threads", "too many threads", expected=expected, fix=fix, count=count))
    _threads = wanted


@contextmanager
def every_variant() -> Iterator[None]:
    """Within, each kernel runs serially and in parallel whatever its size: so both are compiled."""
    global _every_variant
    _every_variant = True
    try:
        yield
    finally:
        _every_variant = False


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


def _before_fork() -> None:
    # A child must not inherit a lock that another thread holds, nor threads half launched. In the order of `run`.
    _entrance.acquire()
    global_compiler_lock.acquire()


def _after_fork() -> None:
    global_compiler_lock.release()
    _entrance.release()


def _after_fork_in_child() -> None:
    # The threads of the parent don't exist here, and OpenMP ends a process that enters a parallel region all the same.
    global _serial_only
    _serial_only = _serial_only or _threads_launched()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)

# ------------------------------------------------------------------------------------------------------------ cache


@lru_cache(maxsize=1)
def _sources() -> tuple[tuple[str, float, int], ...]:
    """What changes when any file of this folder is edited."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime, file.stat().st_size) for file in files)


class _CacheFiles(IndexDataCacheFile):
    """Numba's index of compiled variants and their files, safe for several processes that compile at once.

    Numba numbers the files, and writes them after the index: two processes could give one number to two kernels, and
    a third would run the one for the other. Here a file's name says what it holds, and the index comes last.
    """

    def save(self, key: tuple, data: object) -> None:
        """Add a compiled variant; those of older sources are removed."""
        found = self._load_index()
        if not found and Path(self._index_path).exists():
            for old in Path(self._cache_path).glob(self._data_name("*")):
                old.unlink(missing_ok=True)
        name = self._data_name(hashlib.sha256(self._dump((self._source_stamp, key))).hexdigest()[:16])
        self._save_data(name, data)
        self._save_index(found | {key: name})

    def _data_name(self, content: str) -> str:
        return self._index_name.removesuffix("nbi") + f"{content}.nbc"


class _Cache(FunctionCache):
    """Numba's cache of compiled kernels, which must never be the reason why a program fails.

    Numba's own watches the kernel's source file; this one watches the whole folder, for kernels call helpers and tiles
    of other files.
    """

    def __init__(self, function: Callable) -> None:
        super().__init__(function)
        base, stamp = self._impl.filename_base, (self._impl.locator.get_source_stamp(), _sources())
        self._cache_file = _CacheFiles(self._cache_path, base, stamp)

    def load_overload(self, sig, target_context):
        try:
            found = super().load_overload(sig, target_context)
        except Exception as error:  # a damaged file raises whatever its bytes happen to mean
            _warn_once(f"can't read the cache of compiled kernels in {self.cache_path} ({error!r}); compiling anew")
            self._discard()
            found = None
        if found is None:
            _tell_once()
        return found

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _warn_once(f"can't write the cache of compiled kernels in {self.cache_path} ({error!r}); {_FIX}")

    def _discard(self) -> None:
        with suppress(OSError):  # whether the folder can be written shows when the kernel is saved
            self.flush()


class _NoCache(NullCache):
    def load_overload(self, sig, target_context):
        _tell_once()


_FIX = "each run will compile. Set NUMBA_CACHE_DIR to a folder that can be written"
_told: set[str] = set()


def _cached(dispatcher: Callable) -> Callable:
    if not isinstance(dispatcher, Dispatcher):  # NUMBA_DISABLE_JIT leaves the Python function as it is
        return dispatcher
    try:
        dispatcher._cache = _Cache(dispatcher.py_func)
    except (RuntimeError, OSError) as error:
        _warn_once(f"no folder for the cache of compiled kernels ({error}); {_FIX}")
        dispatcher._cache = _NoCache()
    return dispatcher


def _warn_once(message: str) -> None:
    if "warning" not in _told:
        _told.add("warning")
        warnings.warn(f"tensorgrad: {message}", RuntimeWarning, stacklevel=2)


def _tell_once() -> None:
    if "compiling" not in _told:
        _told.add("compiling")
        print("tensorgrad: compiling kernels for this machine, once; later runs load them", file=sys.stderr)

"""Where compiled kernels are kept between runs: numba's cache, made to never be the reason why a program fails."""

import hashlib
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.dispatcher import Dispatcher

from tensorgrad.console import say


def cached(dispatcher: Callable) -> Callable:
    """`dispatcher`, whose compiled variants are kept in the cache, or with one warning nowhere."""
    if not isinstance(dispatcher, Dispatcher):  # NUMBA_DISABLE_JIT leaves the Python function as it is
        return dispatcher
    try:
        dispatcher._cache = _Cache(dispatcher.py_func)
    except (RuntimeError, OSError) as error:
        _warn_once(f"no folder for the cache of compiled kernels ({error}); {_FIX}")
        dispatcher._cache = _NoCache()
    return dispatcher


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
        if found is None and _is_first(self.cache_path):
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


def _warn_once(message: str) -> None:
    if "warning" not in _told:
        _told.add("warning")
        warnings.warn(f"tensorgrad: {message}", RuntimeWarning, stacklevel=2)


def _tell_once() -> None:
    if "compiling" not in _told:
        _told.add("compiling")
        say("tensorgrad: compiling kernels for this machine, once; later runs load them", sys.stderr)


def _is_first(folder: str) -> bool:
    """Whether no process has compiled kernels of these sources into this folder yet; from now on one has.

    So the long first compilation is told of, and a later run that meets one more kernel doesn't repeat "once".
    """
    mark = Path(folder) / f"compiled-{hashlib.sha256(repr(_sources()).encode()).hexdigest()[:16]}"
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        return True
    for old in mark.parent.glob("compiled-*"):
        if old != mark:
            old.unlink(missing_ok=True)
    return True

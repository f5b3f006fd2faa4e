"""The cache of compiled kernels between runs: numba's cache, changed so that it never makes a program fail.

A *variant* is the machine code of one kernel for one combination of argument types. A variant must never be taken for
another one:

- Within a process numba looks machine code up by a symbol. The symbol ends in a number that counts the functions which
  its process has compiled, so variants from the caches of two processes could have the same symbol. Here each process
  counts from a random start. Besides, the address of a variant is looked up once, when it is compiled or loaded.
- On disk the key of an entry is a digest of the function (see `identity`), the types of its arguments and the
  processor. A checksum stands before the content.
"""

import hashlib
import os
import pickle
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numba
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.dispatcher import Dispatcher
from numba.core.types import unliteral

from tensorgrad.kernels.jit.fingerprint import identity
from tensorgrad.system.console import say


def cached(dispatcher: Any) -> Any:
    """`dispatcher`, whose variants are kept on disk from now on. Where no folder can be written, it warns once."""
    if not isinstance(dispatcher, Dispatcher):  # NUMBA_DISABLE_JIT leaves the Python function as it is
        return dispatcher
    function: Any = dispatcher
    function.get_call_template = _without_literals(function.get_call_template)
    try:
        function._cache = _Cache(dispatcher)
    except (RuntimeError, OSError) as error:
        _warn_once(f"no folder for the cache of compiled kernels ({error}); {_FIX}")
        function._cache = _NoCache()
    return function


def _without_literals(get_call_template: Callable) -> Callable:
    """Numba's lookup of the variant for a call, with the type of a literal such as 1 replaced by int64.

    Numba would compile a variant for each literal that a call inside another kernel passes.
    """
    return lambda args, kws: get_call_template([unliteral(kind) for kind in args], kws)


def address(dispatcher: Any, kinds: tuple) -> int:
    """The address of the machine code of a `cached` function for arguments of these numba types."""
    dispatcher.compile(kinds)
    return dispatcher._cache.addresses[kinds]


# ---------------------------------------------------------------------------------------------------------- symbols


def _count_from_a_random_start() -> None:
    """Let numba number functions, and so symbols, as no other process does.

    By `secrets`: a program may seed `random`, so two processes could draw the same number from it.
    """
    FunctionIdentity._unique_ids = count(secrets.randbits(64) << 32)


_count_from_a_random_start()
if hasattr(os, "register_at_fork"):  # else a forked child would go on with the numbers of its parent and its siblings
    os.register_at_fork(after_in_child=_count_from_a_random_start)


class _Addresses:
    """A cache that notes the address of each variant as soon as it is compiled or loaded.

    A later lookup by symbol isn't safe: if two definitions have one symbol, LLVM finds the one that was loaded last.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.addresses: dict[tuple, int] = {}

    def load_overload(self, sig, target_context):
        found = super().load_overload(sig, target_context)
        if found is not None:
            self._note(found)
        elif self._claims_first_compilation():
            say_once("compiling kernels for this machine, once; later runs load them")
        return found

    def save_overload(self, sig, data):
        self._note(data)
        super().save_overload(sig, data)

    def _note(self, variant) -> None:
        where = variant.library.get_pointer_to_function(variant.fndesc.llvm_func_name)
        self.addresses[tuple(variant.signature.args)] = where


# ------------------------------------------------------------------------------------------------------------ files


@lru_cache(maxsize=1)
def _sources() -> tuple[tuple[str, str], ...]:
    """The name and digest of each file in `kernels` and its subfolders: changes when any of them is edited."""
    folder = Path(__file__).parent.parent
    files = sorted(folder.rglob("*.py"))
    return tuple((file.relative_to(folder).as_posix(), _digest(file.read_bytes()).hex()) for file in files)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


class _CacheFiles(IndexDataCacheFile):
    """Numba's index of compiled variants and their files, safe for several processes that compile at once.

    Numba numbers the files, and writes the index first. So two processes could give one number to two variants, and a
    third process would run one in place of the other. Here a file's name is a digest of its key, and the index is
    written last.

    Each file has three parts: a line that names the format, a checksum, and the content. The checksum includes the
    file's name, so neither damaged machine code nor a file that was renamed to another's name ever runs.
    """

    _FORMAT = f"tensorgrad kernel, numba {numba.__version__}\n".encode()

    def save(self, key: tuple, data: object) -> None:
        """Add a compiled variant; those of older sources are removed."""
        found = self._load_index()
        if not found and Path(self._index_path).exists():
            for old in Path(self._cache_path).glob(self._data_name("*")):
                old.unlink(missing_ok=True)
        name = self._data_name(_digest(self._dump((self._source_stamp, key))).hex()[:16])
        self._save_data(name, data)
        self._save_index(found | {key: name})

    def discard(self, key: tuple) -> None:
        """Remove a damaged variant from the index; if the index itself is damaged, remove all variants."""
        try:
            found = self._load_index()
        except Exception:
            found = {}
        self._save_index({other: name for other, name in found.items() if other != key})

    def _data_name(self, content: str) -> str:
        return self._index_name.removesuffix("nbi") + f"{content}.nbc"

    def _save_index(self, overloads: dict) -> None:
        with self._open_for_write(self._index_path) as file:
            file.write(self._dump((self._source_stamp, overloads)))

    def _load_index(self) -> dict:
        try:
            content = self._read(self._index_path)
        except FileNotFoundError:
            return {}
        if content is None:
            return {}
        stamp, overloads = pickle.loads(content)
        return overloads if stamp == self._source_stamp else {}

    def _load_data(self, name: str) -> object:
        content = self._read(self._data_path(name))
        if content is None:
            raise ValueError(f"{name} has another format")
        return pickle.loads(content)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[BytesIO]:
        buffer = BytesIO()
        yield buffer
        content = buffer.getvalue()
        with super()._open_for_write(filepath) as file:
            file.write(self._FORMAT + self._checksum(filepath, content) + content)

    def _read(self, filepath: str) -> bytes | None:
        """The content of a file; None if it has another format. Raises ValueError if it is damaged."""
        whole = Path(filepath).read_bytes()
        if not whole.startswith(self._FORMAT):
            return None
        start = len(self._FORMAT) + hashlib.sha256().digest_size
        content = whole[start:]
        if whole[len(self._FORMAT) : start] != self._checksum(filepath, content):
            raise ValueError(f"{Path(filepath).name} doesn't match its checksum")
        return content

    @staticmethod
    def _checksum(filepath: str, content: bytes) -> bytes:
        return _digest(Path(filepath).name.encode() + b"\n" + content)


class _FileCache(FunctionCache):
    """Numba's cache, except that a failure to read or write it is only a warning.

    Numba drops variants when the kernel's own source file changes. Here they are dropped when any file of `kernels`
    changes, since kernels call helpers and tiles from other files.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher.py_func)
        self._dispatcher = dispatcher
        base, stamp = self._impl.filename_base, (self._impl.locator.get_source_stamp(), _sources())
        self._cache_file = _CacheFiles(self._cache_path, base, stamp)
        FOLDERS.add(self._cache_path)

    def _index_key(self, sig, codegen):
        return sig, codegen.magic_tuple(), identity(self._dispatcher)

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # a damaged file raises whatever its bytes happen to mean
            _warn_once(f"can't read the cache of compiled kernels in {self.cache_path} ({error!r}); compiling anew")
            self._discard(sig, target_context)
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _warn_once(f"can't write the cache of compiled kernels in {self.cache_path} ({error!r}); {_FIX}")

    def _claims_first_compilation(self) -> bool:
        """True for the first call per folder and sources, over all processes: it creates a marker file.

        So the message "compiling kernels for this machine, once" is printed once, and not again by a later run that
        compiles one more kernel.
        """
        marker = Path(self.cache_path) / f"compiled-{_digest(repr(_sources()).encode()).hex()[:16]}"
        try:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:
            return True  # a folder that can't be written has no markers
        for old in marker.parent.glob("compiled-*"):
            if old != marker:
                old.unlink(missing_ok=True)
        return True

    def _discard(self, sig, target_context) -> None:
        with suppress(Exception):  # a folder that can't be written is warned of when the kernel is saved
            self._cache_file.discard(self._index_key(sig, target_context.codegen()))


class _Cache(_Addresses, _FileCache):
    """Files, and the addresses of what was loaded from them or compiled."""


class _NoCache(_Addresses, NullCache):
    """The cache where no folder can be written: addresses, but no files."""

    def _claims_first_compilation(self) -> bool:
        return True


_FIX = "each run will compile. Set NUMBA_CACHE_DIR to a folder that can be written"
_told: set[str] = set()

FOLDERS: set[str] = set()
"""The cache folders in use; numba gives each folder of sources a cache folder of its own."""


def say_once(message: str) -> None:
    """Print the message on standard error, unless it was printed before."""
    if message not in _told:
        _told.add(message)
        say(f"tensorgrad: {message}", error=True)


def _warn_once(message: str) -> None:
    """Warn, unless there was any such warning before: each kernel would repeat it."""
    if "warning" not in _told:
        _told.add("warning")
        warnings.warn(f"tensorgrad: {message}", RuntimeWarning, stacklevel=2)

"""The cache of compiled kernels: an entry is one kernel's, its file is whole, its symbol and address are its own."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from one_kernel import gather

import tensorgrad.kernels
from tensorgrad.formulas.loops import LOOPS
from tensorgrad.kernels.elementwise import loops
from tensorgrad.kernels.jit import cache, dispatch
from tensorgrad.kernels.jit.fingerprint import identity
from tensorgrad.kernels.jit.generated import execute

pytestmark = pytest.mark.slow

CLOSURES = """
from tensorgrad.kernels.jit.fingerprint import identity
def scaled(factor, *more):
    return lambda x: x * factor in {"a", "b", "c"}
print(identity(scaled(2)), identity(scaled(3)))
"""

FACTOR = 2


def test_an_identity_is_the_same_in_every_process():
    found = {
        subprocess.run(
            [sys.executable, "-c", CLOSURES], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "123"
    }
    assert len(found) == 1
    assert len(set(found.pop().split())) == 2


def test_numba_finds_no_source_of_generated_kernels():
    # It reads that of each kernel that it caches, by file and line, and would find other lines there, or half a text.
    space = {}
    execute("def double(x):\n    return 2 * x\n", loops.__file__, space)
    assert space["double"](3) == 6 and space["double"].__code__.co_filename == loops.__file__
    with pytest.raises(OSError):
        inspect.getsourcelines(space["double"])
    folder = Path(tensorgrad.kernels.__file__).parent
    own = {str(file.relative_to(folder)) for file in folder.rglob("*.py") if " exec(" in file.read_text("utf-8")}
    assert own == {"jit/generated.py", "step_programs.py"}  # the latter's aren't compiled


def variants():
    """Functions of one name on one line that compute different things."""

    def closure(*values):
        return lambda x: (x, *values)

    def default(value):
        def f(x, y=value):
            return x * y

        return f

    def inner(function):
        return numba.njit(lambda x: function(x))

    def nested(value):
        return lambda x: (lambda y: y * value)(x)

    yield [closure(1), closure(1.0), closure(True), closure(np.float32(1)), closure(2), closure(1, 1), closure((1, 1))]
    yield [closure(0.0), closure(-0.0), closure("0.0"), closure(np.zeros(1)), closure(np.zeros((1, 1)))]
    yield [default(2), default(3)]
    yield [inner(closure(1)), inner(closure(2)), inner(np.sin), inner(np.cos), inner(numba.njit(closure(1)))]
    yield [numba.njit(closure(1)), numba.njit(fastmath=True)(closure(1)), numba.njit(fastmath={"nnan"})(closure(1))]
    yield [nested(1), nested(2)]
    yield [lambda x: x * 2, lambda x: x * 3, lambda x: x + 2, lambda x: -x]
    one, other = closure(1), closure(2)
    yield [closure(one, other, one), closure(one, other, other), closure(other, one, one)]


@pytest.mark.parametrize("alike", list(variants()))
def test_functions_of_one_name_have_identities_of_their_own(alike):
    assert len({identity(function) for function in alike}) == len(alike)


def test_what_a_formula_reads_from_its_module_belongs_to_its_identity(monkeypatch):
    def formula(x):
        return x * FACTOR

    before = identity(formula)
    assert identity(formula) == before
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert identity(formula) != before


def test_a_function_that_calls_itself_has_an_identity():
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    assert identity(factorial) == identity(factorial)


def test_closures_of_one_factory_never_share_an_entry(tmp_path):
    codegen = dispatch._launch.targetctx.codegen()
    made = [make() for make in LOOPS.values()]
    kernels = [loops.kernel_of(loop) for loop in made]
    for kernel in kernels:
        kernel.targetctx.refresh()
    keys = {kernel._cache._index_key((numba.float64,), codegen) for kernel in kernels}
    formulas = {(str(loop.meaning), loop.arrays, loop.parameters) for loop in made}  # two ops may have the same
    assert len(keys) == len(formulas) >= 16


def test_each_variant_keeps_the_address_that_it_had_at_first(monkeypatch):
    values, arguments = loops.kernel_of(LOOPS["sigmoid"]()), (np.ones(2), np.ones(2), (0.0,))
    where = dispatch.address_of(values, arguments)
    variant = values.overloads[tuple(map(numba.typeof, (*arguments, 0, 1)))]
    assert where == variant.library.get_pointer_to_function(variant.fndesc.llvm_func_name)
    # Whatever the engine finds for the symbol later on.
    monkeypatch.setattr(type(variant.library), "get_pointer_to_function", lambda *_: 0)
    assert dispatch.address_of(values, arguments) == where


def test_kinds_of_arguments_are_told_apart_where_numba_does():
    a = np.ones((4, 4))
    frozen = a.copy()
    frozen.setflags(write=False)
    arguments = [a, a[0], a[:, 0], a.T, frozen, a.astype("f4"), 1, 1.0, np.float32(1), True, (1,), (1, 1), ((1,), 1)]
    kinds = [dispatch._kinds((x,)) for x in arguments]
    types = [numba.typeof(x) for x in arguments]
    for i in range(len(arguments)):
        for j in range(len(arguments)):
            assert types[i] == types[j] or kinds[i] != kinds[j]
    assert dispatch._kinds((a, 3, (1, 2))) == dispatch._kinds((a * 2, 4, (5, 6)))


def test_a_process_and_its_children_never_number_two_functions_alike():
    script = """
import os
from numba.core.bytecode import FunctionIdentity
from tensorgrad.kernels.jit import dispatch
def number():
    return FunctionIdentity.from_function(number).unique_id
print(number())
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        print(number(), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
print(number())
"""
    numbers = [
        int(line)
        for _ in range(2)
        for line in subprocess.run([sys.executable, "-uc", script], capture_output=True, check=True).stdout.split()
    ]
    assert len(set(numbers)) == len(numbers) == 8
    assert max(np.diff(sorted(numbers))) > 2**32


# ------------------------------------------------------------------------------------------------------------ files


@pytest.fixture
def files(tmp_path):
    return cache._CacheFiles(str(tmp_path), "kernel", "stamp")


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_any_flipped_bit_is_found(files, tmp_path, suffix):
    files.save(("tanh",), list(range(100)))
    (file,) = tmp_path.glob(f"*.{suffix}")
    whole = file.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        try:
            assert files.load(("tanh",)) is None and position < len(files._FORMAT)
        except ValueError as error:
            assert "checksum" in str(error) or position < len(files._FORMAT)
    file.write_bytes(whole)
    assert files.load(("tanh",)) == list(range(100))


def test_a_file_in_place_of_another_is_found(files, tmp_path):
    files.save(("tanh",), "code of tanh")
    files.save(("sigmoid",), "code of sigmoid")
    one, other = tmp_path.glob("*.nbc")
    one.write_bytes(other.read_bytes())
    read = []
    for key in ("tanh", "sigmoid"):
        try:
            read.append(files.load((key,)))
        except ValueError as error:
            assert "checksum" in str(error)
    assert read in (["code of tanh"], ["code of sigmoid"])


def test_a_damaged_variant_is_forgotten_and_the_others_stay(files, tmp_path):
    names = {}
    for key in ("tanh", "sigmoid"):
        before = set(tmp_path.glob("*.nbc"))
        files.save((key,), key)
        (names[key],) = set(tmp_path.glob("*.nbc")) - before
    names["tanh"].write_bytes(b"")
    with pytest.raises(ValueError):
        files.load(("tanh",))
    files.discard(("tanh",))
    assert files.load(("tanh",)) is None and files.load(("sigmoid",)) == "sigmoid"
    files.save(("tanh",), "again")
    assert files.load(("tanh",)) == "again" and files.load(("sigmoid",)) == "sigmoid"
    (index,) = tmp_path.glob("*.nbi")
    index.write_bytes(index.read_bytes()[:-1])
    files.discard(("tanh",))
    assert files.load(("sigmoid",)) is None


@pytest.mark.seeds(1)
def test_a_kernel_with_flipped_bits_is_compiled_anew_with_one_warning(seed, filled):
    (file,) = filled.glob("**/*gather*.nbc")
    whole, rng = bytearray(file.read_bytes()), np.random.default_rng(seed)
    for position in rng.integers(len(whole) // 8, len(whole), 20):
        whole[position] ^= 1 << rng.integers(8)
    file.write_bytes(whole)
    errors = gather(filled)
    assert errors.count("RuntimeWarning") == 1 and "can't read the cache" in errors and "Traceback" not in errors
    assert gather(filled) == ""


def test_files_of_an_older_format_are_replaced_without_a_word(filled):
    (file,) = filled.glob("**/*gather*.nbi")
    file.write_bytes(b"\x80\x05\x8c\x060.68.1\x94." + file.read_bytes())
    assert "RuntimeWarning" not in gather(filled)
    assert gather(filled) == ""


def test_sources_in_folders_are_watched_and_named_by_their_place(monkeypatch, tmp_path):
    (tmp_path / "conv").mkdir()
    for name, content in (("optim.py", "a"), ("conv/tiles.py", "b")):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "jit" / "cache.py"))
    found = cache._sources.__wrapped__()
    assert [name for name, _ in found] == ["conv/tiles.py", "optim.py"]
    times = os.stat(tmp_path / "conv/tiles.py")
    Path(tmp_path / "conv/tiles.py").write_text("c")
    os.utime(tmp_path / "conv/tiles.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cache._sources.__wrapped__() != found

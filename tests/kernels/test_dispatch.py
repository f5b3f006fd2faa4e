import os
import subprocess
import sys
import types

import numba
import numpy as np
import pytest
from numba.core.compiler import Compiler
from one_kernel import GATHER, NOTICE, gather, python

from tensorgrad import kernels
from tensorgrad.errors import ArgumentError, DTypeError
from tensorgrad.kernels.arguments import as_contiguous
from tensorgrad.kernels.jit import cache, compiler, dispatch


def test_the_rooms_open_at_first_use():
    done = python(
        "import sys\n"
        "from tensorgrad import kernels\n"
        "print('numba' in sys.modules)\n"
        "kernels.fallback, kernels.convolution\n"
        "print('numba' in sys.modules, hasattr(kernels, 'attic'))"
    )
    assert done.stdout.split() == ["False", "True", "False"]


def test_compiling_is_told_once_and_a_warm_cache_says_nothing(filled_once, filled):
    _, said = filled_once
    assert said == NOTICE
    assert gather(filled) == ""


def test_a_later_run_that_meets_another_kernel_says_nothing(filled):
    """ "Once" is told once: not again for each kernel that an earlier run had no use for."""
    wide = GATHER.replace("float32", "float64")  # another variant, which isn't in the cache
    assert python(wide, NUMBA_CACHE_DIR=str(filled)).stderr == ""


def test_an_edit_anywhere_in_the_kernels_compiles_them_anew(filled):
    edit = "from tensorgrad.kernels.jit import cache; cache._sources = lambda: 'edited'\n"
    done = python(edit + GATHER, NUMBA_CACHE_DIR=str(filled))
    assert (done.stdout, done.stderr) == ("[3. 4.]\n", NOTICE)
    names = {name for name, *_ in cache._sources()}
    assert {"jit/dispatch.py", "simd/tiles.py", "conv/convolution.py", "optim.py"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_truncated_cache_file_is_replaced_with_one_warning(filled, suffix):
    for file in filled.glob(f"**/*gather*.{suffix}"):
        file.write_bytes(file.read_bytes()[:50])
    errors = gather(filled)
    assert errors.count("RuntimeWarning") == 1 and "can't read the cache" in errors
    assert "Traceback" not in errors
    assert gather(filled) == ""


@pytest.mark.parametrize("first", ["one", "other"])
def test_processes_that_compile_at_once_never_exchange_their_kernels(tmp_path, first):
    one, other = (cache._CacheFiles(str(tmp_path), "kernel", "stamp") for _ in range(2))
    other._load_index = dict  # it has read the index before there was anything in it
    write = one._save_data

    def write_while_the_other_saves(name, data):
        if first == "one":
            write(name, data)
        other.save(("tanh",), "code of tanh")
        if first == "other":
            write(name, data)

    one._save_data = write_while_the_other_saves
    one.save(("sigmoid",), "code of sigmoid")
    for process in (one, cache._CacheFiles(str(tmp_path), "kernel", "stamp")):
        assert process.load(("sigmoid",)) in ("code of sigmoid", None)
        assert process.load(("tanh",)) in ("code of tanh", None)


def test_kernels_of_older_sources_leave_the_cache(tmp_path):
    cache._CacheFiles(str(tmp_path), "kernel", "old").save(("sigmoid",), "old code")
    new = cache._CacheFiles(str(tmp_path), "kernel", "new")
    assert new.load(("sigmoid",)) is None
    new.save(("tanh",), "new code")
    assert len(list(tmp_path.glob("*.nbc"))) == 1
    new.save(("sigmoid",), "newer code")
    assert [new.load((name,)) for name in ("tanh", "sigmoid")] == ["new code", "newer code"]


@pytest.mark.slow
def test_without_any_folder_for_the_cache_kernels_work_with_one_warning(tmp_path):
    (tmp_path / "file").write_text("")
    # The one place that is left to numba is a file, so that it finds no folder at all.
    errors = gather(tmp_path / "file", NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert errors.count("RuntimeWarning") == 1 and "NUMBA_CACHE_DIR" in errors and NOTICE in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_cache_that_can_not_be_written_any_more_costs_one_warning(tmp_path):
    folder = tmp_path / "cache"
    vanish = f"from tensorgrad import kernels; kernels.pooling; import shutil; shutil.rmtree({str(folder)!r})\n"
    vanish += f"open({str(folder)!r}, 'w').close()\n"
    done = python(vanish + GATHER, NUMBA_CACHE_DIR=str(folder))
    assert done.stdout == "[3. 4.]\n"
    assert done.stderr.count("RuntimeWarning") == 1 and "Traceback" not in done.stderr


PARALLEL = """
import os, signal, sys, threading
import numpy as np
from tensorgrad.kernels import convolution; from tensorgrad.kernels.jit import dispatch
from tensorgrad.windows import Window
generator = np.random.default_rng(0)
x = generator.standard_normal((5, 6, 16, 16)).astype(np.float32)
w = generator.standard_normal((9, 6, 3, 3)).astype(np.float32)
window = Window.fitting("conv2d", (16, 16), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1))

def trio():
    y = convolution.forward(x, w, None, window)
    dx, dw = convolution.grad_input(y, w, window), convolution.grad_weight(x, y, window)
    return [array.tobytes() for array in (y, dx, dw)]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_computes_the_same_bits():
    script = """
expected = trio()
assert dispatch.chunks_for(5, 10**9) > 1
def child():
    signal.alarm(60)
    os._exit(0 if trio() == expected else 1)
def generations():
    signal.alarm(60)
    pid = os.fork()
    if pid == 0:
        child()
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
for work in (child, generations):
    pid = os.fork()
    if pid == 0:
        work()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
assert trio() == expected
"""
    assert python(PARALLEL + script, NUMBA_NUM_THREADS="2").stdout.split() == ["0", "0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_waits_until_no_thread_compiles(tmp_path):
    script = """
import os, signal, threading
import numpy as np
from tensorgrad.kernels import pooling; from tensorgrad.kernels.jit import cache
from tensorgrad.windows import Window
x, indices = np.ones((1, 1, 2, 2), np.float32), np.zeros((1, 1, 1, 1), np.int32)
arguments = x, indices, Window.halving((2, 2))
compiling = threading.Event()
cache.say_once = lambda message: compiling.set()
thread = threading.Thread(target=pooling.gather, args=arguments)
thread.start()
compiling.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    os._exit(0 if pooling.gather(*arguments) == 1 else 1)
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert python(script, NUMBA_CACHE_DIR=str(tmp_path)).stdout == "0\n"


def test_the_layer_without_thread_safety_is_entered_by_one_thread_at_a_time():
    script = """
expected, wrong = trio(), []
def work():
    wrong.extend(1 for _ in range(30) if trio() != expected)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
import numba
print(numba.threading_layer(), len(wrong))
"""
    done = python(PARALLEL + script, NUMBA_THREADING_LAYER="workqueue", NUMBA_NUM_THREADS="2")
    assert done.stdout.split() == ["workqueue", "0"]


@pytest.fixture
def record(monkeypatch):
    """A kernel that is a plain Python function, and the calls it has had: each piece, or all together."""
    calls = []

    def launch(loop, trampoline, address, chunks, *arguments):
        calls.append(("together", *arguments, chunks))

    monkeypatch.setattr(dispatch, "trampoline_of", lambda kernel, arguments: (0, 0))
    monkeypatch.setattr(dispatch, "_launch", launch)
    return calls, lambda *call: calls.append(("kernel", *call))


@pytest.mark.slow
def test_how_threads_wait_is_left_to_others_as_it_was():
    script = """
for _ in range(2):
    convolution.forward(x, w, None, window)
    print("GOMP_SPINCOUNT" in os.environ)
"""
    kept = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    for extra, expected in (({}, "False"), ({"GOMP_SPINCOUNT": "7"}, "True")):
        code = PARALLEL + "dispatch.SMALL = 0" + script
        done = subprocess.run(
            [sys.executable, "-c", code], env=kept | extra, capture_output=True, text=True, check=True, timeout=300
        )
        assert done.stdout.split() == [expected] * 2


def test_little_work_is_one_piece_and_much_work_one_per_thread():
    threads = dispatch.get_num_threads()
    assert dispatch.chunks_for(100, dispatch.SMALL - 1) == 1
    assert dispatch.chunks_for(100, dispatch.SMALL) == threads
    assert dispatch.chunks_for(1, 10**9) == dispatch.chunks_for(0, 10**9) == 1


def test_one_piece_runs_by_itself_and_several_run_together(record):
    calls, kernel = record
    dispatch.run(kernel, ("x",), 1)
    dispatch.run(kernel, ("y",), 3)
    assert calls == [("kernel", "x", 0, 1), ("together", "y", 3)]


def test_where_threads_can_not_be_used_the_pieces_run_one_after_the_other(record, monkeypatch):
    calls, kernel = record
    monkeypatch.setattr(dispatch, "_serial_only", True)
    dispatch.run(kernel, ("y",), 3)
    assert calls == [("kernel", "y", index, 3) for index in range(3)]


def test_warm_up_runs_every_variant_of_every_kernel_and_reports_it(record, monkeypatch):
    calls, kernel = record
    room = types.ModuleType("tensorgrad.kernels.room")
    room.samples = lambda dtype: [("kernel", lambda: dispatch.run(kernel, (dtype,), dispatch.chunks_for(1, 0)))]
    monkeypatch.setitem(sys.modules, room.__name__, room)
    monkeypatch.setattr(kernels, "MODULES", {"room": room.__name__})
    report = list(kernels.warmup())
    assert [name for name, _ in report] == ["room.kernel float32", "room.kernel float64"]
    assert all(seconds >= 0 for _, seconds in report)
    assert calls == [
        call for dtype in ("float32", "float64") for call in (("kernel", dtype, 0, 1), ("together", dtype, 1))
    ]
    dispatch.run(kernel, ("later",), 1)
    assert calls[-1] == ("kernel", "later", 0, 1)


def test_every_room_has_samples():
    for room in kernels.MODULES:
        for dtype in ("float32", "float64"):
            assert list(getattr(kernels, room).samples(dtype))


def test_the_number_of_threads_is_set_and_checked():
    before = dispatch.get_num_threads()
    try:
        dispatch.set_num_threads(1)
        assert dispatch.get_num_threads() == dispatch.chunks_for(8, 10**9) == 1
    finally:
        dispatch.set_num_threads(before)
    for wrong, error in ((0, ArgumentError), (10**6, ArgumentError), (1.5, DTypeError), (True, DTypeError)):
        with pytest.raises(error, match="set_num_threads"):
            dispatch.set_num_threads(wrong)
    assert dispatch.get_num_threads() == before
    code = "from tensorgrad.kernels.jit import dispatch; print(dispatch.get_num_threads())"
    assert python(code, NUMBA_NUM_THREADS="3").stdout == "3\n"


def test_ready_copies_only_what_kernels_can_not_take():
    plain = np.arange(6.0).reshape(2, 3)
    assert as_contiguous(plain) is plain
    frozen = plain.copy()
    frozen.setflags(write=False)
    for other in (plain[:, ::-1], np.asfortranarray(plain), plain.astype(">f8"), frozen):
        result = as_contiguous(other)
        assert result.flags.carray and result.dtype.isnative and not np.shares_memory(result, other)
        np.testing.assert_array_equal(result, other)


@dispatch.helper
def added(x, y):
    return x + y


def test_an_integer_literal_compiles_no_other_variant():
    @numba.njit(**dispatch.OPTIONS)  # not cached: a kernel that is loaded compiles nothing
    def add_up(x, index, chunks):
        x[0] = added(index, 1) + added(index, 20) + added(index, chunks)

    x = np.zeros(1, np.int64)
    add_up(x, 3, 1)
    assert x[0] == 4 + 23 + 4
    assert len(added.signatures) == 1


def test_python_cant_call_a_helper_of_kernels():
    with pytest.raises(TypeError, match="added is for compiled functions; in Python call its py_func"):
        added(1, 2)
    assert added.py_func(1, 2) == 3


def test_kernels_are_optimized_once_where_numba_is_known(monkeypatch):
    assert compiler.pipeline() is dispatch.OPTIONS["pipeline_class"] is compiler.KernelCompiler
    monkeypatch.setattr(compiler, "EXCHANGED", (*compiler.EXCHANGED, "_of_another_version"))
    assert compiler.pipeline() is Compiler

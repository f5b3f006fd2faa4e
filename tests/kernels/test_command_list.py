"""A command list: launches made again, with the packed arguments that numba's own code would pass."""

import numpy as np
import pytest

from tensorgrad.arrays import memory
from tensorgrad.kernels.conv import convolution
from tensorgrad.kernels.elementwise import losses
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.command_list import CommandList, Recorder
from tensorgrad.kernels.jit.dispatch import kernel, run
from tensorgrad.kernels.jit.opaque import Opaque, Unreadable, constant
from tensorgrad.windows import Window


@kernel
def every_kind(x, y, out, scale, small, flag, sizes, index, chunks):
    """One argument of each kind that kernels take."""
    (a, b), c = sizes
    for k in range(len(out) * index // chunks, len(out) * (index + 1) // chunks):
        value = x[k, 0] * scale + y[0, k, 1] * small + a + 10 * b + c
        out[k] = value if flag else -value


def arguments(flag=True, rows=7, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((rows, 3)), rng.standard_normal((1, rows, 2)).astype(np.float32)
    return x, y, np.zeros(rows), 2.5, np.float32(0.5), flag, ((3, np.int64(4)), -5)


class Room:
    """Memory that stays, as `memory.empty` hands it out while a capture records."""

    def __init__(self):
        self.arrays = []

    def take(self, shape, dtype):
        self.arrays.append(np.zeros(shape, dtype))
        return Opaque(self.arrays[-1])


def recorded(call):
    room = Room()
    with dispatch.recorded(Recorder()) as recorder, memory.drawn_from(room):
        call()
    recorder.room = room  # its memory lives as long as the launches that use it
    return recorder


def opaque(values):
    return tuple(Opaque(value) if isinstance(value, np.ndarray) else value for value in values)


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_every_kind_of_argument_is_handed_over(flag, chunks):
    given = arguments(flag)
    recorder = recorded(lambda: run(every_kind, opaque(given), chunks))
    x, y, out, scale, small, *_ = given
    value = x[:, 0] * scale + y[0, :, 1].astype(np.float64) * small + 3 + 40 - 5
    np.testing.assert_allclose(out, value if flag else -value, rtol=1e-15)
    first, out[:] = out.copy(), np.nan
    assert CommandList(recorder.launches, []).play(np.zeros(0, np.int64))
    np.testing.assert_array_equal(out, first)


def test_memory_that_lies_elsewhere():
    given, others = arguments(), arguments(seed=1)
    recorder = recorded(lambda: run(every_kind, opaque(given), 2))
    launches = CommandList(recorder.launches, [(array.ctypes.data, array.nbytes) for array in given[:3]])
    for arrays in (others, given):
        expected = np.zeros(7)
        run(every_kind, (*arrays[:2], expected, *arrays[3:]), 1)
        arrays[2][:] = np.nan
        assert launches.play(np.array([array.ctypes.data for array in arrays[:3]]))
        np.testing.assert_array_equal(arrays[2], expected)


def test_views_move_with_their_memory():
    whole, elsewhere = np.zeros((2, 7)), np.full((2, 7), np.nan)
    given = (*arguments()[:2], whole[1], *arguments()[3:])
    recorder = recorded(lambda: run(every_kind, opaque(given), 1))
    launches = CommandList(recorder.launches, [(whole.ctypes.data, whole.nbytes)])
    assert launches.play(np.array([elsewhere.ctypes.data]))
    np.testing.assert_array_equal(elsewhere[1], whole[1])
    assert np.isnan(elsewhere[0]).all()


def test_what_is_recorded():
    x, y = Opaque(np.zeros((4, 3), np.float32)), Opaque(np.array([0, 1, 2, 0]))
    recorder = recorded(lambda: losses.cross_entropy(x, y))
    assert [launch.chunks for launch in recorder.launches] == [1, 0] and recorder.constants == []
    assert dispatch._mode.recorder is None


@pytest.mark.parametrize("made", [np.ones(3), np.ones((2, 3))[1], np.ones(3)[::-1]])
def test_an_array_that_numpy_has_made_is_refused(made):
    x, y, out, *rest = arguments(rows=3)
    for given in ((x, y, made, *rest), (x, y, Opaque(out), *rest[:-1], ((made, 1), 2))):
        with pytest.raises(Unreadable, match="NumPy has made"):
            recorded(lambda given=given: run(every_kind, given, 1))


def test_constants_are_kept():
    table = constant(np.ones((7, 3)))
    _, y, out, *rest = arguments()
    recorder = recorded(lambda: run(every_kind, (table, Opaque(y), Opaque(out), *rest), 1))
    assert len(recorder.constants) == 1 and recorder.constants[0] is table


def test_flags_that_no_kernel_has_written_are_refused():
    for flags in (Opaque(np.zeros(1)), Opaque(np.zeros((1, 1), np.int64)), np.zeros(1, np.int64)):
        for read in (dispatch.status_set, lambda flags: dispatch.otherwise(flags, lambda: None)):
            with pytest.raises(Unreadable, match="status flags must be"):
                recorded(lambda read=read, flags=flags: read(flags))


@kernel
def note(log, number, index, chunks):
    """Append a number to a log, whose first element counts the others."""
    log[0] += 1
    log[log[0]] = number


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_launches_are_made_where_a_flag_is_set(kind):
    log, both = np.zeros(9, np.int64), np.zeros((2, 3, 2), kind)
    # Strided, as flags stand in the scratches of threads
    outer, inner = both[0, :, 1], both[1, :, 1]

    def compute(log, outer, inner):
        run(note, (log, 1), 1)
        dispatch.otherwise(outer, lambda: alternative(log, inner))
        run(note, (log, 5), 1)

    def alternative(log, inner):
        run(note, (log, 2), 1)
        dispatch.otherwise(inner, lambda: run(note, (log, 3), 1))
        dispatch.otherwise(inner, lambda: None)
        run(note, (log, 4), 1)

    recorder = recorded(lambda: compute(*map(Opaque, (log, outer, inner))))
    launches = CommandList(recorder.launches, [(log.ctypes.data, log.nbytes), (both.ctypes.data, both.nbytes)])
    for move in range(2):
        for k in range(-1, 3):
            for m in range(-1, 3):
                if move:
                    log, both = log.copy(), both.copy()
                both[...], log[...] = 0, 0
                both[0, k, 1], both[1, m, 1] = (k >= 0) << k + 1, (m >= 0) << m + 1
                expected = log.copy()
                compute(expected, both[0, :, 1], both[1, :, 1])
                numbers = [1, *([2, *([3] if m >= 0 else []), 4] if k >= 0 else []), 5]
                assert expected[1 : 1 + expected[0]].tolist() == numbers
                assert launches.play(np.array([log.ctypes.data, both.ctypes.data]))
                np.testing.assert_array_equal(log, expected)


def test_what_cannot_be_recorded_otherwise_raises():
    flags, log = Opaque(np.zeros(2, np.int64)), Opaque(np.zeros(9, np.int64))
    recorder = Recorder()
    with dispatch.recorded(recorder), memory.drawn_from(Room()), pytest.raises(Unreadable):
        dispatch.otherwise(flags, lambda: run(note, (np.zeros(9, np.int64), 1), 1))
    with dispatch.recorded(recorder), memory.drawn_from(Room()):
        run(note, (log, 1), 1)
    assert [launch.chunks for launch in recorder.launches] == [1, 1]  # that of the flags, and the last


@pytest.mark.parametrize(("count", "dtype", "launches"), [(1, np.int64, 0), (1, np.int32, 1), (3, np.int64, 1)])
def test_a_single_flag_is_read_where_it_stands(count, dtype, launches):
    flags, log, recorder = np.zeros(count, dtype), np.zeros(9, np.int64), Recorder()
    with dispatch.recorded(recorder), memory.drawn_from(Room()):
        dispatch.otherwise(Opaque(flags), lambda: run(note, (Opaque(log), 1), 1))
    assert len(recorder.launches) == launches + 2  # the branch, and what it skips
    log[:] = 0
    played = CommandList(recorder.launches, [])
    assert played.play(np.zeros(0, np.int64)) and not log.any()
    flags[-1] = 1
    assert played.play(np.zeros(0, np.int64)) and log.any()


def test_a_status_flag_stops_the_launches():
    x, y = np.zeros((4, 3), np.float32), np.array([0, 1, 2, 0])
    recorder = recorded(lambda: losses.cross_entropy(Opaque(x), Opaque(y)))
    given, after = arguments(), np.zeros(7)
    recorder.launches += recorded(lambda: run(every_kind, opaque((*given[:2], after, *given[3:])), 1)).launches
    launches = CommandList(recorder.launches, [])
    assert launches.play(np.zeros(0, np.int64))
    after[:], y[2] = 0, 3
    assert not launches.play(np.zeros(0, np.int64))
    assert not after.any()


def test_a_status_flag_set_while_recording_refuses_the_launch():
    x, y = Opaque(np.zeros((4, 3), np.float32)), Opaque(np.array([0, 1, 9, 0]))
    with pytest.raises(Unreadable, match="status flag"):
        recorded(lambda: losses.cross_entropy(x, y))


@pytest.mark.parametrize(
    ("x", "w", "stride", "groups"),
    [
        ((3, 4, 6, 8), (4, 1, 3, 3), 1, 4),
        ((3, 4, 6, 8), (4, 1, 3, 3), 2, 4),
        ((3, 4, 6, 8), (5, 4, 3, 3), 2, 1),
        ((9, 16, 10, 10), (17, 16, 3, 3), 2, 1),
    ],
    ids=["depthwise", "depthwise, stride 2", "stride 2", "images side by side"],
)
def test_convolutions_are_recorded_and_played_again(x, w, stride, groups):
    rng = np.random.default_rng(3)
    window = Window.fitting("conv2d", x[2:], w[2:], (stride, stride), ((1, 1), (1, 1)), (1, 1), groups)
    x, w, bias, g = (rng.standard_normal(s) for s in (x, w, w[:1], (x[0], w[0], *window.output)))
    calls = [
        lambda x, w, bias, g: convolution.forward(x, w, bias, window),
        lambda x, w, bias, g: convolution.grad_input(g, w, window),
        lambda x, w, bias, g: convolution.grad_weight(x, g, window),
    ]
    for call in calls:
        results = []
        recorder = recorded(lambda call=call, results=results: results.append(call(*map(Opaque, (x, w, bias, g)))))
        result = results[0]._array
        for seed in (4, 5):
            for array in (x, w, bias, g):
                array[...] = np.random.default_rng(seed).standard_normal(array.shape)
            assert CommandList(recorder.launches, []).play(np.zeros(0, np.int64))
            np.testing.assert_array_equal(result, call(x, w, bias, g))

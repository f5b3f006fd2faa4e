"""Chains of launches without barriers: where the same chunk makes what is read, and nothing else changes."""

import numpy as np
import pytest

from tensorgrad.kernels.conv import convolution
from tensorgrad.kernels.elementwise import fused_loops, normalization, pointwise
from tensorgrad.kernels.elementwise.fused_ir import FusedLoop, Link
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.command_list import CommandList, followers_of
from tensorgrad.kernels.jit.opaque import Opaque
from tensorgrad.kernels.jit.partition import Access, Partition, follows, memory_of
from tensorgrad.kernels.pool import pooling
from tensorgrad.windows import Window
from tests.kernels.test_command_list import recorded

PARTITION = Partition(2, (0, 3))


def launch(read, own, written, partition=PARTITION):
    return memory_of([*read, *own, *written], Access(partition, (), ()), own, written)


def test_what_may_follow_without_a_barrier():
    x, y, z, scratch, shared = np.zeros((5, 2, 3, 4))
    first = launch([x], [y], [y, scratch])
    assert follows(launch([shared], [y, z], [z]), [first])
    assert follows(launch([x], [y], [y]), [first]), "in place"
    assert not follows(launch([], [y, z], [z], PARTITION._replace(length=2, size=4)), [first])
    assert not follows(launch([y], [z], [z]), [first]), "it reads what other chunks write"
    assert not follows(launch([], [y, x], [x]), [first]), "it writes what other chunks still read"
    assert not follows(launch([], [y, scratch], [scratch]), [first]), "it writes what other chunks use"
    assert not follows(launch([], [y[:1], z], [z]), [first]), "a part of an array is shared out otherwise"
    assert not follows(memory_of([z]), [first])
    assert not follows(launch([x], [z], [z]), [first, launch([z], [y], [y])]), "all of a chain counts"


def test_views_are_told_by_the_memory_that_they_span():
    whole = np.zeros((4, 6))
    assert memory_of([whole[:, ::-2]]).read == {(whole.ctypes.data + 8, whole.ctypes.data + whole.nbytes)}


@pytest.fixture
def two_threads():
    if dispatch._config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one thread has no barriers")
    before = dispatch.get_num_threads()
    dispatch.set_num_threads(2)
    yield
    dispatch.set_num_threads(before)


SHAPES = {  # images, channels, height, width, filters, size of a filter, stride, groups
    "bands": (1, 12, 31, 33, 20, 3, 1, 1),
    "strided": (1, 16, 63, 61, 20, 3, 2, 1),
    "filters of one image": (1, 24, 31, 33, 50, 1, 1, 1),
    "filters larger than a plane": (1, 40, 9, 11, 30, 3, 1, 1),
    "images": (3, 8, 31, 33, 40, 5, 1, 1),
    "planes": (1, 40, 63, 61, 40, 3, 1, 40),
    "strided planes": (2, 40, 63, 61, 40, 3, 2, 40),
    "two filters per plane": (1, 30, 63, 61, 60, 3, 1, 30),
}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("case", SHAPES)
def test_what_continues_a_convolution_waits_for_nobody(case):
    """Recorded and played: the bits of one kernel after the other, with one barrier."""
    count, channels, height, width, filters, size, stride, groups = SHAPES[case]
    padding = (size // 2, size // 2)
    window = Window.fitting(
        "conv2d", (height, width), (size, size), (stride, stride), (padding, padding), (1, 1), groups
    )
    rng = np.random.default_rng(0)
    shapes = (count, channels, height, width), (filters, channels // groups, size, size), *[(filters,)] * 3
    x, w, c, s, t = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    y = convolution.forward(x, w, None, window)
    channel = (1, filters, 1, 1)
    links = Link("scale and shift", (0, 1, 2, 3)), Link("relu", (4,))
    loop = FusedLoop(y.shape, (y.shape, *[channel] * 3), links, (5,), (), 0)
    expected = pointwise.relu(normalization.scale_and_shift(y, c, s, t))
    found = []

    def call():
        z = convolution.forward(Opaque(x), Opaque(w), None, window)
        found.append(fused_loops.compute(loop, z, *map(Opaque, (c, s, t)))[0])

    recorder = recorded(call)
    followers = followers_of(recorder.launches)
    assert followers[-2:] == [1, 0]
    result = found[0]._array
    result[...] = np.nan
    for _ in range(3):
        assert CommandList(recorder.launches, []).play(np.zeros(0, np.int64))
        np.testing.assert_array_equal(result, expected)


POOLED = {  # the shape of x, the window, whether its bands go through whole windows
    "bands of 2×2": ((1, 12, 32, 33), (2, 2), True),
    "bands of 2×2, the last of one row": ((1, 12, 37, 33), (2, 2), False),
    "filters, pairs of a signal": ((1, 24, 1, 999), (1, 2), True),
    "images of 2×2": ((4, 9, 31, 21), (2, 2), True),
}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("case", POOLED)
def test_pooling_waits_for_nobody_where_windows_are_whole(case):
    shape, size, waits_not = POOLED[case]
    kernel = (1, 3) if shape[2] == 1 else (3, 3)
    padding = (kernel[0] // 2,) * 2, (1, 1)
    window = Window.fitting("conv2d", shape[2:], kernel, (1, 1), padding, (1, 1))
    pooled = Window.pooled("max_pool2d", shape[2:], size, size, ((0, 0), (0, 0)), (1, 1), False)
    x, w = (np.random.default_rng(0).standard_normal(s).astype(np.float32) for s in (shape, (40, shape[1], *kernel)))
    y, places = pooling.max_forward(convolution.forward(x, w, None, window), pooled)
    found = []
    recorder = recorded(
        lambda: found.extend(pooling.max_forward(convolution.forward(Opaque(x), Opaque(w), None, window), pooled))
    )
    assert (followers_of(recorder.launches)[-2:] == [1, 0]) == waits_not
    for array in found:
        array._array[...] = 0
    for _ in range(3):
        assert CommandList(recorder.launches, []).play(np.zeros(0, np.int64))
        np.testing.assert_array_equal(found[0]._array, y)
        np.testing.assert_array_equal(found[1]._array, places)


@pytest.mark.usefixtures("two_threads")
def test_nothing_follows_out_of_a_branch():
    partition, flag = Partition(1, (0, 1, 2)), np.zeros(1, np.int64)
    x, y, z = np.ones((3, 16), np.float32)

    def copied(source, target):
        access = Access(partition, (Opaque(source), Opaque(target)), (Opaque(target),))
        dispatch.run(copy, (Opaque(source), Opaque(target)), 2, access)

    def call():
        copied(x, y)
        dispatch.otherwise(Opaque(flag), lambda: copied(y, z))
        copied(z, y)
        copied(y, x)

    launches = recorded(call).launches
    followers = [n for launch, n in zip(launches, followers_of(launches), strict=True) if launch.chunks == 2]
    assert followers == [0, 0, 1, 0]


@dispatch.kernel
def copy(x, y, index, chunks):
    for k in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        y[k] = x[k]

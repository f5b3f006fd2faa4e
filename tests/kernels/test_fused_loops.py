"""Loops of several functions: the bits are those of the single kernels, whatever their neighbours are."""

from itertools import pairwise

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.kernels.elementwise import loops, normalization, pointwise
from tensorgrad.kernels.elementwise.fused_ir import FusedLoop, Link, can_fuse, layout
from tensorgrad.kernels.elementwise.fused_loops import _plan, compute

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SHAPE, CHANNEL = (4, 6, 20, 21), (1, 6, 1, 1)


def draw(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


@FLOATS
def test_no_product_is_fused_with_the_next_formula(dtype):
    """A formula that ends in a product, before one that begins with a difference: fma(x, m, −c) would round once."""
    x, m, c, w, b = (draw(*s, dtype=dtype, seed=k) for k, s in enumerate([SHAPE, SHAPE, (6,), (6,), (6,)]))
    links = Link("dropout", (0, 1)), Link("scale and shift", (5, 2, 3, 4))
    (z,) = compute(FusedLoop(SHAPE, (SHAPE, SHAPE, CHANNEL, CHANNEL, CHANNEL), links, (6,)), x, m, c, w, b)
    np.testing.assert_array_equal(z, normalization.scale_and_shift(loops.compute("dropout", x, m), c, w, b))


@FLOATS
def test_no_part_is_shared_between_formulas(dtype):
    """(x − c) · w occurs in both; computed once, it would no longer be fused with either sum."""
    x, c, w, b, d = (draw(*s, dtype=dtype, seed=k) for k, s in enumerate([SHAPE, (6,), (6,), (6,), (6,)]))
    links = Link("scale and shift", (0, 1, 2, 3)), Link("scale and shift", (0, 1, 2, 4)), Link("multiply", (5, 6))
    (z,) = compute(FusedLoop(SHAPE, (SHAPE, *[CHANNEL] * 4), links, (7,)), x, c, w, b, d)
    one, other = (normalization.scale_and_shift(x, c, w, t) for t in (b, d))
    np.testing.assert_array_equal(z, one * other)


@FLOATS
def test_sums_are_those_of_the_single_kernels(dtype):
    g, y, x, mean = (
        draw(*SHAPE, dtype=dtype),
        draw(*SHAPE, dtype=dtype, seed=1),
        draw(*SHAPE, dtype=dtype, seed=2),
        draw(6),
    )
    sums = ("sum", (4,)), ("sum and product", (4, 2, 3))
    for written in ((4,), ()):
        loop = FusedLoop(SHAPE, (SHAPE, SHAPE, SHAPE, CHANNEL), (Link("relu gradient", (0, 1)),), written, sums)
        *results, total, whole, product = compute(loop, g, y, x, mean.astype(np.float64))
        expected = pointwise.relu_gradient(g, y)
        assert [r.tobytes() for r in results] == [expected.tobytes()] * len(written)
        np.testing.assert_array_equal(total, pointwise.channel_sums(expected))
        np.testing.assert_array_equal(
            (whole, product), normalization.gradient_sums(expected, x, mean.astype(np.float64))
        )


@FLOATS
@pytest.mark.parametrize("over", [None, 0, 4])
def test_a_result_may_take_the_memory_of_an_operand(dtype, over):
    x, c, w, b, y = (draw(*s, dtype=dtype, seed=k) for k, s in enumerate([SHAPE, (6,), (6,), (6,), SHAPE]))
    expected = pointwise.relu(normalization.scale_and_shift(x, c, w, b) + y)
    links = Link("scale and shift", (0, 1, 2, 3)), Link("add", (5, 4)), Link("relu", (6,))
    operands = [x, c, w, b, y]
    (z,) = compute(FusedLoop(SHAPE, (SHAPE, *[CHANNEL] * 3, SHAPE), links, (7,), (), over), *operands)
    np.testing.assert_array_equal(z, expected)
    assert [np.may_share_memory(z, operand) for operand in operands] == [over == k for k in range(5)]


@pytest.mark.parametrize(
    ("length", "starts"), [(0, (0, 1, 2, 3, 4, 5, 6)), (0, (0, 6)), (63, (0, 2, 2, 6)), (420, (0, 6)), (200, (0, 5, 6))]
)
@pytest.mark.parametrize("chunks", [1, 2, 3, 7])
def test_chunks_share_out_all_elements(length, starts, chunks):
    """Each element is made once, by the chunk that the partition says: units (image, band, planes) in this order."""
    x, c, w, b = (draw(*s, seed=k) for k, s in enumerate([SHAPE, (6,), (6,), (6,)]))
    links = Link("scale and shift", (0, 1, 2, 3)), Link("relu", (4,))
    plan = _plan(FusedLoop(SHAPE, (SHAPE, *[CHANNEL] * 3), links, (5,)))
    expected = pointwise.relu(normalization.scale_and_shift(x, c, w, b))
    units = [
        (n, slice(first, last), slice(at, at + (length or 420)))
        for n in range(4)
        for at in range(0, 420, length or 420)
        for first, last in pairwise(starts)
    ]
    for index in range(chunks):
        z = np.full(SHAPE, np.nan, np.float32)
        arguments = (plan.shape, (np.float32(0),), 0, length, np.array(starts), index, chunks)
        plan.kernel(*[array.reshape(-1) for array in (x, c, w, b, z)], *arguments)
        own = np.full((4, 6, 420), np.nan, np.float32)
        for unit in units[len(units) * index // chunks : len(units) * (index + 1) // chunks]:
            own[unit] = expected.reshape(4, 6, 420)[unit]
        np.testing.assert_array_equal(z.reshape(4, 6, 420), own)


def test_layouts():
    assert layout((2, 3, 4), ((2, 3, 4), (1, 1, 1)), False) == ((1, 1, 24), ((1, 1, 24), (1, 1, 1)))
    assert layout((2, 3, 4), ((2, 3, 4),), True) == ((2, 3, 4), ((2, 3, 4),))
    assert layout((2, 3, 4, 5), ((1, 3, 1, 5), (2, 1, 4, 1)), False) is None


def test_formulas_of_the_c_library_are_no_links():
    assert tg.silu and can_fuse("silu") and can_fuse("add") and not can_fuse("log") and not can_fuse("sin")

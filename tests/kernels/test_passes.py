"""Passes over contiguous elements in explicit vectors, against NumPy in float64."""

import numpy as np
import pytest

from tensorgrad.kernels.jit.dispatch import kernel
from tensorgrad.kernels.simd import passes

FLOATS = pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-6), ("float64", 1e-12)])
# Units, segments of each and their length; some lengths are whole vectors, some shorter than one.
SIZES = pytest.mark.parametrize(
    "sizes", [(3, 1, 1), (2, 5, 7), (4, 9, 49), (2, 2, 64), (1, 3, 97), (2, 1, 3000)], ids=str
)


@kernel
def centered(x, stride, units, step, count, length, centers, out):
    block = passes.block_of(length, x.itemsize)
    passes.centered_sums(x, 0, stride, units, step, count, length, block, centers, 0, out, 0)


@kernel
def gradients(g, x, stride, units, step, count, length, centers, out):
    block = passes.block_of(length, x.itemsize)
    passes.gradient_sums(g, 0, x, 0, stride, units, step, count, length, block, centers, 0, out, 0)


@kernel
def weighted(g, x, w, stride, units, step, count, length, centers, out):
    block = passes.block_of(length, x.itemsize)
    passes.weighted_sums(g, 0, x, 0, w, 0, stride, units, step, count, length, block, centers, 0, out, 0)


@kernel
def columns(g, x, count, length, numbers, out):
    passes.column_sums(g, 0, x, 0, length, count, length, numbers, 0, out, 0, out.shape[1])


@kernel
def maps(g, x, w, b, units, length, numbers, z):
    three, four = numbers[:, :3].copy(), numbers
    passes.affine(x, 0, z[0], 0, length, units, length, three, 0)
    passes.weighted_affine(x, 0, w, 0, b, 0, z[1], 0, length, units, length, three, 0)
    passes.combination(g, 0, x, 0, z[2], 0, length, units, length, four, 0)
    passes.weighted_combination(g, 0, x, 0, w, 0, z[3], 0, length, units, length, four, 0)


@FLOATS
@SIZES
def test_sums_over_the_segments_of_units(sizes, dtype, error):
    units, count, length = sizes
    stride, step = length + 3, units * (length + 3)
    rng = np.random.default_rng(0)
    g, x = (rng.standard_normal((count, units, stride)).astype(dtype) for _ in range(2))
    # What lies between the segments isn't read.
    g[..., length:], x[..., length:] = np.nan, np.nan
    w, centers = rng.standard_normal(length).astype(dtype), rng.standard_normal(units).astype(dtype)
    upstream, plain = g[..., :length].astype(float), (x - centers[:, None])[..., :length].astype(float)
    sizes = (stride, units, step, count, length, centers)
    for run, arrays, terms in (
        (centered, (x,), (plain, plain * plain)),
        (gradients, (g, x), (upstream, upstream * plain)),
        (weighted, (g, x, w), (upstream * w, upstream * w * plain)),
    ):
        out = np.full((units, 2), np.nan)
        run(*[array.reshape(-1) for array in arrays], *sizes, out)
        for result, term in zip(out.T, terms, strict=True):
            assert (np.abs(result - term.sum((0, 2))) <= error * np.abs(term).sum((0, 2))).all(), run


@FLOATS
def test_a_sum_of_equal_numbers_gathers_no_rounding_errors(dtype, error):
    """Each addition of the same number to a growing sum is rounded the same way."""
    x, out = np.full(3_000_000, 0.1, dtype), np.empty((1, 2))
    for count in (1, 1000):
        length = x.size // count
        centered(x, 0, 1, length, count, length, np.zeros(1, dtype), out)
        np.testing.assert_allclose(out[0], [x.size * float(x[0]), x.size * float(x[0]) ** 2], rtol=error)


@FLOATS
@pytest.mark.parametrize("shape", [(1, 1), (14, 5), (3, 64), (9, 200)], ids=str)
def test_sums_of_columns_are_added_to_those_before(shape, dtype, error):
    count, length = shape
    rng = np.random.default_rng(1)
    g, x = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    numbers = rng.standard_normal((count, 3)).astype(dtype)
    strip = passes.strip.py_func(x.itemsize)
    room = -(-length // strip) * strip
    out = np.ones((2, room))
    columns(g.reshape(-1), x.reshape(-1), count, length, numbers, out)
    c, s, t = numbers.astype(float).T[..., None]
    standard = (x - c) * s + t
    np.testing.assert_allclose(out[0, :length], 1 + g.astype(float).sum(0), atol=50 * error)
    np.testing.assert_allclose(out[1, :length], 1 + (g * standard).sum(0), atol=50 * error)


@FLOATS
@SIZES
def test_affine_functions_with_numbers_of_each_unit(sizes, dtype, error):
    units, length = sizes[0] * sizes[1], sizes[2]
    rng = np.random.default_rng(2)
    g, x = (rng.standard_normal((units, length)).astype(dtype) for _ in range(2))
    w, b = (rng.standard_normal(length).astype(dtype) for _ in range(2))
    numbers = rng.standard_normal((units, 4)).astype(dtype)
    z = np.full((4, units * length + 5), 7, dtype)
    maps(g.reshape(-1), x.reshape(-1), w, b, units, length, numbers, z)
    assert (z[:, -5:] == 7).all()  # nothing is written behind the last element
    one, two, three, four = numbers.astype(float).T[..., None]
    affine, combined = (x - one) * two + three, (x - two) * three + four
    exact = affine, affine * w + b, g * one + combined, g * w * one + combined
    for result, expected in zip(z[:, :-5], exact, strict=True):
        np.testing.assert_allclose(result.reshape(x.shape), expected, rtol=0, atol=50 * error)

import numpy as np
import pytest
from machine_code import assert_vectorised

from tensorgrad.kernels.jit.dispatch import kernel
from tensorgrad.kernels.simd.exponential import exponential, exponential_less_one, exponentials

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
# From below the smallest denormal result to above the largest number.
RANGE = {np.float32: (-105.0, 90.0), np.float64: (-747.0, 711.0)}


@kernel
def each_of(x, z):
    for k in range(x.size):
        z[k] = exponential(x[k])


@kernel
def each_less_one(x, z):
    for k in range(x.size):
        z[k] = exponential_less_one(x[k])


@kernel
def of_row(row, out):
    return exponentials(row, out)


def powers(x):
    z = np.empty_like(x)
    each_of(x, z)
    return z


@FLOATS
def test_it_is_within_two_ulp_of_the_true_value_over_the_whole_range(dtype):
    generator = np.random.default_rng(0)
    near, tiny = generator.uniform(-1, 1, 200_000), generator.uniform(-1, 1, 1000) * np.finfo(dtype).eps
    x = np.concatenate([np.linspace(*RANGE[dtype], 400_001), near, tiny]).astype(dtype)
    true = np.exp(x.astype(np.longdouble))
    with np.errstate(over="ignore", under="ignore"):
        rounded = true.astype(dtype)
    ours, finite = powers(x), np.isfinite(rounded)
    assert ours.dtype == dtype
    np.testing.assert_array_equal(np.isinf(ours), ~finite)
    error = np.abs(ours[finite] - true[finite]) / np.spacing(rounded[finite])
    assert error.max() < 2
    denormal = (rounded > 0) & (rounded < np.finfo(dtype).tiny)
    assert denormal.sum() > 1000


@FLOATS
def test_what_is_not_finite_and_what_is_exact(dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30], dtype)
    np.testing.assert_array_equal(powers(x), np.array([1, 1, np.inf, 0, np.nan, np.inf, 0], dtype))


@FLOATS
def test_less_one_is_within_three_ulp_for_negative_numbers(dtype):
    generator = np.random.default_rng(1)
    x = -np.concatenate([np.geomspace(1e-30, 100, 100_001), generator.uniform(0, 2, 100_000), [0, 1e30, np.inf]])
    x, z = x.astype(dtype), np.empty(len(x), dtype)
    each_less_one(x, z)
    true = np.expm1(x.astype(np.longdouble))
    assert (np.abs(z - true) / np.spacing(np.abs(true.astype(dtype)))).max() < 3
    each_less_one(np.full(1, np.nan, dtype), z[:1])
    assert np.isnan(z[0])


@FLOATS
def test_a_loop_over_it_is_vectorised(dtype):
    x = np.ones(3, dtype)
    assert assert_vectorised(each_of, x, x) > 5


@FLOATS
@pytest.mark.parametrize("size", [0, 1, 10, 16, 37, 1000])
def test_the_exponentials_of_a_row_their_sum_and_the_largest(size, dtype):
    row = np.random.default_rng(size).normal(scale=100, size=size).astype(dtype)
    out = np.empty_like(row)
    largest, total = of_row(row, out)
    assert largest == row.max(initial=-np.inf)
    expected, eps = np.exp((row - dtype(largest)).astype(np.longdouble)), np.finfo(dtype).eps
    np.testing.assert_allclose(out, expected, rtol=2 * eps, atol=np.finfo(dtype).smallest_subnormal)
    np.testing.assert_allclose(total, expected.sum(), rtol=20 * eps)
    for place in {0, size // 2, size - 1} if size else ():
        poisoned = row.copy()
        poisoned[place] = np.nan
        assert np.isnan(of_row(poisoned, out)).all()
        assert np.isnan(out).all()

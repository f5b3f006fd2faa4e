import numpy as np
import pytest
from assembly import packed_arithmetic

from tensorgrad.errors import DTypeError
from tensorgrad.kernels import reference
from tensorgrad.kernels.elementwise import activations
from tensorgrad.kernels.jit import dispatch

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SHAPES = pytest.mark.parametrize("shape", [(), (1,), (0, 4), (2, 3, 17), (64, 33, 7, 9)], ids=str)
FUNCTIONS = pytest.mark.parametrize("function", activations.FUNCTIONS)
ALPHA = 0.3  # a parameter, for those that have one


def draw(shape, dtype, seed=0, scale=3.0):
    return np.asarray(np.random.default_rng(seed).normal(scale=scale, size=shape), dtype)


def both(function, x, g):
    """Value and gradient by kernel, and by twin in float64."""
    z, dx = (
        activations.activation(function, x, ALPHA),
        activations.activation_gradient(function, g, x, ALPHA),
    )
    x, g = x.astype(np.float64), g.astype(np.float64)
    with np.errstate(all="ignore"):
        expected = reference.activation(function, x, ALPHA), reference.activation_gradient(function, g, x, ALPHA)
    return (z, dx), expected


@FLOATS
@SHAPES
@FUNCTIONS
def test_values_and_gradients_are_those_of_their_twins(function, shape, dtype):
    for ours, expected in zip(*both(function, draw(shape, dtype), draw(shape, dtype, 1)), strict=True):
        assert (ours.shape, ours.dtype) == (shape, dtype)
        np.testing.assert_allclose(ours, expected, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)


@FLOATS
@FUNCTIONS
def test_near_zero_no_digits_are_lost(function, dtype):
    x = np.geomspace(1e-30, 1e-2, 500).astype(dtype)
    x = np.concatenate([-x, x])
    (z, _), (expected, _) = both(function, x, x)
    np.testing.assert_allclose(z, expected, rtol=10 * np.finfo(dtype).eps)


@FLOATS
@FUNCTIONS
def test_what_is_not_finite_or_extreme_comes_out_as_of_the_twin(function, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e4, -1e4, 80, -80, *draw(8, dtype)], dtype)
    for ours, expected in zip(*both(function, x, draw(x.shape, dtype, 1)), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-30)


@FUNCTIONS
def test_any_layout_and_no_mixture_of_dtypes(function):
    x, g = draw((6, 8, 10), np.float64), draw((3, 8, 10), np.float64, 1)
    for layout in (x[::-2], np.asfortranarray(x[:3]), x[:3].astype(">f8")):
        for ours, expected in zip(*both(function, layout, g), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(DTypeError, match="float32 or float64"):
        activations.activation_gradient(function, g, g.astype(np.float32))


@FLOATS
@FUNCTIONS
def test_in_parallel_and_number_by_number_the_bits_are_the_same(function, dtype):
    x, g = draw((5, 201), dtype), draw((5, 201), dtype, 1)
    calls = (
        lambda part=...: activations.activation(function, x[part], ALPHA),
        lambda part=...: activations.activation_gradient(function, g[part], x[part], ALPHA),
    )
    for compute in calls:
        with dispatch.every_variant():
            np.testing.assert_array_equal(compute(), compute())
            parallel = compute()
        np.testing.assert_array_equal(parallel, compute())
        single = [compute(np.s_[:, k : k + 1]) for k in range(201)]
        np.testing.assert_array_equal(np.concatenate(single, axis=1), parallel)


@FLOATS
@FUNCTIONS
def test_both_passes_are_vectorised(function, dtype):
    x, (values, products) = draw((3,), dtype), activations.FUNCTIONS[function]
    assert packed_arithmetic(values, x, x, dtype(ALPHA), 0, 1) > 0
    assert packed_arithmetic(products, x, x, x, dtype(ALPHA), 0, 1) > 0

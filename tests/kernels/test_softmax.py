import numpy as np
import pytest

from tensorgrad.errors import DTypeError
from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import softmax
from tensorgrad.kernels.jit import dispatch

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SHAPES = pytest.mark.parametrize(
    "shape", [(), (5,), (1, 1), (64, 10), (2, 3, 17), (300, 1000), (0, 3), (3, 0)], ids=str
)
FORWARD = pytest.mark.parametrize("name", ["softmax", "log_softmax"])


def draw(shape, dtype, seed=0, scale=1.0):
    return np.asarray(np.random.default_rng(seed).normal(scale=scale, size=shape), dtype)


def ours_and_twin(name, *arrays):
    return getattr(softmax, name)(*arrays), getattr(fallback, name)(*(np.atleast_1d(a).astype("f8") for a in arrays))


@FLOATS
@SHAPES
@FORWARD
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_kernels_and_their_gradients_compute_what_their_twins_state(name, shape, scale, dtype):
    x, g, rtol = draw(shape, dtype, 0, scale), draw(shape, dtype, 1), 100 * np.finfo(dtype).eps
    z, expected = ours_and_twin(name, x)
    assert (z.shape, z.dtype) == (shape, dtype)
    np.testing.assert_allclose(z, expected.reshape(shape), rtol=rtol, atol=rtol)
    dx, expected = ours_and_twin(f"{name}_gradient", g, z)
    assert (dx.shape, dx.dtype) == (shape, dtype)
    np.testing.assert_allclose(dx, expected.reshape(shape), rtol=rtol, atol=rtol)


@FLOATS
@FORWARD
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_its_row_alone_as_in_the_twin(name, value, dtype):
    x, g = draw((4, 21), dtype), draw((4, 21), dtype, 1)
    x[1, 2], x[2] = value, value
    with np.errstate(invalid="ignore"):
        z, expected = ours_and_twin(name, x)
        np.testing.assert_allclose(z, expected, rtol=1e-5)
        dx, expected = ours_and_twin(f"{name}_gradient", g, z)
        np.testing.assert_allclose(dx, expected, rtol=1e-4, atol=1e-6)
    assert np.isfinite(dx[[0, 3]]).all()


def test_the_logarithm_of_the_sum_survives_beside_a_large_maximum():
    x = np.full((3, 20), 1e9, np.float32)
    np.testing.assert_allclose(softmax.log_softmax(x), np.full((3, 20), -np.log(20)), rtol=1e-6)


def test_any_layout_and_no_mixture_of_dtypes():
    x, g = draw((6, 8, 10), np.float64), draw((3, 8, 10), np.float64, 1)
    for layout in (x[::-2], np.asfortranarray(x[:3]), x[:3].astype(">f8")):
        z = softmax.softmax(layout)
        np.testing.assert_allclose(z, fallback.softmax(layout), rtol=1e-12)
        np.testing.assert_allclose(softmax.softmax_gradient(g, layout), fallback.softmax_gradient(g, layout), rtol=1e-9)
    with pytest.raises(DTypeError, match="float32 or float64"):
        softmax.softmax_gradient(g, g.astype(np.float32))


@FLOATS
@FORWARD
def test_in_parallel_and_row_by_row_the_bits_are_the_same(name, dtype):
    x, g = draw((200, 37), dtype), draw((200, 37), dtype, 1)
    z, dx = getattr(softmax, name)(x), getattr(softmax, f"{name}_gradient")(g, x)
    rows = [(getattr(softmax, name)(x[n]), getattr(softmax, f"{name}_gradient")(g[n], x[n])) for n in range(200)]
    with dispatch.every_variant():
        parallel = getattr(softmax, name)(x), getattr(softmax, f"{name}_gradient")(g, x)
    for ours, threaded, single in zip((z, dx), parallel, zip(*rows, strict=True), strict=True):
        np.testing.assert_array_equal(threaded, ours)
        np.testing.assert_array_equal(np.array(single), ours)

import numpy as np
import pytest

from tensorgrad.errors import DTypeError
from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit.dispatch import kernel
from tensorgrad.ops.elementwise.activations import rectified

SHAPES = pytest.mark.parametrize("shape", [(2, 3, 5), (0, 4), (3, 1), (2, 3, 4, 5), (64, 33, 7, 9)])
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def draw(shape, dtype, seed):
    """Random numbers, among them some zeros of both signs and, where there is room, NaN and infinities."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal(shape).astype(dtype)
    x.ravel()[::7] = 0.0
    x.ravel()[1::7] = -0.0
    for k, value in enumerate((np.nan, np.inf, -np.inf)):
        x.ravel()[2 + k :: 101] = value
    return x


@FLOATS
@SHAPES
def test_relu_and_its_gradient_are_their_twins_to_the_bit(shape, dtype):
    x, g = draw(shape, dtype, 0), draw(shape, dtype, 1)
    np.testing.assert_array_equal(pointwise.relu(x), fallback.relu(x))
    np.testing.assert_array_equal(pointwise.relu_gradient(g, x), fallback.relu_gradient(g, x))
    assert pointwise.relu(x).dtype == pointwise.relu_gradient(g, x).dtype == dtype


@FLOATS
@SHAPES
def test_channel_sums_are_their_twin(shape, dtype):
    x = np.random.default_rng(2).standard_normal(shape).astype(dtype)
    ours = pointwise.channel_sums(x)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, fallback.channel_sums(x), rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-4)
    with np.errstate(invalid="ignore"):
        poisoned = draw(shape, dtype, 3)
        np.testing.assert_allclose(
            pointwise.channel_sums(poisoned), fallback.channel_sums(poisoned), rtol=1e-5, atol=1e-4
        )


def test_any_layout_and_no_mixture_of_dtypes():
    x = draw((4, 6, 5, 5), np.float64, 4)
    for layout in (x[::-1, ::2], np.asfortranarray(x), x.astype(">f8")):
        np.testing.assert_array_equal(pointwise.relu(layout), fallback.relu(layout))
    with pytest.raises(DTypeError, match="float32 or float64"):
        pointwise.relu_gradient(x, x.astype(np.float32))


@kernel
def finite(values):
    return pointwise.finite(values)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_found_wherever_it_stands(value):
    for size in (1, 5, 64, 1000):
        for place in (0, size // 2, size - 1):
            w = np.ones((1, size, 1, 1), np.float32)
            w[0, place] = value
            assert not finite(w)
    assert finite(np.full((2, 3, 4, 5), np.finfo(np.float32).max, np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_elements_by_numpy_have_the_bits_of_the_kernel(dtype):
    special = np.array([-0.0, 0.0, np.nan, -np.nan, np.inf, -np.inf, -1e-45, 5.0], dtype)
    for size in (1, 3, 8, 17, 64, 1000):
        x = np.resize(special, size)
        assert rectified(x).tobytes() == pointwise.relu(x).tobytes()

import numpy as np
import pytest

from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import losses

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SHAPES = pytest.mark.parametrize("shape", [(1, 1), (64, 10), (0, 3), (5, 17), (3, 1000)], ids=str)


def draw(shape, dtype, scale=1.0):
    generator = np.random.default_rng(0)
    x = (scale * generator.standard_normal(shape)).astype(dtype)
    return x, generator.integers(0, shape[1], shape[0]), generator.standard_normal(shape[0]).astype(dtype)


@FLOATS
@SHAPES
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_kernels_compute_what_their_twins_state(shape, scale, dtype):
    x, y, g = draw(shape, dtype, scale)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    ours, expected = losses.cross_entropy(x, y), fallback.cross_entropy(x.astype(np.float64), y)
    for result, reference in zip(ours, expected, strict=True):
        assert result.dtype == dtype
        np.testing.assert_allclose(result, reference, rtol=rtol, atol=rtol)
    gradient = losses.cross_entropy_gradient(g, ours[1], y.astype(np.int16))
    np.testing.assert_allclose(gradient, fallback.cross_entropy_gradient(g, expected[1], y), rtol=rtol, atol=rtol)


@FLOATS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_its_row_alone_as_in_the_twin(value, dtype):
    x, y, _ = draw((4, 5), dtype)
    x[1, 2] = value
    with np.errstate(invalid="ignore"):
        for result, reference in zip(losses.cross_entropy(x, y), fallback.cross_entropy(x, y), strict=True):
            np.testing.assert_allclose(result, reference, rtol=1e-5)


@FLOATS
@pytest.mark.parametrize("label", [-1, 5, 10**9])
@pytest.mark.parametrize("count", [1, 20_000])
def test_a_class_that_is_not_there_is_an_error_and_no_stray_memory_is_touched(label, count, dtype):
    x, y, g = draw((count, 5), dtype)
    _, probabilities = losses.cross_entropy(x, y)
    y[-1] = label
    with pytest.raises(IndexError, match=r"class indices must be in \[0, 5\), got "):
        losses.cross_entropy(x, y)
    with pytest.raises(IndexError, match=r"class indices must be in \[0, 5\), got "):
        losses.cross_entropy_gradient(g, probabilities, y)

import numpy as np
import pytest
from cores import MOST_THREADS

from tensorgrad.errors import DTypeError, RangeError, ShapeError
from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.pool import pooling, rectified_pooling
from tensorgrad.windows import Window

# x (N, C, H, W), kernel, stride, padding, dilation, ceil mode
LAYERS = {
    "2x2": ((2, 3, 6, 8), (2, 2), (2, 2)),
    "2x2, odd": ((3, 2, 7, 9), (2, 2), (2, 2)),
    "2x2, rows of several vectors": ((1, 2, 4, 71), (2, 2), (2, 2)),
    "2x2, planes of several bands": ((1, 2, 41, 300), (2, 2), (2, 2)),
    "2x2, one window": ((2, 1, 2, 2), (2, 2), (2, 2)),
    "2x2, many planes": ((64, 6, 14, 14), (2, 2), (2, 2)),
    "2x2, padded": ((2, 3, 6, 7), (2, 2), (2, 2), ((1, 1), (1, 1))),
    "2x2, ceil": ((2, 3, 7, 7), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), True),
    "pairs of rows": ((2, 3, 6, 9), (1, 2), (1, 2)),
    "overlapping, padded": ((2, 3, 7, 6), (3, 2), (2, 1), ((1, 1), (1, 1))),
    "overlapping": ((2, 3, 7, 6), (3, 3), (1, 1)),
    "dilated, ceil": ((2, 3, 8, 9), (2, 3), (2, 2), ((1, 1), (0, 0)), (2, 2), True),
    "empty batch": ((0, 3, 6, 6), (2, 2), (2, 2)),
}
NOTHING = ((0, 0), (0, 0))
EVERY_LAYER = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
EVERY_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def pool(layer):
    """The window of a layer, and what references take."""
    size, kernel, stride, padding, dilation, ceil_mode = (*layer, *(NOTHING, (1, 1), False)[len(layer) - 3 :])
    window = Window.pooled("max_pool2d", size[2:], kernel, stride, padding, dilation, ceil_mode)
    return window, (kernel, stride, padding, dilation)


def draw(shape, dtype, seed=0):
    """Random numbers below zero more often than above, some equal, some NaN, infinite, zero of either sign."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal(shape).astype(dtype) - dtype(0.5)
    values = [0.0, -0.0, 1.0, 1.0, -1.0, np.nan, np.inf, -np.inf]
    x = np.where(generator.random(shape) < 0.3, generator.choice(values, shape), x).astype(dtype)
    if len(x) > 1:
        x[1, 0] = -np.abs(x[1, 0])  # nothing above zero
    return x


def same_bits(a, b):
    """Whether all is equal, the signs of zeros too; one NaN is as good as another."""
    if a.dtype != b.dtype or a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
        return False
    return np.where(np.isnan(a), 0, a).tobytes() == np.where(np.isnan(b), 0, b).tobytes()


@EVERY_DTYPE
@EVERY_LAYER
def test_the_bits_of_the_rectifier_before_pooling_and_behind_it(layer, dtype):
    window, arguments = pool(layer)
    x = draw(layer[0], dtype)
    z, indices = rectified_pooling.max_forward(x, window)
    y = pointwise.relu(x)
    expected, positions = pooling.max_forward(y, window)
    assert same_bits(z, expected) and not np.signbit(z[z == 0]).any()
    assert np.isnan(z).any() or not z.size or z.size < 10
    np.testing.assert_array_equal(indices[z > 0], positions[z > 0])
    behind, positions = pooling.max_forward(x, window)
    assert same_bits(z, pointwise.relu(behind))
    np.testing.assert_array_equal(indices, positions)
    np.testing.assert_array_equal(z, fallback.relu(fallback.max_forward(x, *arguments, output_size=window.output)[0]))


@EVERY_DTYPE
@EVERY_LAYER
def test_the_bits_of_the_gradients_of_pooling_and_rectifier_one_after_the_other(layer, dtype):
    window, _ = pool(layer)
    x = draw(layer[0], dtype)
    y = pointwise.relu(x)
    positions = pooling.max_forward(y, window)[1]
    z, indices = rectified_pooling.max_forward(x, window)
    g = draw(z.shape, dtype, seed=1)
    with np.errstate(invalid="ignore"):
        expected = pointwise.relu_gradient(pooling.scatter(g, positions, window), y)
        result = rectified_pooling.scatter(g, z, indices, window)
        stated = fallback.relu_gradient(fallback.scatter(g, positions, x.shape[2:]), y)
    assert same_bits(result, expected)
    np.testing.assert_allclose(result, stated, rtol=1e-5, atol=1e-6)
    with_sums, sums = rectified_pooling.scatter_and_sums(g, z, indices, window)
    assert same_bits(with_sums, expected) and same_bits(sums, pointwise.channel_sums(expected))


@EVERY_DTYPE
def test_indices_that_are_not_of_their_windows(dtype):
    generator, size = np.random.default_rng(0), (7, 33)
    g, z = (generator.standard_normal((2, 3, 3, 16)).astype(dtype) for _ in range(2))
    indices = generator.integers(0, size[0] * size[1], z.shape, np.int32)
    expected = fallback.scatter(np.where(z > 0, g, 0), indices, size)
    np.testing.assert_allclose(
        rectified_pooling.scatter(g, z, indices, Window.halving(size)), expected, rtol=1e-5, atol=1e-6
    )


def results(x, g):
    """All three kernels on windows of 2×2."""
    window = Window.halving((8, 71))
    z, indices = rectified_pooling.max_forward(x, window)
    return z, indices, *rectified_pooling.scatter_and_sums(g, z, indices, window)


@EVERY_DTYPE
def test_one_thread_and_several_give_the_same_bits(dtype, monkeypatch):
    x, g = draw((3, 5, 8, 71), dtype), draw((3, 5, 4, 35), dtype, 1)
    before, serial = dispatch.get_num_threads(), results(x, g)
    monkeypatch.setattr(dispatch, "SMALL", 0)
    try:
        for threads in range(1, MOST_THREADS + 1):
            dispatch.set_num_threads(threads)
            for _ in range(5):
                assert all(same_bits(a, b) for a, b in zip(results(x, g), serial, strict=True))
    finally:
        dispatch.set_num_threads(before)


def test_any_layout_of_the_inputs():
    x, g = draw((3, 5, 8, 71), np.float64), draw((3, 5, 4, 35), np.float64, 1)
    expected = results(x, g)
    frozen = [array.copy() for array in (x, g)]
    for array in frozen:
        array.setflags(write=False)
    for arrays in (
        frozen,
        [np.flip(np.flip(array).copy()) for array in (x, g)],
        [np.asfortranarray(array) for array in (x, g)],
        [array.astype(">f8") for array in (x, g)],
    ):
        assert all(same_bits(a, b) for a, b in zip(results(*arrays), expected, strict=True))


X, G = np.ones((2, 3, 4, 4)), np.ones((2, 3, 2, 2))
FIRST, WINDOW = np.zeros((2, 3, 2, 2), np.int32), Window.halving((4, 4))
FIT = "the arrays don't fit the window"


def scatter(g=G, z=G, indices=FIRST, window=WINDOW):
    return rectified_pooling.scatter(g, z, indices, window)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: rectified_pooling.max_forward(X, Window.halving((6, 4))), ShapeError, FIT),
        (lambda: rectified_pooling.max_forward(X[0], WINDOW), ShapeError, FIT),
        (lambda: rectified_pooling.max_forward(X.astype(int), WINDOW), DTypeError, "float32"),
        (lambda: scatter(indices=FIRST + 16), RangeError, "indices must be positions"),
        (lambda: scatter(z=-G, indices=FIRST - 1), RangeError, "indices must be positions"),
        (lambda: scatter(indices=FIRST.astype(np.int64)), DTypeError, "int32"),
        (lambda: scatter(z=G[:1]), ShapeError, "must have the same shape"),
        (lambda: scatter(G[:1]), ShapeError, "must have the same shape"),
        (lambda: scatter(indices=FIRST[:1]), ShapeError, "indices must be of shape"),
        (lambda: scatter(window=Window.halving((6, 4))), ShapeError, FIT),
        (lambda: scatter(z=G.astype(np.float32)), DTypeError, "float32 or float64"),
        (lambda: rectified_pooling.scatter_and_sums(G[0], G[0], FIRST, WINDOW), ShapeError, FIT),
    ],
)
def test_errors_restate_the_call(call, error, match):
    with pytest.raises(error, match=match):
        call()

"""Gradients of convolutions before 2×2 max pooling, from what isn't zero: against the sums over all pixels."""

import numpy as np
import pytest

from tensorgrad.arrays import memory
from tensorgrad.kernels import fallback
from tensorgrad.kernels.conv import convolution, pooled_convolution, sparse
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.pool import rectified_pooling
from tensorgrad.kernels.simd import emitter
from tensorgrad.windows import Shapes, Window

NONE, SAME, WIDE = ((0, 0), (0, 0)), ((1, 1), (1, 1)), ((2, 2), (2, 2))
# x (C, H, W), w (K, KH, KW), padding
LAYERS = {
    "LeNet-5, second": ((6, 14, 14), (16, 5, 5), NONE),
    "MNIST CNN, second": ((32, 14, 14), (64, 3, 3), SAME),
    "part of a vector of channels": ((24, 9, 11), (9, 3, 3), ((1, 0), (0, 2))),
    "most of two vectors": ((29, 6, 9), (18, 2, 2), NONE),
    "few channels, odd output": ((5, 10, 9), (8, 4, 4), ((2, 1), (0, 1))),
    "windows wider than tiles": ((40, 8, 9), (11, 7, 7), ((3, 3), (3, 3))),
    "lines of several vectors": ((16, 6, 83), (9, 3, 3), ((1, 1), (0, 1))),
    "one window": ((16, 4, 4), (8, 3, 3), NONE),
    "far outside": ((16, 5, 5), (10, 2, 2), ((4, 3), (3, 4))),
    "rows of one pixel": ((16, 9, 1), (17, 3, 3), ((1, 1), (2, 2))),
    "more filters than pixels": ((16, 5, 6), (70, 3, 3), NONE),
}
pytestmark = pytest.mark.usefixtures("threads")
EVERY_LAYER = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def draw(layer, count, dtype, seed=0):
    """Random x and w, and a g that pooling left: in each window one number at most, in some none."""
    (channels, height, width), (filters, kh, kw), ((top, bottom), (left, right)) = layer
    rng = np.random.default_rng(seed)
    rows, columns = height + top + bottom - kh + 1, width + left + right - kw + 1
    x, w = (rng.standard_normal(s).astype(dtype) for s in ((count, *layer[0]), (filters, channels, kh, kw)))
    g = np.zeros((count, filters, rows, columns), dtype)
    shape = (count, filters, rows // 2, columns // 2)
    n, k, p, q = np.indices(shape)
    value = rng.standard_normal(shape) * (rng.random(shape) < 0.8)
    g[n, k, 2 * p + rng.integers(0, 2, shape), 2 * q + rng.integers(0, 2, shape)] = value
    return x, w, g


def window_of(layer):
    (_, *size), (_, *kernel), padding = layer
    return Window.fitting("conv2d", tuple(size), tuple(kernel), (1, 1), padding, (1, 1))


def grad_weight(x, g, window):
    """What the sparse kernels compute; None where they leave it to others."""
    dw = memory.empty((g.shape[1], x.shape[1], *window.kernel), x.dtype)
    return None if sparse.grad_weight(x, g, window, dw).any() else dw


def grad_input(g, w, window):
    dx = memory.empty((len(g), w.shape[1], *window.size), g.dtype)
    return None if sparse.grad_input(g, w, window, dx).any() else dx


def close(ours, twin, dtype):
    digits = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(ours, twin, rtol=digits, atol=digits * np.abs(twin).max())


def test_a_dense_gradient_launches_nothing(monkeypatch):
    """A network without pooling would otherwise wait for kernels that it never needs to be compiled."""
    x, w, g = draw(LAYERS["LeNet-5, second"], 2, np.float32)
    monkeypatch.setattr(sparse, "run", None)
    window = window_of(LAYERS["LeNet-5, second"])
    assert grad_weight(x, g + 1, window) is None and grad_input(g + 1, w, window) is None


@FLOATS
@pytest.mark.parametrize("count", [1, 2, 5])
@EVERY_LAYER
def test_the_gradients_are_what_the_references_state(layer, count, dtype):
    x, w, g = draw(layer, count, dtype)
    assert sparse.serves(window_of(layer), Shapes(x.shape, w.shape, g.shape), x.itemsize)
    dw = grad_weight(x, g, window_of(layer))
    dx = grad_input(g, w, window_of(layer))
    close(dw, fallback.conv_grad_weight(x.astype(float), g.astype(float), w.shape[2:], padding=layer[2]), dtype)
    close(dx, fallback.conv_grad_input(g.astype(float), w.astype(float), x.shape[2:], padding=layer[2]), dtype)


@pytest.mark.parametrize("threads_wanted", [2, 3, 4, 9])
@pytest.mark.parametrize("count", [1, 2, 3])
@EVERY_LAYER
def test_fewer_images_than_threads_are_cut_by_filters_and_channels(layer, count, threads_wanted, monkeypatch):
    x, w, _ = draw(layer, count, np.float32)
    y = fallback.conv_forward(x, w, padding=layer[2])
    z, indices = rectified_pooling.max_forward(y, Window.halving(y.shape[2:]))
    upstream = np.random.default_rng(1).standard_normal(z.shape).astype(np.float32)
    window, shared = window_of(layer), []
    expected = sparse.gradients(x, w, upstream, z, indices, window)

    def one_after_the_other(kernel, arguments, chunks):
        shared.append(chunks)
        for index in reversed(range(chunks)):
            kernel(*arguments, index, chunks)

    monkeypatch.setattr(dispatch, "SMALL", 0)
    sparse._plan.cache_clear()
    for module in (sparse, dispatch):
        monkeypatch.setattr(module, "get_num_threads", lambda: threads_wanted)
    monkeypatch.setattr(sparse, "run", one_after_the_other)
    for call, places in (
        (lambda: sparse.gradients(x, w, upstream, z, indices, window), (0, 1, 2)),
        (lambda: (grad_weight(x, scattered(upstream, z, indices, y), window_of(layer)),), (1,)),
        (lambda: (grad_input(scattered(upstream, z, indices, y), w, window_of(layer)),), (0,)),
    ):
        for ours, place in zip(call(), places, strict=True):
            close(ours, expected[place], np.float32)
    sparse._plan.cache_clear()
    if count < threads_wanted:
        assert 1 < shared[0] <= threads_wanted


def scattered(g, z, indices, y):
    return rectified_pooling.scatter(g, z, indices, Window.halving(y.shape[2:]))


@FLOATS
@EVERY_LAYER
def test_nothing_else_is_written(layer, dtype, monkeypatch):
    """The kernels write whole vectors, and let what is too much be overwritten: never in somebody else's memory."""
    x, w, g = draw(layer, 3, dtype)
    guard, zones = 1024, []

    def guarded(shape, dtype):
        size = int(np.prod(shape))
        whole = np.full(size + 2 * guard, 7, dtype)
        zones.append((whole, size))
        return whole[guard : guard + size].reshape(shape)

    expected = grad_weight(x, g, window_of(layer)), grad_input(g, w, window_of(layer))
    monkeypatch.setattr(memory, "empty", guarded)
    found = grad_weight(x, g, window_of(layer)), grad_input(g, w, window_of(layer))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert zones
    for whole, size in zones:
        assert (whole[:guard] == 7).all() and (whole[guard + size :] == 7).all()


@EVERY_LAYER
def test_a_gradient_with_two_numbers_in_a_window_is_left_to_others(layer):
    x, w, g = draw(layer, 3, np.float64)
    for place in ((0, 0, 0, 0), (2, -1, g.shape[2] // 2 * 2 - 2, g.shape[3] // 2 * 2 - 2)):
        spoiled = g.copy()
        spoiled[place] = 5
        spoiled[(*place[:2], place[2] + 1, place[3] + 1)] = 6
        assert grad_weight(x, spoiled, window_of(layer)) is None
        assert grad_input(spoiled, w, window_of(layer)) is None
        dw = convolution.grad_weight(x, spoiled, window_of(layer))
        close(dw, fallback.conv_grad_weight(x, spoiled, w.shape[2:], padding=layer[2]), np.float64)
    for row, column in ((g.shape[2] - 1, 0), (0, g.shape[3] - 1)):
        spoiled = g.copy()
        spoiled[2, -1, row, column] = 5
        odd = (row and g.shape[2] % 2) or (column and g.shape[3] % 2)
        if odd:
            assert grad_weight(x, spoiled, window_of(layer)) is None


@EVERY_LAYER
def test_nan_and_infinities_come_through_as_through_the_sums(layer):
    x, w, g = draw(layer, 3, np.float32)
    places = np.flatnonzero(g)[:: max(1, np.count_nonzero(g) // 5)]
    g.ravel()[places] = np.resize([np.nan, np.inf, -np.inf], places.size)
    dw, dx = grad_weight(x, g, window_of(layer)), grad_input(g, w, window_of(layer))
    with np.errstate(invalid="ignore"):
        for ours, twin in (
            (dw, fallback.conv_grad_weight(x, g, w.shape[2:], padding=layer[2])),
            (dx, fallback.conv_grad_input(g, w, x.shape[2:], padding=layer[2])),
        ):
            np.testing.assert_allclose(ours, twin, rtol=1e-3, atol=1e-3)
    for value in (np.nan, np.inf):
        for place in (0, x.size - 1):
            spoiled = x.copy()
            spoiled.ravel()[place] = value
            assert grad_weight(spoiled, g, window_of(layer)) is None
        for place in (0, w.size - 1):
            spoiled = w.copy()
            spoiled.ravel()[place] = value
            assert grad_input(g, spoiled, window_of(layer)) is None


def test_an_index_of_another_window_is_left_to_others():
    layer = LAYERS["LeNet-5, second"]
    x, w, _ = draw(layer, 2, np.float32)
    window = window_of(layer)
    z, indices = pooled_convolution.forward(x, w, None, window)
    g = np.random.default_rng(1).standard_normal(z.shape).astype(np.float32)
    expected = pooled_convolution.gradients(x, w, g, z, indices, window)
    assert sparse.gradients(x, w, g, z, indices, window) is not None
    for stray in (-1, 100, 2**31 - 1, indices[1, 15, 4, 4] - 20):
        moved = indices.copy()
        moved[1, 15, 4, 4] = stray
        assert sparse.gradients(x, w, g, z, moved, window) is None
    # In another window, two numbers come together: a gradient like any other.
    z[:], moved[:] = 1, indices
    moved[0, 0, 0, 0] = moved[0, 0, 3, 3]
    full = rectified_pooling.scatter(g, z, moved, Window.halving((10, 10)))
    dx, dw, db = pooled_convolution.gradients(x, w, g, z, moved, window)
    close(dx, fallback.conv_grad_input(full, w, (14, 14)), np.float32)
    close(dw, fallback.conv_grad_weight(x, full, (5, 5)), np.float32)
    close(db, full.sum((0, 2, 3)), np.float32)
    assert not np.array_equal(dw, expected[1])


def test_what_is_served():
    def serves(channels, kernel=(3, 3), size=14, output=(14, 14), stride=(1, 1), dilation=(1, 1), groups=1,
               filters=8):  # fmt: skip
        shapes = Shapes((2, channels, size, size), (filters, channels // groups, *kernel), (2, filters, *output))
        return sparse.serves(Window(kernel, stride, SAME, dilation, groups, (size, size), output), shapes, 4)

    lanes = emitter.WIDTH // 4
    assert serves(lanes) and serves(2 * lanes) and serves(lanes, kernel=(2, 2))
    assert not serves(1) and not serves(lanes, kernel=(1, 1)) and not serves(lanes + 1)
    assert not serves(lanes, stride=(1, 2)) and not serves(lanes, dilation=(2, 1)) and not serves(2 * lanes, groups=2)
    assert not serves(lanes, filters=7)
    assert not serves(lanes, output=(1, 14)) and not serves(lanes, size=400, output=(400, 400))


@EVERY_LAYER
def test_the_order_of_threads_means_nothing_to_pixels_and_plane_sums(layer, threads):
    x, w, _ = draw(layer, 6, np.float32)
    y = fallback.conv_forward(x, w, padding=layer[2])
    z, indices = rectified_pooling.max_forward(y, Window.halving(y.shape[2:]))
    g = np.random.default_rng(1).standard_normal(z.shape).astype(np.float32)
    dx, dw, sums = sparse.gradients(x, w, g, z, indices, window_of(layer))
    again = sparse.gradients(x, w, g, z, indices, window_of(layer))
    assert all(np.array_equal(a, b) for a, b in zip((dx, dw, sums), again, strict=True))
    dispatch.set_num_threads(1)
    one = sparse.gradients(x, w, g, z, indices, window_of(layer))
    dispatch.set_num_threads(threads)
    assert np.array_equal(one[0], dx) and np.array_equal(one[2], sums)
    for n in range(6):
        one = slice(n, n + 1)
        alone = sparse.gradients(x[one], w, g[one], z[one], indices[one], window_of(layer))
        np.testing.assert_array_equal(alone[0], dx[n : n + 1])

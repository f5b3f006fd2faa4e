from typing import NamedTuple

import numpy as np
import pytest

from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tensorgrad.kernels import fallback
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.pool import average_pooling, pooling
from tensorgrad.windows import Window, pooling as pooling_window


class Layer(NamedTuple):
    """One pooling of x (N, C, H, W)."""

    x: tuple
    kernel: tuple
    stride: tuple
    padding: tuple = ((0, 0), (0, 0))
    dilation: tuple = (1, 1)
    ceil_mode: bool = False

    @property
    def window(self):
        return Window.pooled("max_pool2d", self.x[2:], *self[1:])

    @property
    def output_size(self):
        return self.window.output

    @property
    def arguments(self):
        return self.kernel, self.stride, self.padding


LAYERS = {
    "2x2": Layer((2, 3, 6, 8), (2, 2), (2, 2)),
    "2x2, planes of several bands": Layer((2, 3, 41, 300), (2, 2), (2, 2)),
    "overlapping": Layer((2, 3, 7, 6), (3, 3), (1, 1)),
    "overlapping, padded": Layer((2, 3, 7, 6), (3, 2), (2, 1), ((1, 1), (1, 1))),
    "gaps between windows": Layer((2, 3, 9, 10), (2, 1), (3, 4)),
    "ceil": Layer((2, 3, 7, 8), (2, 3), (2, 3), ceil_mode=True),
    "ceil, padded": Layer((2, 3, 8, 7), (3, 3), (2, 2), ((1, 1), (1, 1)), ceil_mode=True),
    "ceil, last window dropped": Layer((2, 3, 5, 6), (2, 2), (4, 5), ((1, 1), (0, 0)), ceil_mode=True),
    "padding unlike on four sides": Layer((2, 3, 6, 6), (4, 4), (2, 3), ((0, 2), (1, 0))),
    "whole plane": Layer((2, 3, 5, 4), (5, 4), (5, 4)),
    "one pixel": Layer((2, 3, 1, 1), (1, 1), (1, 1)),
    "one row": Layer((2, 3, 1, 11), (1, 3), (1, 2), ((0, 0), (1, 1))),
    "pairs of a row": Layer((2, 3, 1, 71), (1, 2), (1, 2)),
    "pairs of each row, several bands": Layer((2, 3, 60, 303), (1, 2), (1, 2)),
    "pairs of a column": Layer((2, 3, 8, 5), (2, 1), (2, 1)),
    "pairs, padded": Layer((2, 3, 2, 9), (1, 2), (1, 2), ((0, 0), (1, 0))),
    "pairs, ceil": Layer((2, 3, 2, 9), (1, 2), (1, 2), ceil_mode=True),
    "pairs, dilated": Layer((2, 3, 2, 9), (1, 2), (1, 2), ((0, 0), (0, 0)), (1, 2)),
    "one column": Layer((2, 3, 11, 1), (3, 1), (2, 1)),
    "empty batch": Layer((0, 3, 6, 6), (2, 2), (2, 2)),
    "dilated": Layer((2, 3, 9, 10), (3, 2), (2, 1), ((1, 1), (1, 1)), (2, 3)),
    "dilated, ceil": Layer((2, 3, 8, 9), (2, 3), (2, 2), ((1, 1), (0, 0)), (2, 2), True),
}
AVERAGED = {name: layer for name, layer in LAYERS.items() if layer.dilation == (1, 1)}
RULES = {"padding counts": {}, "padding left out": {"count_include_pad": False}, "override": {"divisor_override": 3}}
MAX_LAYER = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
AVG_LAYER = pytest.mark.parametrize("layer", AVERAGED.values(), ids=AVERAGED)
RULE = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
EVERY_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def ours(rule):
    """A rule as the kernels name it."""
    return {key.removesuffix("_override"): value for key, value in rule.items()}


def draw(layer, dtype=np.float64, seed=0):
    """A random x, and a random upstream gradient."""
    generator = np.random.default_rng(seed)
    g = generator.standard_normal((*layer.x[:2], *layer.output_size)).astype(dtype)
    return generator.standard_normal(layer.x).astype(dtype), g


def awkward(layer, dtype):
    """Small whole numbers, so that many are equal, with planes of −∞ and of NaN and infinities here and there."""
    generator = np.random.default_rng(1)
    x = generator.integers(-2, 3, layer.x).astype(dtype)
    if x.size:
        x[0, 0], x[1, 0] = -np.inf, np.nan
        x[:, 1:].flat[:: max(2, x.size // 7)] = np.nan
        places = generator.choice(x[:, 2].size, 2)
        x[:, 2] = np.where(np.isin(np.arange(x[:, 2].size).reshape(x[:, 2].shape), places), np.inf, x[:, 2])
    return x


@EVERY_DTYPE
@MAX_LAYER
def test_max_computes_what_its_reference_states(layer, dtype):
    for x in (draw(layer, dtype)[0], awkward(layer, dtype)):
        arguments = {"dilation": layer.dilation, "output_size": layer.output_size}
        y, indices = pooling.max_forward(x, layer.window)
        expected, positions = fallback.max_forward(x, *layer.arguments, **arguments)
        assert y.dtype == dtype and indices.dtype == np.int32
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(indices, positions)
        np.testing.assert_array_equal(pooling.gather(x, indices, layer.window), y)


@EVERY_DTYPE
@MAX_LAYER
def test_scatter_and_gather_compute_what_their_references_state(layer, dtype):
    x, g = draw(layer, dtype)
    indices = np.random.default_rng(2).integers(0, layer.x[2] * layer.x[3], g.shape, np.int32)
    tolerance = 8 * np.finfo(dtype).eps * max(1, g[0, 0].size if g.size else 1)
    scattered = pooling.scatter(g, indices, layer.window)
    assert scattered.dtype == dtype and scattered.shape == layer.x
    np.testing.assert_allclose(scattered, fallback.scatter(g, indices, layer.x[2:]), rtol=0, atol=tolerance)
    np.testing.assert_array_equal(pooling.gather(x, indices, layer.window), fallback.gather(x, indices))


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("size", [(2, 2), (5, 7), (6, 32), (7, 33), (4, 70), (41, 300)], ids=str)
def test_scatter_of_2x2_windows_and_of_indices_that_are_nearly_so(size, dtype):
    generator, output_size = np.random.default_rng(0), (size[0] // 2, size[1] // 2)
    x = generator.standard_normal((2, 3, *size)).astype(dtype)
    g = generator.standard_normal((2, 3, *output_size)).astype(dtype)
    _, indices = pooling.max_forward(x, Window.halving(size))
    np.testing.assert_array_equal(pooling.scatter(g, indices, Window.halving(size)), fallback.scatter(g, indices, size))
    indices[1, 1] = generator.integers(0, size[0] * size[1], output_size)  # anywhere, some of them twice
    np.testing.assert_allclose(
        pooling.scatter(g, indices, Window.halving(size)), fallback.scatter(g, indices, size), rtol=1e-5
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("size", [(2, 2), (5, 7), (6, 32), (7, 33), (4, 70)], ids=str)
@pytest.mark.parametrize("divisor", [None, 3])
def test_means_of_windows_side_by_side(size, divisor, dtype):
    generator, output_size = np.random.default_rng(0), (size[0] // 2, size[1] // 2)
    x = generator.standard_normal((2, 3, *size)).astype(dtype)
    g = generator.standard_normal((2, 3, *output_size)).astype(dtype)
    window, options = ((2, 2), (2, 2)), {"divisor_override": divisor}
    rtol = 1e-5 if dtype == np.float32 else 1e-13
    y = average_pooling.avg_forward(x, Window.halving(size), divisor=divisor)
    back = average_pooling.avg_backward(g, Window.halving(size), divisor=divisor)
    for result, stated in (
        (y, fallback.avg_forward(x, *window, output_size=output_size, **options)),
        (back, fallback.avg_backward(g, size, *window, **options)),
    ):
        assert result.dtype == dtype
        np.testing.assert_allclose(result, stated, rtol=rtol, atol=rtol)


@MAX_LAYER
def test_scatter_and_gather_are_adjoint(layer):
    x, g = draw(layer)
    _, indices = pooling.max_forward(x, layer.window)
    forward, backward = (
        np.vdot(pooling.gather(x, indices, layer.window), g),
        np.vdot(x, pooling.scatter(g, indices, layer.window)),
    )
    np.testing.assert_allclose(forward, backward, rtol=1e-12, atol=1e-12)


def test_ties_nan_and_infinities_one_by_one():
    inf, nan = np.inf, np.nan
    for window, value, position in (
        ([1, 2, 2, 0], 2, 1),
        ([0.0, -0.0, 0, 0], 0, 0),
        ([-inf, -inf, -inf, -inf], -inf, 0),
        ([-inf, -5, -inf, -inf], -5, 1),
        ([inf, nan, 9, nan], nan, 1),
        ([nan, inf, nan, 1], nan, 0),
        ([1, inf, inf, 1], inf, 1),
    ):
        for dtype in (np.float32, np.float64):
            x = np.array(window, dtype).reshape(1, 1, 2, 2)
            y, indices = pooling.max_forward(x, Window.halving((2, 2)))
            np.testing.assert_array_equal(y.ravel(), [value])
            assert indices.ravel().tolist() == [position]


def test_padding_never_wins():
    x = np.full((1, 1, 3, 3), -np.inf)
    y, indices = pooling.max_forward(x, Layer(x.shape, (2, 2), (2, 2), ((1, 1), (1, 1))).window)
    assert (y == -np.inf).all() and indices.ravel().tolist() == [0, 1, 3, 4]


@EVERY_DTYPE
@RULE
@AVG_LAYER
def test_average_computes_what_its_reference_states(layer, rule, dtype):
    x, g = draw(layer, dtype)
    exact = np.float64
    tolerance = {"rtol": 0, "atol": 8 * np.finfo(dtype).eps * layer.kernel[0] * layer.kernel[1]}
    y = average_pooling.avg_forward(x, layer.window, **ours(rule))
    back = average_pooling.avg_backward(g, layer.window, **ours(rule))
    assert y.dtype == back.dtype == dtype
    expected = fallback.avg_forward(x.astype(exact), *layer.arguments, output_size=layer.output_size, **rule)
    np.testing.assert_allclose(y, expected, **tolerance)
    np.testing.assert_allclose(
        back, fallback.avg_backward(g.astype(exact), layer.x[2:], *layer.arguments, **rule), **tolerance
    )


@RULE
@AVG_LAYER
def test_average_backward_is_the_adjoint(layer, rule):
    x, g = draw(layer)
    forward = np.vdot(average_pooling.avg_forward(x, layer.window, **ours(rule)), g)
    backward = np.vdot(x, average_pooling.avg_backward(g, layer.window, **ours(rule)))
    np.testing.assert_allclose(forward, backward, rtol=1e-12, atol=1e-12)


def test_average_carries_nan_and_infinity():
    x = draw(AVERAGED["overlapping, padded"])[0]
    x[0, 0, 2, 2], x[1, 1, 3, 3] = np.nan, np.inf
    layer = AVERAGED["overlapping, padded"]
    y = average_pooling.avg_forward(x, layer.window)
    expected = fallback.avg_forward(x, *layer.arguments, output_size=layer.output_size)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert np.isnan(y).any() and np.isinf(y).any() and np.isfinite(y).any()


@pytest.mark.oracle
@MAX_LAYER
def test_max_agrees_with_pytorch(layer):
    torch = pytest.importorskip("torch")
    (top, bottom), (left, right) = layer.padding
    if (top, left) != (bottom, right):
        pytest.skip("PyTorch pads both ends alike")
    x, g = draw(layer)
    leaf = torch.tensor(x, requires_grad=True)
    expected, positions = torch.nn.functional.max_pool2d(
        leaf, layer.kernel, layer.stride, (top, left), layer.dilation, layer.ceil_mode, return_indices=True
    )
    expected.backward(torch.tensor(g))
    y, indices = pooling.max_forward(x, layer.window)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_array_equal(indices, positions.numpy())
    np.testing.assert_allclose(pooling.scatter(g, indices, layer.window), leaf.grad.numpy(), rtol=1e-12)


@pytest.mark.oracle
@RULE
@AVG_LAYER
def test_average_agrees_with_pytorch(layer, rule):
    torch = pytest.importorskip("torch")
    (top, bottom), (left, right) = layer.padding
    if (top, left) != (bottom, right):
        pytest.skip("PyTorch pads both ends alike")
    x, g = draw(layer)
    leaf = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.avg_pool2d(leaf, layer.kernel, layer.stride, (top, left), layer.ceil_mode, **rule)
    expected.backward(torch.tensor(g))
    y = average_pooling.avg_forward(x, layer.window, **ours(rule))
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    back = average_pooling.avg_backward(g, layer.window, **ours(rule))
    np.testing.assert_allclose(back, leaf.grad.numpy(), rtol=1e-12, atol=1e-14)


def results(layer, x, g):
    """All five kernels on one layer."""
    y, indices = pooling.max_forward(x, layer.window)
    return (
        y,
        indices,
        pooling.scatter(g, indices, layer.window),
        pooling.gather(x, indices, layer.window),
        average_pooling.avg_forward(x, layer.window),
        average_pooling.avg_backward(g, layer.window),
    )


def test_parallel_runs_give_the_bits_of_serial_ones(monkeypatch):
    layer = Layer((3, 5, 9, 8), (3, 3), (2, 2), ((1, 1), (1, 1)))
    x, g = draw(layer, np.float32)
    serial = results(layer, x, g)
    monkeypatch.setattr(dispatch, "SMALL", 0)
    for _ in range(20):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(results(layer, x, g), serial, strict=True))


def test_any_layout_of_the_inputs():
    layer = LAYERS["overlapping, padded"]
    x, g = draw(layer)
    expected = results(layer, x, g)
    frozen = [array.copy() for array in (x, g)]
    for array in frozen:
        array.setflags(write=False)
    for arrays in (
        frozen,
        [np.flip(np.flip(array).copy()) for array in (x, g)],
        [np.asfortranarray(array) for array in (x, g)],
        [array.astype(">f8") for array in (x, g)],
    ):
        for result, right in zip(results(layer, *arrays), expected, strict=True):
            np.testing.assert_array_equal(result, right)


X, G = np.ones((2, 3, 4, 4)), np.ones((2, 3, 2, 2))
FIRST = np.zeros((2, 3, 2, 2), np.int32)
WINDOW, ODD = Window.halving((4, 4)), Window.halving((6, 4))
FIT = "the arrays don't fit the window"


def window_of(kernel_size=2, stride=None, padding=0, dilation=1, x=X):
    """The window of a public call."""
    return pooling_window("max_pool2d", 2, x.shape, kernel_size, stride, padding, dilation, False)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: window_of(padding=(3, 0)), ArgumentError, "at most half the kernel"),
        (lambda: window_of(padding=(-1, 0)), ArgumentError, "padding must be at least 0"),
        (lambda: window_of((0, 2)), ArgumentError, "kernel_size must be at least 1"),
        (lambda: window_of(2, (2, 0)), ArgumentError, "stride must be at least 1"),
        (lambda: window_of(5), ShapeError, "doesn't fit"),
        (lambda: window_of(x=X[0, 0]), ShapeError, "number of axes"),
        (lambda: pooling.max_forward(X, ODD), ShapeError, FIT),
        (lambda: pooling.max_forward(X[0], WINDOW), ShapeError, FIT),
        (lambda: pooling.max_forward(X.astype(int), WINDOW), DTypeError, "float32 or float64"),
        (lambda: pooling.scatter(G, FIRST + 16, WINDOW), RangeError, "indices must be positions"),
        (lambda: pooling.scatter(G, FIRST - 1, WINDOW), RangeError, "indices must be positions"),
        (lambda: pooling.scatter(G, FIRST.astype(np.int64), WINDOW), DTypeError, "int32"),
        (lambda: pooling.scatter(G[:1], FIRST, WINDOW), ShapeError, "indices must be of shape"),
        (lambda: pooling.scatter(G, FIRST, ODD), ShapeError, FIT),
        (lambda: pooling.gather(X, FIRST + 16, WINDOW), RangeError, "indices must be positions"),
        (lambda: pooling.gather(X[:1], FIRST, WINDOW), ShapeError, "indices must be of shape"),
        (lambda: pooling.gather(X[0], FIRST, WINDOW), ShapeError, FIT),
        (lambda: average_pooling.avg_forward(X, ODD), ShapeError, FIT),
        (lambda: average_pooling.avg_forward(X, WINDOW, divisor=0), ArgumentError, "divisor_override must not be 0"),
        (lambda: average_pooling.avg_backward(G, ODD), ShapeError, FIT),
        (lambda: average_pooling.avg_backward(G[0], WINDOW), ShapeError, FIT),
    ],
)
def test_errors_restate_the_call(call, error, match):
    with pytest.raises(error, match=match):
        call()

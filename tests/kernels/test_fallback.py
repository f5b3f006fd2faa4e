"""The NumPy code that runs where kernels can't, held to the definitions; tests of kernels compare with it."""

import definitions
import numpy as np
import pytest

from tensorgrad.kernels import convolution, fallback
from tensorgrad.windows import Window

# Kernel, stride, padding, dilation, groups over 6×5 pixels.
CONVOLUTIONS = {
    "plain": ((3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "strided, padded unevenly": ((2, 3), (2, 1), ((1, 0), (0, 2)), (1, 1), 1),
    "dilated": ((2, 2), (1, 2), ((1, 1), (1, 1)), (2, 3), 1),
    "grouped": ((3, 3), (2, 2), ((1, 1), (2, 2)), (1, 1), 2),
    "depthwise": ((2, 2), (1, 1), ((0, 1), (1, 0)), (1, 1), 4),
}
POOLINGS = {
    "side by side": ((2, 2), (2, 2), ((0, 0), (0, 0)), False),
    "overlapping, padded": ((3, 2), (1, 1), ((1, 1), (1, 1)), False),
    "ceil mode": ((3, 3), (2, 2), ((1, 1), (0, 0)), True),
    "gaps": ((1, 2), (2, 3), ((0, 0), (1, 1)), True),
}


def pooled(kernel, stride, padding, ceil_mode, dilation=(1, 1)):
    return Window.pooled("max_pool2d", (6, 5), kernel, stride, padding, dilation, ceil_mode)


def moves(window):
    return window.stride, window.padding, window.dilation, window.groups


def grad_input(g, w, window):
    return fallback.conv_grad_input(g, w, window.size, *moves(window))


def drawn(layer):
    rng, window = np.random.default_rng(0), Window.fitting("conv2d", (6, 5), *layer)
    x, w = rng.standard_normal((2, 4, 6, 5)), rng.standard_normal((8, 4 // window.groups, *window.kernel))
    return window, x, w, rng.standard_normal(8), rng.standard_normal((2, 8, *window.output))


@pytest.mark.parametrize("layer", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolutions(layer):
    """Forward and both gradients, under a random upstream gradient."""
    window, x, w, bias, g = drawn(layer)
    dx, dw = definitions.convolution_gradients(x, w, g, window)
    expected = definitions.convolution(x, w, bias, window)
    np.testing.assert_allclose(fallback.conv_forward(x, w, bias, *moves(window)), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(grad_input(g, w, window), dx, rtol=1e-12, atol=1e-12)
    found = fallback.conv_grad_weight(x, g, window.kernel, *moves(window))
    np.testing.assert_allclose(found, dw, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", [convolution.grad_input, grad_input], ids=["kernel", "fallback"])
@pytest.mark.parametrize("layer", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_an_infinite_weight_reaches_the_pixels_under_it_alone(layer, function):
    """No product with a zero around the gradient makes a NaN. The kernel's function calls the fallback then."""
    window, x, w, _, g = drawn(layer)
    w[1, 0, 0, 1], w[5, 0, 1, 0] = np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected, _ = definitions.convolution_gradients(x, w, g, window)
        found = function(g, w, window)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert np.isfinite(expected).any() and not np.isfinite(expected).all()


@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
@pytest.mark.parametrize("layer", POOLINGS.values(), ids=POOLINGS)
def test_max_pooling(layer, dilation):
    """Few different values, so that there are ties, and NaN and infinities."""
    rng, window = np.random.default_rng(1), pooled(*layer, dilation)
    x = rng.choice([0.0, 1.0, -1.0, np.nan, np.inf, -np.inf], (3, 2, 6, 5), p=[0.3, 0.2, 0.3, 0.1, 0.05, 0.05])
    settings = window.kernel, window.stride, window.padding, window.dilation
    y, places = fallback.max_forward(x, *settings, output_size=window.output)
    expected, there = definitions.max_pooling(x, window)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(places, there)
    g, taken = rng.standard_normal(y.shape), np.zeros(x.shape)
    for n, c, *position in np.ndindex(*y.shape):
        taken[(n, c, *divmod(there[(n, c, *position)], 5))] += g[(n, c, *position)]
    np.testing.assert_allclose(fallback.scatter(g, places, (6, 5)), taken, rtol=1e-12)
    np.testing.assert_array_equal(fallback.gather(x, places), expected)


@pytest.mark.parametrize("counted", [(True, None), (False, None), (True, 3)], ids=["padding", "pixels", "given"])
@pytest.mark.parametrize("layer", POOLINGS.values(), ids=POOLINGS)
def test_average_pooling(layer, counted):
    rng, window = np.random.default_rng(2), pooled(*layer)
    x, g = rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((2, 3, *window.output))
    options = {"count_include_pad": counted[0], "divisor_override": counted[1]}
    settings = window.kernel, window.stride, window.padding
    y = fallback.avg_forward(x, *settings, output_size=window.output, **options)
    dx = fallback.avg_backward(g, (6, 5), *settings, **options)
    np.testing.assert_allclose(y, definitions.average_pooling(x, window, *counted), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dx, definitions.average_pooling_gradient(g, window, *counted), rtol=1e-12, atol=1e-14)


def test_softmax_and_cross_entropy():
    rng = np.random.default_rng(3)
    x, y, g = rng.standard_normal((5, 4)) * 10, rng.integers(0, 4, 5), rng.standard_normal((5, 4))
    z = np.array([definitions.softmax(row) for row in x])
    np.testing.assert_allclose(fallback.softmax(x), z, rtol=1e-13)
    np.testing.assert_allclose(fallback.log_softmax(x), np.log(z), rtol=1e-12, atol=1e-13)
    jacobians = [np.diag(row) - np.outer(row, row) for row in z]  # ∂zᵢ/∂xⱼ
    expected = [upstream @ jacobian for upstream, jacobian in zip(g, jacobians, strict=True)]
    np.testing.assert_allclose(fallback.softmax_gradient(g, z), expected, rtol=1e-11, atol=1e-14)
    expected = [(upstream / row) @ jacobian for upstream, row, jacobian in zip(g, z, jacobians, strict=True)]
    np.testing.assert_allclose(fallback.log_softmax_gradient(g, np.log(z)), expected, rtol=1e-10, atol=1e-12)
    losses, probabilities = fallback.cross_entropy(x, y)
    np.testing.assert_allclose(losses, list(map(definitions.cross_entropy, x, y)), rtol=1e-12, atol=1e-14)
    slopes = [upstream[0] * (row - np.eye(4)[label]) for upstream, row, label in zip(g, z, y, strict=True)]
    np.testing.assert_allclose(
        fallback.cross_entropy_gradient(g[:, 0], probabilities, y), slopes, rtol=1e-11, atol=1e-14
    )


def test_products_and_rectifiers():
    rng = np.random.default_rng(4)
    a, b, bias = rng.standard_normal((3, 5)), rng.standard_normal((5, 2)), rng.standard_normal(2)
    expected = [[sum(a[i, k] * b[k, j] for k in range(5)) + bias[j] for j in range(2)] for i in range(3)]
    np.testing.assert_allclose(fallback.product(a, b, bias), expected, rtol=1e-13)
    x = np.array([-2.0, -0.0, 0.0, 3.0, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(fallback.relu(x), [0, 0, 0, 3, np.nan, np.inf, 0])
    np.testing.assert_array_equal(fallback.relu_gradient(x + 1, x), [0, 0, 0, 4, np.nan, np.inf, 0])


def test_normalization():
    """Per channel, by the definition of mean and variance; the gradient by central differences of the definition."""
    rng = np.random.default_rng(5)
    x, g = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3, 2))
    mean, variance = fallback.moments(x)
    for c in range(3):
        values = x[:, c].ravel().tolist()
        assert mean[c] == pytest.approx(sum(values) / 8, rel=1e-12)
        assert variance[c] == pytest.approx(sum((v - sum(values) / 8) ** 2 for v in values) / 8, rel=1e-12)
    np.testing.assert_allclose(fallback.channel_sums(x), [sum(x[:, c].ravel().tolist()) for c in range(3)], rtol=1e-12)
    shifted = fallback.scale_and_shift(x, mean, np.array([2.0, -1.0, 0.5]), np.array([1.0, 0.0, -3.0]))
    for n, c, k in np.ndindex(*x.shape):
        expected = (x[n, c, k] - mean[c]) * [2.0, -1.0, 0.5][c] + [1.0, 0.0, -3.0][c]
        assert shifted[n, c, k] == pytest.approx(expected, rel=1e-12)
    sums, products = fallback.gradient_sums(g, x, mean)
    for c in range(3):
        assert sums[c] == pytest.approx(sum(g[:, c].ravel().tolist()), rel=1e-12)
        each = [a * (b - mean[c]) for a, b in zip(g[:, c].ravel(), x[:, c].ravel(), strict=True)]
        assert products[c] == pytest.approx(sum(each), rel=1e-12)

import numpy as np
import pytest

from tensorgrad.errors import DTypeError, RangeError, ShapeError
from tensorgrad.kernels import fallback
from tensorgrad.kernels.conv import convolution, pooled_convolution
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.pool import pooling
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Window

SAME, WIDE, NONE = ((1, 1), (1, 1)), ((2, 2), (2, 2)), ((0, 0), (0, 0))
# x (C, H, W), w (K, C/groups, KH, KW), stride, padding, dilation, groups
LAYERS = {
    "LeNet-5, first": ((1, 28, 28), (6, 1, 5, 5), (1, 1), WIDE, (1, 1), 1),
    "LeNet-5, second": ((6, 14, 14), (16, 6, 5, 5), (1, 1), NONE, (1, 1), 1),
    "one channel to many": ((1, 20, 22), (32, 1, 3, 3), (1, 1), SAME, (1, 1), 1),
    "odd output": ((3, 9, 11), (5, 3, 3, 3), (1, 1), SAME, (1, 1), 1),
    "odd output, rows of several vectors": ((2, 7, 75), (3, 2, 3, 2), (1, 1), NONE, (1, 1), 1),
    "one window": ((2, 3, 3), (3, 2, 2, 2), (1, 1), NONE, (1, 1), 1),
    "depthwise": ((6, 14, 14), (6, 1, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 6),
    "groups, stride, dilation": ((6, 15, 17), (9, 2, 3, 2), (2, 1), ((2, 1), (0, 3)), (2, 3), 3),
    "bands": ((2, 300, 100), (3, 2, 3, 3), (1, 1), SAME, (1, 1), 1),
    "many channels, few vectors": ((40, 7, 6), (9, 40, 5, 5), (1, 1), WIDE, (1, 1), 1),
    "by tiles": ((16, 16, 15), (17, 16, 3, 3), (1, 1), SAME, (1, 1), 1),
}
EVERY_LAYER = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
EVERY_COUNT = pytest.mark.parametrize("count", [0, 1, 3, 17])
EVERY_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def window_of(layer):
    x, w, stride, padding, dilation, groups = layer
    return Window.fitting("conv2d", x[1:], w[2:], stride, padding, dilation, groups)


def draw(layer, count, dtype=np.float64, seed=0):
    """Random x, w, bias; where a filter is all negative, so is what it computes."""
    generator = np.random.default_rng(seed)
    x, w, bias = (generator.standard_normal(s).astype(dtype) for s in ((count, *layer[0]), layer[1], layer[1][:1]))
    w[1] = -np.abs(w[1])
    x[:, :, ::5] = np.abs(x[:, :, ::5])
    return x, w, bias


def one_by_one(x, w, bias, window):
    """The layers one after the other: the rectifier's output, what pooling leaves of it and where that stood."""
    y = pointwise.relu(convolution.forward(x, w, bias, window))
    return y, *pooling.max_forward(y, Window.halving(window.output))


def gradients_one_by_one(x, w, y, g, indices, window):
    full = pointwise.relu_gradient(pooling.scatter(g, indices, Window.halving(window.output)), y)
    dx = convolution.grad_input(full, w, window)
    return dx, convolution.grad_weight(x, full, window), pointwise.channel_sums(full)


def joint_gradients(x, w, g, z, indices, window):
    """dx, dw, db; the last two are those of `grad_weight` too."""
    results = pooled_convolution.gradients(x, w, g, z, indices, window)
    again = pooled_convolution.grad_weight(x, g, z, indices, window)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(results[1:], again, strict=True))
    return results


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def check(x, w, bias, window):
    """Forward and gradients against the layers one after the other."""
    y, expected, positions = one_by_one(x, w, bias, window)
    z, indices = pooled_convolution.forward(x, w, bias, window)
    assert same_bits(z, expected)
    assert indices.dtype == np.int32 and (indices == positions)[z > 0].all()
    g = np.random.default_rng(9).standard_normal(z.shape).astype(z.dtype)
    results = joint_gradients(x, w, g, z, indices, window)
    for result, right in zip(results, gradients_one_by_one(x, w, y, g, positions, window), strict=True):
        assert same_bits(result, right)


@EVERY_DTYPE
@EVERY_COUNT
@EVERY_LAYER
def test_the_bits_of_the_layers_one_after_the_other(layer, count, dtype, threads):
    check(*draw(layer, count, dtype), window_of(layer))


@EVERY_LAYER
def test_the_bits_where_even_little_work_is_shared_out(layer, threads, monkeypatch):
    monkeypatch.setattr(dispatch, "SMALL", 0)
    for plan in (pooled_convolution._forward_plan, pooled_convolution._grad_weight_plan):
        plan.cache_clear()
    for count in (1, 2, 5):
        check(*draw(layer, count, np.float32), window_of(layer))
        check(*draw(layer, count, np.float32)[:2], None, window_of(layer))
    for plan in (pooled_convolution._forward_plan, pooled_convolution._grad_weight_plan):
        plan.cache_clear()


@pytest.mark.parametrize("threads", [2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_images_than_threads_are_cut_by_filters(monkeypatch, count, threads):
    rng = np.random.default_rng(7)
    x, w, bias = (rng.standard_normal(s).astype(np.float32) for s in ((count, 6, 14, 13), (60, 6, 5, 5), (60,)))
    window = Window.fitting("conv2d", (14, 13), (5, 5), (1, 1), NONE, (1, 1))
    expected, shared = one_by_one(x, w, bias, window)[1:], []

    def one_after_the_other(kernel, arguments, chunks):
        shared.append(chunks)
        for index in reversed(range(chunks)):
            kernel(*arguments, index, chunks)

    monkeypatch.setattr(dispatch, "SMALL", 0)
    for module in (pooled_convolution, dispatch):
        monkeypatch.setattr(module, "get_num_threads", lambda: threads)
    monkeypatch.setattr(pooled_convolution, "run", one_after_the_other)
    pooled_convolution._forward_plan.cache_clear()
    z, indices = pooled_convolution.forward(x, w, bias, window)
    pooled_convolution._forward_plan.cache_clear()
    assert same_bits(z, expected[0]) and (indices == expected[1])[z > 0].all()
    assert shared == [threads]


@EVERY_LAYER
def test_nan_and_infinities_come_through(layer):
    x, w, bias = draw(layer, 4, np.float32)
    places = np.random.default_rng(5).choice(x.size, x.size // 150 + 6, replace=False)
    x.ravel()[places] = np.resize([np.nan, np.inf, -np.inf], places.size)
    window = window_of(layer)
    z, indices = pooled_convolution.forward(x, w, bias, window)
    y, expected, positions = one_by_one(x, w, bias, window)
    np.testing.assert_array_equal(z, expected)
    np.testing.assert_array_equal(indices[z > 0], positions[z > 0])
    g = np.random.default_rng(6).standard_normal(z.shape).astype(np.float32)
    results = joint_gradients(x, w, g, z, indices, window)
    for result, right in zip(results, gradients_one_by_one(x, w, y, g, positions, window), strict=True):
        np.testing.assert_array_equal(result, right)
    assert np.isnan(z).any() and np.isnan(results[1]).any()


@EVERY_LAYER
def test_kernels_compute_what_their_references_state(layer):
    (x, w, bias), motion, window = draw(layer, 3), layer[2:], window_of(layer)
    y = fallback.relu(fallback.conv_forward(x, w, bias, *motion))
    expected, positions = fallback.max_forward(y, (2, 2), (2, 2), output_size=(y.shape[2] // 2, y.shape[3] // 2))
    z, indices = pooled_convolution.forward(x, w, bias, window)
    np.testing.assert_allclose(z, expected, rtol=1e-11, atol=1e-11)
    g = np.random.default_rng(6).standard_normal(z.shape)
    dx, dw, db = joint_gradients(x, w, g, z, indices, window)
    full = fallback.relu_gradient(fallback.scatter(g, positions, y.shape[2:]), y)
    expected = fallback.conv_grad_input(full, w, x.shape[2:], *motion)
    np.testing.assert_allclose(dx, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dw, fallback.conv_grad_weight(x, full, w.shape[2:], *motion), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(db, fallback.channel_sums(full), rtol=1e-11, atol=1e-11)


def test_the_output_stays_where_it_is_only_where_that_is_served():
    plan = pooled_convolution._forward_plan
    others = {"by tiles", "depthwise", "groups, stride, dilation"}
    if WIDTH == 64:  # elsewhere its pixels fill more vectors
        others.add("many channels, few vectors")
    for name, layer in LAYERS.items():
        x, w, *_ = layer
        assert (plan((17, *x), w, window_of(layer), 4, 2) is None) == (name in others), name


def test_any_layout_of_the_inputs():
    layer = LAYERS["odd output"]
    (x, w, bias), window = draw(layer, 5), window_of(layer)
    z, indices = pooled_convolution.forward(x, w, bias, window)
    g = np.random.default_rng(6).standard_normal(z.shape)
    expected = joint_gradients(x, w, g, z, indices, window)
    for turn in (
        lambda a: np.flip(np.flip(a).copy()),
        np.asfortranarray,
        lambda a: a.astype(a.dtype.newbyteorder(">")),
    ):
        again, _ = pooled_convolution.forward(turn(x), turn(w), turn(bias), window)
        assert same_bits(again, z)
        arrays = (turn(x), turn(w), turn(g), turn(z), np.asfortranarray(indices))
        results = joint_gradients(*arrays, window)
        assert all(same_bits(a, b) for a, b in zip(results, expected, strict=True))


X, W, G, FIRST = np.ones((2, 4, 6, 6)), np.ones((6, 2, 3, 3)), np.ones((2, 6, 2, 2)), np.zeros((2, 6, 2, 2), np.int32)
Z, V = np.ones((2, 8, 6, 6)), np.ones((6, 8, 3, 3))
HALVES = Window.fitting("conv2d", (6, 6), (3, 3), (1, 1), NONE, (1, 1), 2)
WHOLE = HALVES._replace(groups=1)
LOW = Window.fitting("conv2d", (3, 6), (3, 3), (1, 1), NONE, (1, 1), 2)
FIT = "the arrays don't fit the window"


def grad_weight(x=X, g=G, z=G, indices=FIRST, window=HALVES):
    return pooled_convolution.grad_weight(x, g, z, indices, window)


def gradients(x=Z, w=V, g=G, z=G, indices=FIRST, window=WHOLE):
    return pooled_convolution.gradients(x, w, g, z, indices, window)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: pooled_convolution.forward(X, W, None, WHOLE), ShapeError, FIT),
        (lambda: pooled_convolution.forward(X, W, np.ones(5), HALVES), ShapeError, r"bias \(6,\)"),
        (lambda: pooled_convolution.forward(X, W.astype(np.float32), None, HALVES), DTypeError, "float32 or float64"),
        (lambda: pooled_convolution.forward(X[:, :, :3], W, None, HALVES), ShapeError, FIT),
        (lambda: pooled_convolution.forward(X[:, :, :3], W, None, LOW), ShapeError, "doesn't fit"),
        (lambda: grad_weight(indices=FIRST + 16), RangeError, "indices must be positions"),
        (lambda: grad_weight(z=-G, indices=FIRST - 1), RangeError, "indices must be positions"),
        (lambda: grad_weight(z=G[:1]), ShapeError, "must have the same shape"),
        (lambda: grad_weight(indices=FIRST[:1]), ShapeError, "indices must be of shape"),
        (lambda: grad_weight(X[:1]), ShapeError, FIT),
        (lambda: grad_weight(window=HALVES._replace(size=(8, 6))), ShapeError, FIT),
        (lambda: grad_weight(g=G[0]), ShapeError, FIT),
        (lambda: gradients(X, W, indices=FIRST + 16, window=HALVES), RangeError, "indices must be positions"),
        (lambda: gradients(indices=FIRST + 16), RangeError, "indices must be positions"),
        (lambda: gradients(z=G[:1]), ShapeError, "must have the same shape"),
        (lambda: gradients(w=V[:5]), ShapeError, FIT),
        (lambda: gradients(Z[:1]), ShapeError, FIT),
        (lambda: grad_weight(X.astype(np.float32)), DTypeError, "float32 or float64"),
    ],
)
def test_errors_restate_the_call(call, error, match):
    with pytest.raises(error, match=match):
        call()

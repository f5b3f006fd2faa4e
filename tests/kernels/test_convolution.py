import threading
from typing import NamedTuple

import numpy as np
import pytest
from cores import MOST_THREADS

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError
from tensorgrad.kernels import fallback
from tensorgrad.kernels.conv import convolution, taps
from tensorgrad.kernels.conv.direct import correlate, dots
from tensorgrad.kernels.jit import dispatch
from tensorgrad.windows import Window, conv_padding, convolution as convolution_window, convolution_shapes


class Layer(NamedTuple):
    """One convolution: x (N, C, H, W), w (K, C/groups, KH, KW)."""

    x: tuple
    w: tuple
    stride: tuple = (1, 1)
    padding: tuple = ((0, 0), (0, 0))
    dilation: tuple = (1, 1)
    groups: int = 1

    @property
    def arguments(self):
        return self.stride, self.padding, self.dilation, self.groups

    @property
    def window(self):
        return Window.fitting("conv2d", self.x[2:], self.w[2:], *self.arguments)


def same(*kernel):
    return conv_padding("same", kernel, (1,) * len(kernel), (1,) * len(kernel))


LAYERS = {
    "one filter": Layer((1, 1, 5, 5), (1, 1, 3, 3)),
    "channels in fours and threes": Layer((2, 7, 6, 9), (11, 7, 3, 2)),
    "fours exactly": Layer((2, 4, 6, 6), (8, 4, 2, 2)),
    "1x1": Layer((2, 5, 4, 4), (6, 5, 1, 1)),
    "1x1, odd planes, groups": Layer((9, 10, 5, 25), (14, 5, 1, 1), groups=2),
    "1x1, stride 2": Layer((2, 3, 7, 8), (4, 3, 1, 1), (2, 2)),
    "one pixel": Layer((3, 4, 1, 1), (5, 4, 1, 1)),
    "one row": Layer((2, 3, 1, 17), (4, 3, 1, 5), (1, 2), ((0, 0), (2, 2))),
    "one column": Layer((2, 3, 17, 1), (4, 3, 4, 1), (3, 1), ((1, 2), (0, 0))),
    "same, odd": Layer((2, 3, 6, 5), (4, 3, 3, 5), padding=same(3, 5)),
    "same, even": Layer((2, 3, 6, 5), (4, 3, 2, 4), padding=same(2, 4)),
    "padding unlike on four sides": Layer((2, 2, 5, 6), (3, 2, 3, 3), (2, 1), ((0, 3), (2, 1))),
    "padding beyond the kernel": Layer((1, 2, 3, 3), (2, 2, 2, 2), padding=((4, 4), (3, 5))),
    "kernel larger than the input": Layer((2, 2, 3, 2), (3, 2, 5, 4), padding=((1, 1), (2, 2))),
    "stride": Layer((2, 3, 9, 11), (4, 3, 3, 3), (2, 3), ((1, 1), (1, 1))),
    "stride beyond the kernel": Layer((2, 3, 11, 12), (4, 3, 2, 2), (4, 5)),
    "rows and columns that no window reaches": Layer((2, 2, 8, 9), (3, 2, 3, 3), (3, 4)),
    "dilation": Layer((2, 3, 9, 10), (5, 3, 3, 2), dilation=(2, 3)),
    "dilation and stride": Layer((2, 3, 11, 12), (5, 3, 3, 3), (2, 3), ((2, 2), (1, 1)), (3, 2)),
    "groups": Layer((2, 6, 7, 7), (9, 2, 3, 3), padding=((1, 1), (1, 1)), groups=3),
    "groups, stride, dilation": Layer((2, 4, 9, 9), (8, 2, 3, 3), (2, 2), ((1, 1), (2, 2)), (2, 2), 2),
    "depthwise": Layer((2, 5, 6, 7), (5, 1, 3, 3), padding=same(3, 3), groups=5),
    "depthwise, short rows of many images": Layer((25, 3, 9, 4), (3, 1, 3, 3), padding=same(3, 3), groups=3),
    "depthwise, stride": Layer((9, 4, 11, 13), (4, 1, 3, 3), (2, 2), ((1, 1), (1, 1)), groups=4),
    "depthwise, stride, two columns": Layer((11, 4, 3, 2), (4, 1, 3, 3), (1, 2), ((0, 0), (0, 3)), groups=4),
    "depthwise, strides beyond two, dilation": Layer(
        (3, 2, 19, 40), (2, 1, 5, 4), (4, 3), ((2, 1), (0, 5)), (1, 2), groups=2
    ),
    "depthwise, pixels that no window reaches": Layer((2, 2, 11, 12), (2, 1, 2, 1), (4, 5), groups=2),
    "depthwise, two filters each": Layer((2, 3, 6, 6), (6, 1, 2, 2), groups=3),
    "many channels": Layer((2, 17, 6, 7), (6, 17, 3, 3), padding=((1, 1), (1, 1))),
    "many channels, padding unlike": Layer((2, 16, 6, 5), (3, 16, 3, 2), padding=((2, 0), (0, 1))),
    "many channels, padding beyond the kernel": Layer((2, 16, 4, 4), (3, 16, 2, 2), padding=((2, 2), (1, 1))),
    "many channels, groups, dilation": Layer(
        (2, 32, 8, 8), (6, 16, 3, 3), padding=((1, 1), (0, 2)), dilation=(2, 1), groups=2
    ),
    "empty batch": Layer((0, 3, 6, 6), (4, 3, 3, 3)),
    "rows longer than a tile": Layer((1, 2, 3, 2500), (5, 2, 2, 3), padding=((1, 1), (1, 1))),
    "more rows than a tile": Layer((2, 2, 90, 30), (5, 2, 3, 3), padding=((1, 1), (1, 1))),
    "by tiles": Layer((4, 16, 16, 16), (17, 16, 3, 3), padding=same(3, 3)),
    "by tiles, odd sizes": Layer((3, 18, 19, 21), (16, 18, 3, 3), padding=((1, 1), (1, 1))),
    "by tiles, no padding": Layer((9, 16, 13, 12), (20, 16, 3, 3)),
    "by tiles, padding unlike": Layer((6, 17, 11, 16), (19, 17, 3, 3), padding=((2, 0), (0, 1))),
    "by tiles, padding beyond the kernel": Layer((6, 16, 8, 9), (16, 16, 3, 3), padding=((3, 4), (3, 3))),
    "by tiles, wide": Layer((2, 16, 5, 100), (16, 16, 3, 3), padding=same(3, 3)),
    "by tiles, narrow": Layer((8, 16, 64, 1), (16, 16, 3, 3), padding=same(3, 3)),
    "by columns": Layer((5, 6, 14, 14), (16, 6, 5, 5)),
    "by columns, padding unlike, dilation": Layer((2, 3, 20, 13), (9, 3, 3, 4), (1, 1), ((1, 0), (0, 2)), (3, 2)),
    "by columns, rows and pixels that no tap reaches": Layer((2, 2, 9, 40), (8, 2, 2, 3), dilation=(6, 17)),
    "by columns, one pixel of output": Layer((3, 7, 5, 4), (30, 7, 5, 4)),
    "parallel": Layer((5, 6, 16, 16), (9, 6, 3, 3), padding=((1, 1), (1, 1))),
}
EVERY_LAYER = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
EVERY_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def draw(layer, dtype=np.float64, seed=0):
    """Random x, w, bias and upstream gradient of a layer."""
    generator = np.random.default_rng(seed)
    x, w, bias = (generator.standard_normal(shape).astype(dtype) for shape in (layer.x, layer.w, layer.w[:1]))
    g = generator.standard_normal(fallback.conv_forward(x, w, None, *layer.arguments).shape).astype(dtype)
    return x, w, bias, g


def kernels(layer, x, w, bias, g):
    """The results of all three kernels."""
    return {
        "forward": convolution.forward(x, w, bias, layer.window),
        "grad_input": convolution.grad_input(g, w, layer.window),
        "grad_weight": convolution.grad_weight(x, g, layer.window),
    }


def references(layer, x, w, bias, g):
    """The same by the references."""
    return {
        "forward": fallback.conv_forward(x, w, bias, *layer.arguments),
        "grad_input": fallback.conv_grad_input(g, w, layer.x[2:], *layer.arguments),
        "grad_weight": fallback.conv_grad_weight(x, g, layer.w[2:], *layer.arguments),
    }


def assert_close(ours, expected, layer, *arrays):
    """Within a few units in the last place of the same sums taken over absolute values."""
    scale = references(layer, *(np.abs(array).astype(np.float64) for array in arrays))
    for name, result in ours.items():
        assert result.shape == expected[name].shape
        assert (np.abs(result - expected[name]) <= 8 * np.finfo(result.dtype).eps * scale[name]).all(), name


@EVERY_DTYPE
@EVERY_LAYER
def test_kernels_compute_what_their_references_state(layer, dtype):
    arrays = draw(layer, dtype)
    ours = kernels(layer, *arrays)
    expected = references(layer, *(array.astype(np.float64) for array in arrays))
    assert all(result.dtype == dtype and result.flags.c_contiguous for result in ours.values())
    assert_close(ours, expected, layer, *arrays)


@EVERY_LAYER
def test_gradients_are_the_adjoints_of_forward(layer):
    x, w, _, g = draw(layer, seed=1)
    results = kernels(layer, x, w, None, g)
    products = [
        np.vdot(results["forward"], g),
        np.vdot(x, results["grad_input"]),
        np.vdot(w, results["grad_weight"]),
    ]
    np.testing.assert_allclose(products, products[0], rtol=1e-11, atol=1e-11)


def test_forward_against_a_sum_written_out():
    layer = LAYERS["dilation and stride"]
    x, w, bias, _ = draw(layer, seed=2)
    y = convolution.forward(x, w, bias, layer.window)
    (sh, sw), ((top, _), (left, _)), (dh, dw), _ = layer.arguments
    for n, k, p, q in ((0, 0, 0, 0), (1, 4, 2, 1), (0, 2, *(size - 1 for size in y.shape[2:]))):
        total = bias[k]
        for c, i, j in np.ndindex(*layer.w[1:]):
            h, v = p * sh + i * dh - top, q * sw + j * dw - left
            if 0 <= h < layer.x[2] and 0 <= v < layer.x[3]:
                total += w[k, c, i, j] * x[n, c, h, v]
        np.testing.assert_allclose(y[n, k, p, q], total, rtol=1e-12)


@pytest.mark.oracle
@EVERY_DTYPE
@EVERY_LAYER
def test_the_trio_agrees_with_pytorch(layer, dtype):
    torch = pytest.importorskip("torch")
    arrays = draw(layer, dtype, seed=3)
    x, w, bias, g = (torch.from_numpy(array) for array in arrays)
    (top, bottom), (left, right) = layer.padding
    x.requires_grad_(), w.requires_grad_()
    padded = torch.nn.functional.pad(x, (left, right, top, bottom))
    y = torch.nn.functional.conv2d(padded, w, bias, layer.stride, 0, layer.dilation, layer.groups)
    y.backward(g)
    expected = {"forward": y.detach().numpy(), "grad_input": x.grad.numpy(), "grad_weight": w.grad.numpy()}
    assert_close(kernels(layer, *arrays), expected, layer, *arrays)


NONFINITE = [
    "channels in fours and threes",
    "one row",
    "padding unlike on four sides",
    "dilation and stride",
    "groups",
    "depthwise, short rows of many images",
    "depthwise, strides beyond two, dilation",
    "by tiles, odd sizes",
    "by columns, padding unlike, dilation",
]
PARALLEL = pytest.mark.parametrize("layer", [LAYERS[name] for name in ("parallel", "by tiles", "by columns")])


@pytest.mark.parametrize("which", ["x", "w", "g"])
@pytest.mark.parametrize("layer", [LAYERS[name] for name in NONFINITE], ids=NONFINITE)
def test_nan_and_infinity_come_through_as_in_the_reference(layer, which):
    x, w, bias, g = draw(layer, seed=4)
    poisoned = {"x": x, "w": w, "g": g}[which]
    places = np.random.default_rng(5).choice(poisoned.size, 3, replace=False)
    poisoned.ravel()[places] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        ours, expected = (results(layer, x, w, bias, g) for results in (kernels, references))
    reached = {"x": ("forward", "grad_weight"), "w": ("forward", "grad_input"), "g": ("grad_input", "grad_weight")}
    for name, result in ours.items():
        np.testing.assert_allclose(result, expected[name], rtol=1e-11, atol=1e-11, err_msg=name)
        assert np.isfinite(result).all() == (name not in reached[which])


@PARALLEL
def test_any_layout_of_the_inputs(layer):
    x, w, bias, g = draw(layer, seed=6)
    expected = kernels(layer, x, w, bias, g)
    frozen = [array.copy() for array in (x, w, bias, g)]
    for array in frozen:
        array.setflags(write=False)
    layouts = {
        "read-only": frozen,
        "negative strides": [np.flip(np.flip(array).copy()) for array in (x, w, bias, g)],
        "column-major": [np.asfortranarray(array) for array in (x, w, bias, g)],
        "big-endian": [array.astype(">f8") for array in (x, w, bias, g)],
        "every other": [np.repeat(array, 2, axis=-1)[..., ::2] for array in (x, w, bias, g)],
    }
    for layout, arrays in layouts.items():
        for name, result in kernels(layer, *arrays).items():
            np.testing.assert_array_equal(result, expected[name], err_msg=f"{layout}: {name}")
            assert result.dtype == np.dtype(np.float64) and result.dtype.isnative


@PARALLEL
def test_the_same_bits_in_every_run(layer):
    arrays = draw(layer, np.float32, seed=7)
    first = kernels(layer, *arrays)
    for _ in range(20):
        for name, result in kernels(layer, *arrays).items():
            assert result.tobytes() == first[name].tobytes(), name


@PARALLEL
def test_eight_threads_at_once_get_what_one_gets(layer):
    inputs = [draw(layer, np.float32, seed) for seed in range(8)]
    expected = [kernels(layer, *arrays) for arrays in inputs]
    wrong, start = [], threading.Barrier(8)

    def work(index):
        start.wait()
        for _ in range(20):
            results = kernels(layer, *inputs[index])
            wrong.extend(name for name in results if results[name].tobytes() != expected[index][name].tobytes())

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


X, W, G = np.ones((2, 4, 5, 5)), np.ones((6, 2, 3, 3)), np.ones((2, 6, 3, 3))


def window_of(x=X, w=W, bias=None, stride=1, padding=0, dilation=1, groups=2):
    """The window of a public call with such arrays."""
    biases = None if bias is None else bias.shape
    return convolution_window("conv2d", 2, x.shape, w.shape, biases, stride, padding, dilation, groups)


WINDOW = window_of()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: window_of(groups=1), ShapeError, "x has 4 channels, the filters take 2 in each of 1 group"),
        (lambda: window_of(groups=4), ShapeError, "x has 4 channels, the filters take 2 in each of 4 group"),
        (lambda: window_of(w=W[:5]), ShapeError, "a multiple of groups"),
        (lambda: window_of(groups=0), ArgumentError, "groups must be at least 1"),
        (lambda: window_of(X[0, 0]), ShapeError, "number of axes"),
        (lambda: window_of(bias=np.ones(5)), ShapeError, r"bias of shape \(6,\)"),
        (lambda: window_of(stride=(0, 1)), ArgumentError, "stride must be at least 1"),
        (lambda: window_of(dilation=(1, -1)), ArgumentError, "dilation must be at least 1"),
        (lambda: window_of(dilation=(3, 1)), ShapeError, "doesn't fit"),
        (lambda: window_of(X[:, :0], W[:, :0]), ShapeError, "empty"),
        (lambda: window_of(X, W[:0]), ShapeError, "empty"),
        (lambda: convolution.forward(X[:, :3], W, None, WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.forward(X[:, :2], W[:, :1], None, WINDOW._replace(groups=1)), ShapeError, "don't fit"),
        (lambda: convolution.forward(X, W[:5], None, WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.forward(X, W[..., :2], None, WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.forward(X[..., :4], W, None, WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.forward(X[0], W, None, WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.forward(X[:, :0], W[:, :0], None, WINDOW), ShapeError, "don't fit"),
        (lambda: convolution.forward(X, W[:0], None, WINDOW), ShapeError, "don't fit"),
        (lambda: convolution.forward(X, W, np.ones(5), WINDOW), ShapeError, r"bias \(6,\)"),
        (lambda: convolution.forward(X.astype(np.float32), W, None, WINDOW), DTypeError, "float32 or float64"),
        (lambda: convolution.forward(X.astype(int), W.astype(int), None, WINDOW), DTypeError, "float32 or float64"),
        (lambda: convolution.grad_input(G[:, :, :2], W, WINDOW), ShapeError, r"y \(N, K, 3, 3\)"),
        (lambda: convolution.grad_input(G[0], W, WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.grad_input(G[:, :5], W, WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.grad_weight(X, G[..., :2], WINDOW), ShapeError, r"y \(N, K, 3, 3\)"),
        (lambda: convolution.grad_weight(X, G[:1], WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.grad_weight(X[:, :3], G, WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.grad_weight(X, G[:, :5], WINDOW), ShapeError, "the arrays don't fit the window"),
        (lambda: convolution.grad_weight(X, G[0], WINDOW), ShapeError, "conv2d_grad_weight"),
    ],
)
def test_errors_restate_the_call(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(("count", "channels", "filters"), [(3, 6, 4), (1, 32, 64)], ids=["little work", "one image"])
def test_these_weight_gradients_have_the_same_bits_with_any_number_of_threads(count, channels, filters):
    rng = np.random.default_rng(5)
    layer = Layer((count, channels, 14, 14), (filters, channels, 5, 5))
    x, g = (rng.standard_normal(s, np.float32) for s in (layer.x, (count, filters, 10, 10)))
    before, results = dispatch.get_num_threads(), set()
    try:
        for threads in {1, MOST_THREADS}:
            dispatch.set_num_threads(threads)
            results.add(convolution.grad_weight(x, g, layer.window).tobytes())
    finally:
        dispatch.set_num_threads(before)
    assert len(results) == 1


@pytest.mark.parametrize("threads", [2, 3, 5])
@pytest.mark.parametrize("groups", [1, 2])
def test_one_image_under_filters_of_one_pixel_is_cut_into_bands(monkeypatch, groups, threads):
    rng = np.random.default_rng(8)
    x, g, w = (rng.standard_normal(shape) for shape in ((1, 6, 13, 7), (1, 4, 13, 7), (4, 6 // groups, 1, 1)))
    window, bias, bands = Layer(x.shape, w.shape, groups=groups).window, rng.standard_normal(4), []

    def one_after_the_other(kernel, arguments, chunks, access=None):
        bands.append(chunks)
        for index in range(chunks):
            kernel(*arguments, index, chunks)

    monkeypatch.setattr(dispatch, "SMALL", 0)
    monkeypatch.setattr(convolution, "get_num_threads", lambda: threads)
    monkeypatch.setattr(dispatch, "get_num_threads", lambda: threads)
    for module in (correlate, dots):
        monkeypatch.setattr(module, "run", one_after_the_other)
    moves = {"groups": groups}
    for found, wanted in (
        (convolution.forward(x, w, bias, window), fallback.conv_forward(x, w, bias, **moves)),
        (convolution.grad_input(g, w, window), fallback.conv_grad_input(g, w, (13, 7), **moves)),
        (convolution.grad_weight(x, g, window), fallback.conv_grad_weight(x, g, (1, 1), **moves)),
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert bands[:2] == [threads, threads]


@pytest.mark.parametrize("threads", [2, 3, 5, 8])
@pytest.mark.parametrize(("count", "groups"), [(1, 1), (1, 2), (2, 1), (3, 4)])
def test_fewer_images_than_threads_are_cut_by_filters(monkeypatch, count, groups, threads):
    rng = np.random.default_rng(7)
    x, g = rng.standard_normal((count, 8, 9, 9)), rng.standard_normal((count, 80, 7, 7))
    shared = []

    def one_after_the_other(kernel, arguments, chunks, access=None):
        shared.append(chunks)
        for index in range(chunks):
            kernel(*arguments, index, chunks)

    monkeypatch.setattr(dispatch, "SMALL", 0)
    monkeypatch.setattr(convolution, "get_num_threads", lambda: threads)
    monkeypatch.setattr(dispatch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(dots, "run", one_after_the_other)
    convolution.grad_weight_plan.cache_clear()
    dw = convolution.grad_weight(x, g, Layer(x.shape, (80, 8 // groups, 3, 3), groups=groups).window)
    convolution.grad_weight_plan.cache_clear()
    np.testing.assert_allclose(dw, fallback.conv_grad_weight(x, g, (3, 3), groups=groups), rtol=1e-12, atol=1e-12)
    assert shared[0] == threads


@pytest.mark.parametrize("count", [1, 3, 8, 15])
@pytest.mark.parametrize("size", [4, 10, 50])
def test_every_thread_has_a_part_of_few_images(count, size):
    """Bands of rows, or filters where these are larger than an image; 10×10 pixels leave four beyond whole vectors."""
    sizes = (size, size)
    window = Window.fitting("conv2d", sizes, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    shapes = convolution_shapes("conv2d", window, x=(count, 64, *sizes), w=(256, 64, 3, 3))
    for threads in (2, 4, 16):
        total = taps.forward_sum(window, shapes, 4, threads)
        assert total.blocks * total.cuts >= threads or count >= threads
        assert (total.layout.bands == 1) == (size < 50)


@pytest.mark.parametrize("count", [1, 2, 7, 16, 32, 33])
@pytest.mark.parametrize("size", [4, 8, 16, 40])
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_weight_gradients_share_out_images_evenly(count, size, threads):
    window = Window.fitting("conv2d", (size, size), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    plan = dots.dot_plan(
        window, convolution_shapes("conv2d", window, x=(count, 64, size, size), w=(64, 64, 3, 3)), 4, threads
    )
    begins = [count * batch // plan.batches for batch in range(plan.batches + 1)]
    assert max(np.diff(begins)) <= plan.images
    if plan.blocks == plan.batches >= threads:
        shares = np.diff([begins[plan.batches * index // threads] for index in range(threads + 1)])
        assert shares.max() - shares.min() <= 1

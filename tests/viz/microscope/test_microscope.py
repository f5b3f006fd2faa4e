"""The layers that the microscope finds, their sums against plain loops, what is kept, and what is refused."""

import itertools
import json
import re

import numpy as np
import pytest
from networks import LeNet5

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, RangeError
from tensorgrad.viz.microscope.cut import BUDGET, CHANNELS, Cut, cut
from tensorgrad.viz.microscope.reading import layers_of
from tensorgrad.viz.microscope.rests import rests

# By name: stride, padding before, dilation, per axis; groups. As the calls were written, not as the library read them.
ARGUMENTS = {
    "plain": ((1, 1), (0, 0), (1, 1), 1),
    "strided": ((2, 3), (2, 1), (1, 1), 1),
    "same": ((1, 1), (0, 1), (1, 1), 1),
    "dilated": ((1, 1), (1, 1), (2, 1), 1),
    "depthwise": ((2, 2), (1, 1), (1, 1), 4),
    "grouped": ((1, 1), (1, 1), (1, 1), 2),
    "pointwise": ((1, 1), (0, 0), (1, 1), 1),
    "signal": ((1, 2), (0, 3), (1, 2), 1),
    "up": ((2, 2), (1, 1), (1, 1), 1),
    "up_grouped": ((2, 1), (0, 0), (1, 2), 2),
    "up_signal": ((1, 3), (0, 1), (1, 1), 1),
}


def terms(name, layer):
    """Every product of a convolution, by plain loops: (n, k, c, c in its group, window, pixel, tap)."""
    stride, before, dilation, groups = ARGUMENTS[name]
    (images, channels, height, width), (_, maps, rows, columns) = (
        side.values.shape for side in (layer.pixels, layer.windows)
    )
    per_group = channels // groups
    for n, k, inner, p, q in itertools.product(*map(range, (images, maps, per_group, rows, columns))):
        channel = k // (maps // groups) * per_group + inner
        for i, j in itertools.product(*map(range, layer.filters.weights.shape[2:])):
            r, c = p * stride[0] + i * dilation[0] - before[0], q * stride[1] + j * dilation[1] - before[1]
            if 0 <= r < height and 0 <= c < width:
                yield n, k, channel, inner, (p, q), (r, c), (i, j)


def looped(name, layer, counts=lambda n, k, channel: (True, True, True)):
    """The sums of windows, pixels and weights; `counts` says of each which products enter."""
    pixels, windows = (side.astype(np.float64) for side in layer.multiplied)
    weights = layer.filters.weights.astype(np.float64)
    sums = np.zeros(windows.shape), np.zeros(pixels.shape), np.zeros(weights.shape)
    for n, k, channel, inner, window, pixel, tap in terms(name, layer):
        x, z, w = pixels[(n, channel, *pixel)], windows[(n, k, *window)], weights[(k, inner, *tap)]
        enters = counts(n, k, channel)
        sums[0][(n, k, *window)] += enters[0] * x * w
        sums[1][(n, channel, *pixel)] += enters[1] * z * w
        sums[2][(k, inner, *tap)] += enters[2] * x * z
    return sums


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_products_of_a_convolution_add_up_to_what_the_step_computed(layers, name):
    layer = layers[name]
    of_windows, of_pixels, of_weights = looped(name, layer)
    bias = layer.filters.bias[:, None, None]
    if layer.transposed:
        pairs = (of_windows, layer.windows.gradient), (of_pixels + bias, layer.pixels.values)
    else:
        pairs = (of_windows + bias, layer.windows.values), (of_pixels, layer.pixels.gradient)
    for found, recorded in (*pairs, (of_weights, layer.filters.gradient)):
        np.testing.assert_allclose(found, recorded, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_is_left_out_is_the_sum_over_other_channels_filters_and_images(layers, name, most):
    layer = layers[name]
    part = Cut.of(layer, (2, 0), most)
    assert 1 <= part.channels <= most and 1 <= part.maps <= most

    def hidden(n, k, channel):
        return channel >= part.channels, k >= part.maps, n not in part.images

    of_windows, of_pixels, of_weights = looped(name, layer, hidden)
    expected = {
        "window_rest": of_windows[[2, 0], : part.maps],
        "pixel_rest": of_pixels[[2, 0], : part.channels],
        "weight_rest": of_weights[: part.maps, : part.inputs],
    }
    found = rests(part)
    whole = {"window_rest": layer.pixels.values.shape[1] <= part.channels}
    whole |= {"pixel_rest": layer.windows.values.shape[1] <= part.maps, "weight_rest": False}
    assert set(found) == {key for key, is_whole in whole.items() if not is_whole}
    for key, rest in found.items():
        seen = expected[key]
        if key == "weight_rest":  # a filter of a later group may see fewer of the kept channels
            groups = np.arange(part.maps) // (layer.windows.values.shape[1] // layer.groups)
            channel = groups[:, None] * (layer.pixels.values.shape[1] // layer.groups) + np.arange(part.inputs)
            seen = seen * (channel < part.channels)[:, :, None, None]
        np.testing.assert_allclose(rest, seen, rtol=1e-9, atol=1e-9)


def windows_of(name, rows, columns):
    """By plain rules the pixels of each window of a pooling: lists of rows, of columns."""
    adaptive = {"max_adaptive": (3, 4), "avg_adaptive": (3, 5), "avg_upwards": (9, 6)}
    adaptive |= {"avg_global": (1, 1), "avg_mean": (1, 1)}
    if name in adaptive:
        axes = zip((rows, columns), adaptive[name], strict=True)
        return [[range(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in axes]
    kernel, stride, padding, dilation, count = {
        "max": ((2, 2), (2, 2), 0, 1, (3, 3)),
        "max_overlapping": ((3, 3), (2, 2), 1, 1, (4, 4)),
        "max_dilated": ((2, 3), (1, 1), 0, 2, (5, 2)),
        "max_signal": ((1, 3), (1, 2), 0, 1, (1, 2)),
        "max_with_indices": ((2, 2), (2, 2), 0, 1, (3, 3)),
        "avg": ((2, 2), (2, 2), 0, 1, (3, 3)),
        "avg_ceil": ((3, 3), (2, 2), 1, 1, (4, 4)),
        "avg_without_padding": ((3, 3), (2, 2), 1, 1, (4, 3)),
        "avg_divisor": ((2, 3), (2, 3), 0, 1, (3, 2)),
        "avg_signal": ((1, 3), (1, 2), 0, 1, (1, 2)),
    }[name]
    axes = zip(kernel, stride, count, strict=True)
    return [[[p * s - padding + i * dilation for i in range(k)] for p in range(m)] for k, s, m in axes]


@pytest.mark.parametrize("name", ["max", "max_overlapping", "max_dilated", "max_signal", "max_with_indices"])
def test_of_a_window_the_first_maximum_is_chosen(layers, name):
    check_pooling(layers[name], name)


@pytest.mark.parametrize(
    "name", ["max_adaptive", "avg", "avg_ceil", "avg_without_padding", "avg_divisor", "avg_signal"]
)
def test_windows_of_poolings(layers, name):
    check_pooling(layers[name], name)


@pytest.mark.parametrize("name", ["avg_adaptive", "avg_upwards", "avg_global", "avg_mean"])
def test_windows_that_tile_the_image(layers, name):
    check_pooling(layers[name], name)


def check_pooling(layer, name):
    x, z, gradient = layer.pixels.values, layer.windows.values, layer.windows.gradient
    rows, columns = windows_of(name, *x.shape[2:])
    assert z.shape[2:] == (len(rows), len(columns))
    back = np.zeros(x.shape)
    for n, c, p, q in np.ndindex(*z.shape):
        places = [(r, s) for r in rows[p] for s in columns[q] if 0 <= r < x.shape[2] and 0 <= s < x.shape[3]]
        pixels = [x[n, c, r, s] for r, s in places]
        if layer.shares is None:
            r, s = places[int(np.argmax(pixels))]
            assert layer.chosen[n, c, p, q] == r * x.shape[3] + s
            factors = {(r, s): 1.0}
        else:
            factors = dict.fromkeys(places, layer.shares[p, q])
        assert np.isclose(
            sum(factor * x[(n, c, *place)] for place, factor in factors.items()), z[n, c, p, q], atol=1e-6
        )
        for place, factor in factors.items():
            back[(n, c, *place)] += factor * gradient[n, c, p, q]
    np.testing.assert_allclose(back, layer.pixels.gradient, rtol=1e-5, atol=1e-6)
    for axis, ranges in zip(layer.axes, (rows, columns), strict=True):
        for p, pixels in enumerate(ranges):
            lengths = axis.lengths or (axis.taps,) * len(ranges)
            assert [axis.starts[p] + i * axis.dilation for i in range(lengths[p])] == list(pixels)
        for tap in range(axis.taps):
            inside = [(p, pixels[tap]) for p, pixels in enumerate(ranges) if tap < len(pixels)]
            inside = [(p, r) for p, r in inside if 0 <= r < axis.size]
            assert list(zip(*map(list, axis.met(tap)), strict=True)) == inside


# ------------------------------------------------------------------------------------------------------------ networks


@pytest.fixture(scope="module")
def lenet():
    """A step of LeNet on 64 images, and its model."""
    tg.manual_seed(0)
    model, rng = LeNet5(), np.random.default_rng(3)
    images = tg.tensor(rng.standard_normal((64, 1, 28, 28)).astype(np.float32), name="images")
    with tg.viz.trace() as step:
        nn.cross_entropy(model(images), tg.tensor(rng.integers(0, 10, 64))).backward()
    return step, model


def test_lenet_fits_into_a_page_of_a_few_megabytes(lenet):
    step, model = lenet
    scope = tg.viz.microscope(step)
    assert repr(scope) == "<Microscope on conv1, max pooling, conv2, max pooling #2>"
    assert [(part.channels, part.maps) for part in scope.cuts] == [(1, 6), (6, 6), (6, 16), (16, 16)]
    assert {len(part.images) for part in scope.cuts} == {len(scope.cuts[0].images)} and len(scope.cuts[0].images) >= 16
    assert len(scope.html) < 4.2e6
    filters = scope.cuts[2].layer.filters
    np.testing.assert_array_equal(filters.gradient, model.conv2.weight.grad.numpy())
    assert (filters.name, filters.whole, scope.cuts[0].layer.pixels.name) == ("conv2.weight", None, "images")
    assert scope.cuts[0].layer.pixels.gradient is None
    assert [scope.cuts[k].layer.pixels.beside for k in (1, 2)] == ["relu", "max pool"]


def test_an_array_is_on_the_page_once(lenet):
    page = tg.viz.microscope(lenet[0], images=[0]).html
    plain = json.loads(re.search(r'<script type="application/json" id="scope">(.*?)</script>', page)[1])
    first, pool, second, _ = plain["layers"]
    assert pool["arrays"]["windows"] == second["arrays"]["pixels"]
    assert pool["arrays"]["window_gradient"] == second["arrays"]["pixel_gradient"]
    assert len({json.dumps(array) for array in plain["arrays"]}) == len(plain["arrays"])
    assert "pixel_gradient" not in first["arrays"] and "weight_rest" in first["arrays"]


def origins(model, x):
    """For each layer the index of the one whose result its input was made from, place by place."""
    with tg.viz.trace() as step:
        model(x).sum().backward()
    layers = list(layers_of(step.computation()))
    results = [layer.result for layer in layers]
    return [results.index(layer.origin) if layer.origin in results else None for layer in layers]


def test_numbers_are_followed_through_ops_that_keep_their_places(lenet):
    block = [nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(0.5), nn.MaxPool2d(2), nn.GELU()]
    model = nn.Sequential(*block, nn.Conv2d(2, 2, 1), nn.Sigmoid())
    assert origins(model, tg.ones(2, 2, 6, 6)) == [None, 0, 1]
    conv, pool = nn.Conv2d(2, 2, 3, padding=1), nn.MaxPool2d(2)
    assert origins(lambda x: pool(conv(x) + tg.sin(x)), tg.ones(2, 2, 6, 6)) == [None, None], "a sum of two"
    assert origins(lambda x: pool(tg.flip(conv(x), (2,))), tg.ones(2, 2, 6, 6)) == [None, None], "turned over"
    assert origins(lambda x: pool(conv(x)) + pool(conv(x)), tg.ones(2, 2, 6, 6)) == [None, 0, None, 2]
    plain = json.loads(re.search(r'id="scope">(.*?)</script>', tg.viz.microscope(lenet[0], images=[0]).html)[1])
    assert [layer["before"] for layer in plain["layers"]] == [None, 0, 1, 2]


def test_layers_and_images_can_be_chosen(lenet):
    scope = tg.viz.microscope(lenet[0], layers=["conv2", "max pooling"], images=[5, 63, 5])
    assert [(part.layer.name, part.images) for part in scope.cuts] == [("max pooling", (5, 63)), ("conv2", (5, 63))]


def test_a_small_budget_keeps_fewer_images_then_fewer_channels_then_fewer_layers(lenet):
    layers = list(layers_of(lenet[0].computation()))
    seen = []
    for budget in (BUDGET, 700_000, 300_000, 100_000, 1):
        cuts, left_out = cut(layers, None, budget)
        assert len(cuts) + len(left_out) == 4
        assert sum(part.bytes for part in cuts) <= budget or len(cuts) == 1
        seen.append((len(cuts[0].images), max(part.maps for part in cuts), len(cuts)))
    assert seen == sorted(seen, reverse=True) and len(set(seen)) == len(seen)
    assert seen[-1][2] == 1 and CHANNELS[-1] >= seen[-1][1]


def test_a_layer_that_runs_twice_has_a_gradient_for_each_call():
    tg.manual_seed(0)
    conv, rng = nn.Conv2d(2, 2, 3, padding=1), np.random.default_rng(5)
    x = tg.tensor(rng.standard_normal((2, 2, 4, 4)).astype(np.float32), requires_grad=True)
    with tg.viz.trace() as step:
        h = conv(x)
        ((conv(h) + h) * tg.tensor(rng.standard_normal((2, 2, 4, 4)).astype(np.float32))).sum().backward()
    first, second = (part.layer for part in tg.viz.microscope(step).cuts)
    assert second.name == f"{first.name} #2"
    both = first.filters.gradient + second.filters.gradient
    np.testing.assert_allclose(both, conv.weight.grad.numpy(), rtol=1e-5, atol=1e-5)
    for layer in (first, second):
        np.testing.assert_array_equal(layer.filters.whole, conv.weight.grad.numpy())
    assert (first.pixels.shared, second.pixels.shared) == (False, True)
    assert np.abs(first.windows.gradient - second.pixels.gradient).max() > 0.1


def test_a_loss_whose_graph_is_alive(lenet):
    rng = np.random.default_rng(2)
    w = tg.tensor(rng.standard_normal((2, 1, 3, 3)), requires_grad=True, name="w")
    loss = (tg.conv2d(tg.tensor(rng.standard_normal((2, 1, 5, 5))), w) ** 2).sum()
    layer = tg.viz.microscope(loss).cuts[0].layer
    assert w.grad is None
    loss.backward()
    np.testing.assert_array_equal(layer.filters.gradient, w.grad.numpy())


def test_a_forward_pass_alone_has_values():
    with tg.viz.trace() as step, tg.no_grad():
        tg.max_pool2d(tg.conv2d(tg.ones(1, 1, 6, 6), tg.ones(1, 1, 3, 3)), 2)
    conv, pool = tg.viz.microscope(step).cuts
    assert (conv.layer.windows.gradient, pool.layer.pixels.gradient) == (None, None)
    assert conv.layer.windows.values.shape == (1, 1, 4, 4)


def test_saving(lenet, tmp_path):
    scope = tg.viz.microscope(lenet[0], layers="conv1", images=[0])
    path = scope.save(tmp_path / "folder" / "conv.html")
    assert path.read_text(encoding="utf-8") == scope.html
    assert "sandbox=" in scope._repr_html_()
    assert re.findall(r"https?:[^\"]*", scope.html) == ["http://www.w3.org/2000/svg"], "no request to a network"
    with pytest.raises(ArgumentError, match=r"path must end in \.html or \.gif, got '\.png'"):
        scope.save("conv.png")


def test_what_is_refused(lenet):
    step = lenet[0]
    with pytest.raises(ArgumentError, match=r"got 'conv3'[\s\S]*some of conv1, max pooling, conv2"):
        tg.viz.microscope(step, layers="conv3")
    with pytest.raises(ArgumentError, match="layers must be names of layers"):
        tg.viz.microscope(step, layers=[])
    with pytest.raises(RangeError, match="images must be indices from 0 to 63, got 64"):
        tg.viz.microscope(step, images=[64])
    with pytest.raises(DTypeError, match="images must be integers, got True"):
        tg.viz.microscope(step, images=[True])
    with pytest.raises(ArgumentError, match="at least one image"):
        tg.viz.microscope(step, images=[])
    with tg.viz.trace() as other:
        tg.conv3d(tg.ones(1, 1, 3, 3, 3), tg.ones(1, 1, 2, 2, 2))
        tg.conv2d(tg.ones(0, 1, 3, 3), tg.ones(1, 1, 2, 2))
    with pytest.raises(GraphError, match="no convolution or pooling over signals or images"):
        tg.viz.microscope(other)
    with pytest.raises(DTypeError, match="output must be a tensor"):
        tg.viz.microscope(3)

"""The play of a layer: what windows have written and scattered after some of them, and the animated picture."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.viz.microscope.cut import Cut
from tensorgrad.viz.microscope.microscope import Microscope
from tensorgrad.viz.microscope.play import View


def scattered_by_hand(view, done):
    """What the first windows put into the pixels of the channel, tap by tap."""
    layer = view.layer
    pixels, windows = layer.pixels.values, layer.multiplied[1]
    per_map, per_channel = windows.shape[1] // layer.groups, pixels.shape[1] // layer.groups
    total, group = np.zeros(pixels.shape[2:]), view.channel // per_channel
    if layer.transposed:
        total += layer.filters.bias[view.channel]
    for window in range(done):
        place = divmod(window, windows.shape[3])
        taps = [axis.lengths[p] if axis.lengths else axis.taps for axis, p in zip(layer.axes, place, strict=True)]
        for tap in np.ndindex(*taps):
            pixel = tuple(a.starts[p] + t * a.dilation for a, p, t in zip(layer.axes, place, tap, strict=True))
            if not all(0 <= r < n for r, n in zip(pixel, pixels.shape[2:], strict=True)):
                continue
            for map in range(group * per_map, (group + 1) * per_map):
                number = float(windows[(view.image, map, *place)])
                if layer.filters is not None:
                    factor = float(layer.filters.weights[(map, view.channel % per_channel, *tap)])
                elif layer.chosen is not None:
                    factor = layer.chosen[(view.image, map, *place)] == pixel[0] * pixels.shape[3] + pixel[1]
                else:
                    factor = layer.shares[place]
                total[pixel] += factor * number
    return total


def test_windows_write_the_result_and_scatter_the_gradient(layers):
    for name, layer in layers.items():
        view = View.strongest(layer, 1)
        gathers, scatters = ("backward", "forward") if layer.transposed else ("forward", "backward")
        written = "window_gradient" if layer.transposed else "windows"
        recorded = (layer.windows.gradient if layer.transposed else layer.windows.values)[1, view.map]
        into = "pixels" if layer.transposed else "pixel_gradient"
        for done in (0, view.count // 2, view.count):
            plane = view.planes(gathers, done)[written]
            np.testing.assert_array_equal(plane.ravel()[:done], recorded.ravel()[:done])
            assert np.isnan(plane.ravel()[done:]).all()
            found = view.planes(scatters, done)[into]
            np.testing.assert_allclose(found, scattered_by_hand(view, done), rtol=1e-9, atol=1e-9, err_msg=name)
        arrived = (layer.pixels.values if layer.transposed else layer.pixels.gradient)[1, view.channel]
        np.testing.assert_allclose(found, arrived, rtol=1e-4, atol=1e-5, err_msg=name)
        others = {"pixels", "windows", "pixel_gradient", "window_gradient"} - {written}
        assert all(np.isfinite(view.planes(gathers, 1)[other]).all() for other in others)


def test_the_view_shows_the_channel_with_the_largest_gradient(layers):
    layer = layers["grouped"]
    view = View.strongest(layer, 2)
    assert view.map == np.abs(layer.windows.gradient[2]).sum((1, 2)).argmax()
    seen = range(view.map // 2 * 3, view.map // 2 * 3 + 3)
    assert view.channel == max(seen, key=lambda c: np.abs(layer.pixels.values[2, c]).sum())
    np.testing.assert_array_equal(view.filter, layer.filters.weights[view.map, view.channel % 3])
    assert View.strongest(layers["max"], 0).filter is None


@pytest.mark.parametrize("name", ["strided", "up", "signal", "avg_global"])
def test_the_animated_picture(layers, tmp_path, name):
    pillow = pytest.importorskip("PIL.Image")
    layer = layers[name]
    path = Microscope((Cut.of(layer, (1,), 3),)).save(tmp_path / "play.gif")
    picture = pillow.open(path)
    count = View.strongest(layer, 1).count
    frames = [picture.convert("RGB").tobytes() for k in range(picture.n_frames) if not picture.seek(k)]
    assert len(frames) == 2 * count and len(set(frames)) == len(frames)
    shown = [picture.info["duration"] for k in range(picture.n_frames) if not picture.seek(k)]
    assert shown.count(max(shown)) == 2 or count == 1


def test_without_gradients_the_picture_goes_forward_alone(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    with tg.viz.trace() as step, tg.no_grad():
        tg.conv2d(tg.arange(16.0).reshape(1, 1, 4, 4), tg.ones(1, 1, 3, 3))
    assert pillow.open(tg.viz.microscope(step).save(tmp_path / "play.gif")).n_frames == 4

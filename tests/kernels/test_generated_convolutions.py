"""Generated convolutions of all kinds against sums in float64, under a random upstream gradient."""

from functools import cache

import numpy as np
import pytest

from tensorgrad.kernels import fallback
from tensorgrad.kernels.conv import convolution, taps
from tensorgrad.kernels.conv.direct import correlate
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.cache import _NoCache
from tensorgrad.windows import Window, convolution_shapes

# Of each kind: groups, channels in a group, filters in a group, sides of the filter, strides and dilations.
KINDS = {
    "depthwise": ((2, 5), (1, 1), (1, 2), (1, 7), (1, 3), (1, 3)),
    "depthwise 3×3": ((2, 20), (1, 1), (1, 1), (3, 3), (1, 2), (1, 1)),
    "groups of few channels": ((2, 4), (1, 4), (1, 6), (1, 4), (1, 3), (1, 2)),
    "one pixel": ((1, 2), (1, 20), (1, 20), (1, 1), (1, 3), (1, 1)),
    "strided": ((1, 1), (1, 9), (1, 9), (1, 5), (2, 4), (1, 1)),
    "dilated": ((1, 1), (1, 9), (1, 9), (2, 3), (1, 2), (2, 4)),
    "dilated, many channels": ((1, 1), (16, 18), (16, 18), (3, 3), (1, 1), (2, 3)),
    "many channels": ((1, 1), (14, 20), (14, 20), (1, 3), (1, 2), (1, 1)),
}


def draw(kind, rng):
    """A window, and x, w, bias and upstream gradient for it."""
    groups, channels, filters = (rng.integers(low, high, endpoint=True) for low, high in KINDS[kind][:3])
    kernel, stride, dilation = (
        tuple(int(n) for n in rng.integers(low, high, 2, endpoint=True)) for low, high in KINDS[kind][3:]
    )
    padding = tuple(tuple(int(n) for n in rng.integers(0, 4, 2)) for _ in range(2))
    if kind == "one pixel" and rng.random() < 0.5:  # then nothing is packed, at stride 1
        padding = ((0, 0), (0, 0))
    size = []
    for k, d, pads in zip(kernel, dilation, padding, strict=True):
        least, more = max(1, d * (k - 1) + 1 - sum(pads)), rng.integers(0, rng.choice([3, 10, 36]))
        size.append(int(least + more))
    if rng.random() < 0.15:  # a signal
        size[0], padding, kernel = 1, ((0, 0), padding[1]), (1, kernel[1])
    window = Window.fitting("conv2d", tuple(size), kernel, stride, padding, dilation, int(groups))
    count, dtype = int(rng.integers(1, 14)), rng.choice([np.float32, np.float64])
    shapes = [
        (count, groups * channels, *size),
        (groups * filters, channels, *kernel),
        (groups * filters,),
        (count, groups * filters, *window.output),
    ]
    return window, [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def results(window, x, w, bias, g):
    return {
        "forward": convolution.forward(x, w, bias, window),
        "grad_input": convolution.grad_input(g, w, window),
        "grad_weight": convolution.grad_weight(x, g, window),
    }


def references(window, x, w, bias, g):
    moves = window.stride, window.padding, window.dilation, window.groups
    return {
        "forward": fallback.conv_forward(x, w, bias, *moves),
        "grad_input": fallback.conv_grad_input(g, w, window.size, *moves),
        "grad_weight": fallback.conv_grad_weight(x, g, window.kernel, *moves),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_generated_convolutions_are_the_sums_they_state(kind):
    rng = np.random.default_rng(list(KINDS).index(kind))
    for _ in range(40):
        window, arrays = draw(kind, rng)
        ours = results(window, *arrays)
        wide = [array.astype(np.float64) for array in arrays]
        expected, scale = references(window, *wide), references(window, *map(np.abs, wide))
        for name, found in ours.items():
            assert found.shape == expected[name].shape and found.dtype == arrays[0].dtype
            error = np.abs(found - expected[name])
            assert (error <= 8 * np.finfo(found.dtype).eps * scale[name]).all(), (name, window, len(arrays[0]))


@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_infinity_reach_what_they_reach_in_the_sums(kind):
    rng = np.random.default_rng(100 + list(KINDS).index(kind))
    for _ in range(12):
        window, arrays = draw(kind, rng)
        arrays = [array.astype(np.float64) for array in arrays]
        poisoned = arrays[rng.choice([0, 1, 3])]
        poisoned.reshape(-1)[rng.integers(poisoned.size, size=2)] = rng.choice([np.nan, np.inf, -np.inf], 2)
        with np.errstate(invalid="ignore"):
            ours, expected = results(window, *arrays), references(window, *arrays)
        for name, found in ours.items():
            np.testing.assert_allclose(found, expected[name], rtol=1e-10, atol=1e-10, err_msg=f"{name}, {window}")


@cache
def kernel_with_panels():
    """The kernel, not yet compiled: that of a host without panels has no code for them. The files' cache can't tell."""
    kernel = dispatch.kernel(correlate.correlate_kernel.py_func)
    kernel._cache = _NoCache()
    return kernel


@pytest.mark.parametrize("kind", KINDS)
def test_panels_give_the_bits_of_factors_read_where_they_lie(kind, monkeypatch):
    """Which of the two a host takes follows from its registers: here both are, one after the other."""
    rng = np.random.default_rng(200 + list(KINDS).index(kind))
    draws, found, panels = [draw(kind, rng) for _ in range(25)], [], 0
    if kind == "many channels":  # more panels than a cache holds
        window = Window.fitting("conv2d", (9, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
        shapes = (2, 140, 9, 9), (64, 140, 3, 3), (64,), (2, 64, 9, 9)
        draws.append((window, [rng.standard_normal(shape).astype(np.float32) for shape in shapes]))
    for way in (False, True):
        monkeypatch.setattr(taps, "PANELS", way)
        if way:
            monkeypatch.setattr(correlate, "PANELS", True)
            monkeypatch.setattr(correlate, "correlate_kernel", kernel_with_panels())
        monkeypatch.setattr(taps, "DOWN", 1)
        monkeypatch.setattr(taps, "ACROSS", 1)
        for window, (x, w, bias, g) in draws:
            shapes = convolution_shapes("conv2d", window, x=x.shape, w=w.shape)
            total = taps.forward_sum(window, shapes, x.itemsize, 2)
            y = np.full(total.shape, np.nan, x.dtype)
            correlate.correlate(x, w, bias, total, y)
            found.append(y)
            for _, part in taps.grad_input_sums(window, shapes, x.itemsize, 2):
                z = np.full(part.shape, np.nan, x.dtype)
                correlate.correlate(g, w, np.zeros(x.shape[1], x.dtype), part, z)
                found.append(z)
            panels += total.panels > 0
    assert panels == len(draws) and not any(np.isnan(y).any() for y in found)
    half = len(found) // 2
    for one, other in zip(found[:half], found[half:], strict=True):
        np.testing.assert_array_equal(one, other)

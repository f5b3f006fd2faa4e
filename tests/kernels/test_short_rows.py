"""Depthwise convolution of a single image whose rows fill a part of a vector."""

import numpy as np
import pytest

from tensorgrad.kernels import fallback
from tensorgrad.kernels.conv import convolution
from tensorgrad.kernels.conv.groups import depthwise, plans, short_rows
from tensorgrad.kernels.simd import emitter
from tensorgrad.windows import Window

# Size, kernel, padding, dilation, groups, channels and filters in a group.
LAYERS = {
    "3×3": ((25, 5), (3, 3), ((1, 1), (1, 1)), (1, 1), 11, 1, 1),
    "5×5": ((7, 7), (5, 5), ((2, 2), (2, 2)), (1, 1), 5, 1, 1),
    "10×1, many strips": ((13, 3), (10, 1), ((4, 5), (0, 0)), (1, 1), 3, 1, 1),
    "dilation": ((9, 8), (3, 3), ((2, 0), (2, 2)), (2, 2), 4, 1, 1),
    "columns beyond both ends": ((6, 4), (2, 6), ((0, 1), (0, 5)), (1, 1), 4, 1, 1),
    "rows of one pixel": ((40, 1), (3, 1), ((1, 1), (0, 0)), (1, 1), 4, 1, 1),
    "padding beyond the kernel": ((3, 3), (2, 3), ((4, 3), (1, 1)), (1, 1), 4, 1, 1),
    "two channels and three filters in a group": ((8, 8), (3, 3), ((1, 1), (1, 1)), (1, 1), 5, 2, 3),
    "more planes than are copied at a time": ((8, 8), (3, 3), ((1, 1), (1, 1)), (1, 1), 90, 1, 1),
}
EVERY_LAYER = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def draw(layer, dtype, seed=0):
    size, kernel, padding, dilation, groups, channels, filters = layer
    size = size[0], min(size[1], emitter.lanes(dtype) // 2)
    window = Window.fitting("conv2d", size, kernel, (1, 1), padding, dilation, groups)
    rng = np.random.default_rng(seed)
    shapes = (1, groups * channels, *size), (groups * filters, channels, *kernel), (groups * filters,)
    return window, *[rng.standard_normal(shape).astype(dtype) for shape in shapes]


def moves(window):
    return window.stride, window.padding, window.dilation, window.groups


@EVERY_LAYER
@FLOATS
def test_sums_are_those_in_float64(layer, dtype):
    window, x, w, bias = draw(layer, dtype)
    assert short_rows.forward_plan(x.shape, w.shape, window, x.itemsize) is not None
    expected = fallback.conv_forward(x.astype(float), w.astype(float), bias.astype(float), *moves(window))
    found = convolution.forward(x, w, bias, window)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@EVERY_LAYER
def test_bits_are_those_of_the_rows_one_by_one(layer):
    window, x, w, bias = draw(layer, np.float32, seed=1)
    rows = depthwise._correlate(x, w, bias, plans.forward_plan(x.shape, w.shape, window, x.itemsize))
    np.testing.assert_array_equal(convolution.forward(x, w, bias, window), rows)


def test_a_nan_at_the_end_of_a_row_stays_within_the_windows_that_meet_it():
    window, x, w, bias = draw(LAYERS["3×3"], np.float32, seed=2)
    end = x.shape[3] - 1
    for place in ((0, 4, 24, end), (0, 4, 7, 0), (0, 10, 24, end)):
        spoiled = x.copy()
        spoiled[place] = np.nan
        met = np.zeros(x.shape, bool)
        _, c, p, q = place
        met[0, c, max(0, p - 1) : p + 2, max(0, q - 1) : q + 2] = True
        np.testing.assert_array_equal(np.isnan(convolution.forward(spoiled, w, bias, window)), met)


def test_only_rows_of_half_a_vector_at_stride_1_of_one_image_go_this_way():
    def served(count, width, stride=1, pad=1):
        window = Window.fitting("conv2d", (9, width), (3, 3), (stride, stride), ((pad, pad), (pad, pad)), (1, 1), 4)
        return short_rows.forward_plan((count, 4, 9, width), (4, 1, 3, 3), window, 4) is not None

    half = emitter.lanes(np.float32) // 2
    assert served(1, half)
    assert not (served(1, half + 1) or served(2, half) or served(1, half, stride=2) or served(1, half, pad=0))

"""What the kernels compute, by definition: one output element after the other, in plain Python.

Slow, and easy to check. Neither a kernel nor a fallback is made of these, so both are held to them.
"""

import itertools
import math

import numpy as np


def taps(window, position):
    """The pixels (h, w) that the window of `position` meets, each with its tap; the padding has none."""
    for tap in np.ndindex(*window.kernel):
        pixel = tuple(
            p * s + t * d - before
            for p, s, t, d, (before, _) in zip(
                position, window.stride, tap, window.dilation, window.padding, strict=True
            )
        )
        if all(0 <= h < size for h, size in zip(pixel, window.size, strict=True)):
            yield tap, pixel


def connections(window, channels, filters):
    """(filter k, channel of the filter c, channel of the image) that a grouped convolution joins."""
    inside, each = channels // window.groups, filters // window.groups
    for k, c in itertools.product(range(filters), range(inside)):
        yield k, c, k // each * inside + c


def convolution(x, w, bias, window):
    """y[n, k, p] = bias[k] + Σ over channels and taps of w[k, c, tap] · x[n, channel, pixel]."""
    y = np.zeros((len(x), len(w), *window.output)) + (0 if bias is None else bias[:, None, None])
    for n, position in itertools.product(range(len(x)), np.ndindex(*window.output)):
        for tap, pixel in taps(window, position):
            for k, c, channel in connections(window, x.shape[1], len(w)):
                y[(n, k, *position)] += w[(k, c, *tap)] * x[(n, channel, *pixel)]
    return y


def convolution_gradients(x, w, g, window):
    """dx and dw of Σ g · y: each product of the convolution hands g on to both of its factors."""
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for n, position in itertools.product(range(len(x)), np.ndindex(*window.output)):
        for tap, pixel in taps(window, position):
            for k, c, channel in connections(window, x.shape[1], len(w)):
                dx[(n, channel, *pixel)] += w[(k, c, *tap)] * g[(n, k, *position)]
                dw[(k, c, *tap)] += x[(n, channel, *pixel)] * g[(n, k, *position)]
    return dx, dw


def max_pooling(x, window):
    """The largest pixel of each window and its place h · W + w: the first of equal ones; the first NaN beats all."""
    y, places = np.zeros((*x.shape[:2], *window.output)), np.zeros((*x.shape[:2], *window.output), np.int32)
    for n, c, *position in np.ndindex(*y.shape):
        best = None
        for _, (h, v) in taps(window, position):
            value = x[n, c, h, v]
            if best is None or (not math.isnan(best[0]) and (math.isnan(value) or value > best[0])):
                best = value, h * x.shape[3] + v
        y[(n, c, *position)], places[(n, c, *position)] = best
    return y, places


def divisor(window, position, count_include_pad, given):
    """What the sum of a window is divided by: `given`, its pixels, or its pixels and those of the padding."""
    if given is not None:
        return given
    if not count_include_pad:
        return len(list(taps(window, position)))
    counted = 1
    for p, k, s, (before, after), size in zip(
        position, window.kernel, window.stride, window.padding, window.size, strict=True
    ):
        start = p * s - before
        counted *= min(start + k, size + after) - start  # in ceil mode a window may reach beyond the padding
    return counted


def average_pooling(x, window, count_include_pad, given):
    """The sum of each window's pixels over its divisor."""
    y = np.zeros((*x.shape[:2], *window.output))
    for n, c, *position in np.ndindex(*y.shape):
        total = sum(x[(n, c, *pixel)] for _, pixel in taps(window, position))
        y[(n, c, *position)] = total / divisor(window, position, count_include_pad, given)
    return y


def average_pooling_gradient(g, window, count_include_pad, given):
    """Each gradient over its window's divisor, added to the window's pixels."""
    dx = np.zeros((*g.shape[:2], *window.size))
    for n, c, *position in np.ndindex(*g.shape):
        for _, pixel in taps(window, position):
            dx[(n, c, *pixel)] += g[(n, c, *position)] / divisor(window, position, count_include_pad, given)
    return dx


def softmax(row):
    """e^x / Σ e^x of a list of numbers, in exact sums."""
    powers = [math.exp(x - max(row)) for x in row]
    return [power / math.fsum(powers) for power in powers]


def cross_entropy(row, label):
    """−ln softmax(x)[label]."""
    return -math.log(softmax(row)[label])

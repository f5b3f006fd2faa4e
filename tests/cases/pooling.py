"""Rows of tensorgrad/ops/pooling.py."""

import itertools
import math

import numpy as np

import tensorgrad as tg
from cases.table import Row, apart, bad, normal, sample


def windows_by_hand(x, rank, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Per output position, per axis: the places of its window as they would be in an endless image."""
    kernel, padding, dilation = (np.broadcast_to(v, rank).tolist() for v in (kernel_size, padding, dilation))
    stride = kernel if stride is None else np.broadcast_to(stride, rank).tolist()
    axes = []
    for n, k, s, p, d in zip(x.shape[-rank:], kernel, stride, padding, dilation, strict=True):
        count = (math.ceil if ceil_mode else math.floor)((n + 2 * p - d * (k - 1) - 1) / s) + 1
        # A window that starts in the padding behind the image doesn't count.
        starts = [i * s - p for i in range(count) if i * s - p < n + (0 if ceil_mode else p)]
        axes.append([[start + d * j for j in range(k)] for start in starts])
    return axes


def max_pool_by_hand(rank):
    def reference(x, **params):
        axes = windows_by_hand(x, rank, **params)
        z = np.empty((*x.shape[:-rank], *map(len, axes)))
        for at in np.ndindex(*map(len, axes)):
            inside = [[i for i in axes[a][p] if 0 <= i < x.shape[a - rank]] for a, p in enumerate(at)]
            pixels = [x[(..., *place)] for place in itertools.product(*inside)]
            z[(..., *at)] = np.max(np.stack(pixels), 0)
        return z

    return reference


def avg_pool_by_hand(rank):
    def reference(x, count_include_pad=True, divisor_override=None, padding=0, **params):
        axes = windows_by_hand(x, rank, padding=padding, **params)
        frame = np.broadcast_to(padding, rank).tolist()
        z = np.empty((*x.shape[:-rank], *map(len, axes)))
        for at in np.ndindex(*map(len, axes)):
            places = list(itertools.product(*(axes[a][p] for a, p in enumerate(at))))
            sizes = x.shape[-rank:]
            real = [q for q in places if all(0 <= i < n for i, n in zip(q, sizes, strict=True))]
            framed = [q for q in places if all(-p <= i < n + p for i, n, p in zip(q, sizes, frame, strict=True))]
            divisor = divisor_override or len(framed if count_include_pad else real)
            z[(..., *at)] = sum(x[(..., *q)] for q in real) / divisor
        return z

    return reference


def adaptive_by_hand(rank):
    def reference(x, output_size):
        for axis, m in enumerate(np.broadcast_to(output_size, rank).tolist(), x.ndim - rank):
            n = x.shape[axis]
            parts = [np.take(x, range(i * n // m, -(-(i + 1) * n // m)), axis).mean(axis) for i in range(m)]
            x = np.stack(parts, axis)
        return x

    return reference


def errors(function, x):
    name = function.__name__
    return [
        bad(lambda: function(x[0, 0, 0] if x.ndim == 4 else x[0, 0], 2), tg.ShapeError, name, "number of axes"),
        bad(lambda: function(x, 9), tg.ShapeError, name, "doesn't fit"),
        bad(lambda: function(x, 0), tg.ArgumentError, name, "kernel_size", "at least 1"),
        bad(lambda: function(x, 2.0), tg.DTypeError, name, "kernel_size", "whole numbers"),
        bad(lambda: function(x, 2, stride=0), tg.ArgumentError, name, "stride"),
        bad(lambda: function(x, 2, padding=2), tg.ArgumentError, name, "padding must be at most half the kernel"),
        bad(lambda: function(x, 2, padding=-1), tg.ArgumentError, name, "padding"),
        bad(lambda: function(x, (2, 2, 2)), tg.ArgumentError, name, "3 entries"),
        bad(lambda: function(x[..., :0], 1), tg.ShapeError, name),
        bad(lambda: function(x.astype("float16"), 2), tg.DTypeError, name, "float16"),
    ]


def adaptive_errors(function, x):
    name = function.__name__
    return [
        bad(lambda: function(x, 0), tg.ArgumentError, name, "output_size", "at least 1"),
        bad(lambda: function(x, (1, 1, 1)), tg.ArgumentError, name, "3 entries"),
        bad(lambda: function(x[..., :0], 1), tg.ShapeError, name, "x must have at least one pixel"),
        bad(lambda: function(tg.zeros(2), 1), tg.ShapeError, name, "number of axes"),
    ]


TIED = np.array([[[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]]])
BOTTOM = np.full((1, 1, 3, 3), -np.inf)

ROWS = [
    Row(
        "max_pool1d",
        tg.max_pool1d,
        max_pool_by_hand(1),
        "nn.functional.max_pool1d",
        [
            sample((1, 1, 4), kernel_size=2),
            sample((2, 2, 7), kernel_size=3, stride=2),
            sample((1, 2, 6), kernel_size=3, stride=2, padding=1),
            sample((1, 1, 7), kernel_size=2, stride=3, dilation=2),
            sample((1, 1, 6), kernel_size=3, stride=2, ceil_mode=True),
            sample((2, 5), kernel_size=2, stride=1),
            sample((0, 2, 5), kernel_size=2),
        ],
        domains=(apart,),
        float16=False,
        integers="float",
        errors=errors(tg.max_pool1d, tg.zeros(2, 3, 6)),
    ),
    Row(
        "max_pool2d",
        tg.max_pool2d,
        max_pool_by_hand(2),
        "nn.functional.max_pool2d",
        [
            sample((1, 1, 4, 4), kernel_size=2),
            sample((2, 2, 5, 6), kernel_size=(2, 3), stride=(1, 2)),
            sample((1, 1, 5, 5), kernel_size=3, stride=2, padding=1),
            sample((1, 1, 4, 6), kernel_size=(2, 3), padding=(1, 0)),
            sample((1, 1, 6, 7), kernel_size=2, stride=2, dilation=(1, 3)),
            sample((1, 2, 5, 4), kernel_size=2, stride=3, ceil_mode=True),
            sample((1, 1, 5, 6), kernel_size=3, stride=2, padding=1, ceil_mode=True),
            sample((2, 4, 4), kernel_size=2, stride=1),
            sample((0, 1, 4, 4), kernel_size=2),
            sample(TIED, kernel_size=2, stride=1, smooth=False),
            sample(BOTTOM, kernel_size=2, stride=1, padding=1, smooth=False),
        ],
        domains=(apart,),
        float16=False,
        integers="float",
        errors=errors(tg.max_pool2d, tg.zeros(2, 3, 6, 6)),
    ),
    Row(
        "avg_pool1d",
        tg.avg_pool1d,
        avg_pool_by_hand(1),
        "nn.functional.avg_pool1d",
        [
            sample((1, 1, 4), kernel_size=2),
            sample((2, 2, 7), kernel_size=3, stride=2),
            sample((1, 2, 6), kernel_size=3, stride=2, padding=1),
            sample((1, 2, 6), kernel_size=3, stride=2, padding=1, count_include_pad=False),
            sample((1, 1, 6), kernel_size=3, stride=2, padding=1, ceil_mode=True),
            sample((2, 5), kernel_size=2, stride=1),
            sample((0, 2, 5), kernel_size=2),
        ],
        domains=(normal,),
        float16=False,
        integers="float",
        errors=errors(tg.avg_pool1d, tg.zeros(2, 3, 6)),
    ),
    Row(
        "avg_pool2d",
        tg.avg_pool2d,
        avg_pool_by_hand(2),
        "nn.functional.avg_pool2d",
        [
            sample((1, 1, 4, 4), kernel_size=2),
            sample((2, 2, 5, 6), kernel_size=(2, 3), stride=(1, 2)),
            sample((1, 1, 5, 5), kernel_size=3, stride=2, padding=1),
            sample((1, 1, 5, 5), kernel_size=3, stride=2, padding=1, count_include_pad=False),
            sample((1, 1, 4, 6), kernel_size=(2, 3), padding=(1, 0)),
            sample((1, 2, 5, 4), kernel_size=2, stride=3, ceil_mode=True),
            sample((1, 1, 6, 5), kernel_size=3, stride=2, padding=1, ceil_mode=True),
            sample((1, 1, 6, 5), kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
            sample((1, 1, 4, 4), kernel_size=2, padding=1, divisor_override=3),
            sample((2, 4, 4), kernel_size=2, stride=1),
            sample((0, 1, 4, 4), kernel_size=2),
        ],
        domains=(normal,),
        float16=False,
        integers="float",
        errors=errors(tg.avg_pool2d, tg.zeros(2, 3, 6, 6)),
    ),
    Row(
        "adaptive_avg_pool1d",
        tg.adaptive_avg_pool1d,
        adaptive_by_hand(1),
        "nn.functional.adaptive_avg_pool1d",
        [
            sample((1, 1, 6), output_size=3),
            sample((2, 2, 7), output_size=3),
            sample((1, 2, 2), output_size=5),
            sample((2, 5), output_size=1),
            sample((0, 2, 5), output_size=2),
        ],
        special=False,
        integers="float",
        errors=adaptive_errors(tg.adaptive_avg_pool1d, tg.zeros(2, 3, 6)),
    ),
    Row(
        "adaptive_avg_pool2d",
        tg.adaptive_avg_pool2d,
        adaptive_by_hand(2),
        "nn.functional.adaptive_avg_pool2d",
        [
            sample((1, 1, 4, 4), output_size=2),
            sample((2, 2, 5, 3), output_size=(2, 1)),
            sample((1, 1, 3, 4), output_size=(3, 3)),
            sample((1, 2, 2, 2), output_size=3),
            sample((2, 4, 3), output_size=1),
            sample((0, 1, 4, 4), output_size=2),
        ],
        special=False,
        integers="float",
        errors=adaptive_errors(tg.adaptive_avg_pool2d, tg.zeros(2, 3, 6, 6)),
    ),
]

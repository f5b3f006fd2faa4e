"""Rows of tensorgrad/ops/convolution.py."""

import itertools

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, sample


def convolve_by_hand(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """The formula of `conv2d` read aloud, for any number of spatial axes: one loop over the outputs."""
    rank = w.ndim - 2
    if x.ndim == rank + 1:
        return convolve_by_hand(x[None], w, b, stride, padding, dilation, groups)[0]
    stride, dilation = (np.broadcast_to(v, rank).tolist() for v in (stride, dilation))
    extents = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
    if padding == "same":
        frame = [(e // 2, e - e // 2) for e in extents]
    else:
        frame = [(int(p), int(p)) for p in np.broadcast_to(0 if padding == "valid" else padding, rank)]
    x = np.pad(x, [(0, 0), (0, 0), *frame])
    sizes = [(n - e - 1) // s + 1 for n, e, s in zip(x.shape[2:], extents, stride, strict=True)]
    z = np.zeros((x.shape[0], w.shape[0], *sizes))
    channels, filters = w.shape[1], w.shape[0] // groups
    for k in range(w.shape[0]):
        group = x[:, k // filters * channels : (k // filters + 1) * channels]
        for at in itertools.product(*map(range, sizes)):
            window = tuple(
                slice(p * s, p * s + e + 1, d) for p, s, e, d in zip(at, stride, extents, dilation, strict=True)
            )
            z[(slice(None), k, *at)] = (group[(..., *window)] * w[k]).sum(tuple(range(1, x.ndim))) + (
                0 if b is None else b[k]
            )
    return z


def errors(function, x, w):
    """The bad calls that both ranks refuse: x has 3 channels, w takes 3."""
    name, rank = function.__name__, w.ndim - 2
    big = tg.zeros(1, 3, *(9,) * rank)
    shapes = (name, f"x: {x.shape}", f"weight: {w.shape}")
    return [
        bad(lambda: function(x[:, :2], w), tg.ShapeError, name, "x has 2 channels", "weight"),
        bad(lambda: function(x, w, groups=2), tg.ShapeError, *shapes, "groups: 2"),
        bad(lambda: function(x, w, groups=0), tg.ArgumentError, name, "groups"),
        bad(lambda: function(x[0, 0], w), tg.ShapeError, name, "number of axes"),
        bad(lambda: function(x, w[0]), tg.ShapeError, name, "number of axes"),
        bad(lambda: function(x, big), tg.ShapeError, name, "doesn't fit", "less dilation or more padding"),
        bad(lambda: function(x, w, dilation=9), tg.ShapeError, name, "doesn't fit"),
        bad(lambda: function(x, w, stride=0), tg.ArgumentError, name, "stride", "at least 1"),
        bad(lambda: function(x, w, stride=1.5), tg.DTypeError, name, "stride", "whole numbers"),
        bad(lambda: function(x, w, stride=(1,) * 4), tg.ArgumentError, name, "stride has 4 entries"),
        bad(lambda: function(x, w, padding=-1), tg.ArgumentError, name, "padding"),
        bad(lambda: function(x, w, padding="half"), tg.ArgumentError, name, "'half'"),
        bad(lambda: function(x, w, padding="same", stride=2), tg.ArgumentError, name, "stride 1"),
        bad(lambda: function(x, w, tg.zeros(w.shape[0] + 1)), tg.ShapeError, name, "one bias per filter"),
        bad(lambda: function(x.astype("float16"), w.astype("float16")), tg.DTypeError, name, "float16"),
    ]


ROWS = [
    Row(
        "conv1d",
        tg.conv1d,
        convolve_by_hand,
        "nn.functional.conv1d",
        [
            sample((1, 1, 5), (1, 1, 3)),
            sample((2, 2, 6), (3, 2, 3), (3,)),
            sample((2, 2, 7), (2, 2, 3), stride=2),
            sample((1, 2, 5), (2, 2, 2), (2,), padding=1),
            sample((1, 2, 5), (2, 2, 4), padding="same"),
            sample((1, 1, 7), (1, 1, 3), padding="valid", dilation=2),
            sample((1, 2, 6), (4, 1, 3), (4,), groups=2, padding=1, stride=2),
            sample((2, 5), (3, 2, 3), (3,)),
            sample((0, 2, 5), (3, 2, 3), (3,)),
        ],
        float16=False,
        errors=errors(tg.conv1d, tg.zeros(2, 3, 5), tg.zeros(4, 3, 3)),
    ),
    Row(
        "conv2d",
        tg.conv2d,
        convolve_by_hand,
        "nn.functional.conv2d",
        [
            sample((1, 1, 3, 3), (1, 1, 3, 3)),
            sample((1, 1, 4, 4), (1, 1, 1, 1), (1,)),
            sample((2, 2, 4, 3), (3, 2, 3, 2), (3,)),
            sample((1, 2, 5, 6), (2, 2, 3, 3), stride=2, padding=1),
            sample((1, 1, 6, 5), (2, 1, 2, 3), (2,), stride=(1, 2), padding=(2, 0)),
            sample((1, 1, 5, 4), (1, 1, 3, 2), padding="same"),
            sample((1, 1, 5, 5), (1, 1, 2, 4), padding="same", dilation=(2, 1)),
            sample((1, 1, 6, 5), (1, 1, 2, 2), padding="valid", dilation=(3, 2), stride=2),
            sample((1, 4, 4, 3), (2, 2, 2, 2), (2,), groups=2),
            sample((1, 3, 3, 3), (6, 1, 2, 2), groups=3, padding=1, stride=2),
            sample((2, 4, 4), (3, 2, 2, 2), (3,)),
            sample((0, 2, 4, 4), (3, 2, 3, 3), (3,)),
            sample((1, 1, 6, 7), (1, 1, 2, 2), stride=3),
        ],
        float16=False,
        errors=errors(tg.conv2d, tg.zeros(2, 3, 5, 5), tg.zeros(4, 3, 3, 3)),
    ),
    Row(
        "conv3d",
        tg.conv3d,
        convolve_by_hand,
        "nn.functional.conv3d",
        [
            sample((1, 1, 3, 3, 3), (1, 1, 3, 3, 3)),
            sample((2, 2, 3, 4, 3), (3, 2, 2, 3, 2), (3,)),
            sample((1, 2, 4, 3, 5), (2, 2, 3, 3, 3), stride=2, padding=1),
            sample((1, 1, 5, 3, 4), (2, 1, 2, 2, 3), (2,), stride=(3, 1, 2), padding=(2, 0, 1)),
            sample((1, 1, 4, 3, 3), (1, 1, 2, 3, 2), padding="same", dilation=(2, 1, 1)),
            sample((1, 4, 2, 3, 2), (2, 2, 2, 2, 1), (2,), groups=2, padding="valid"),
            sample((2, 2, 3, 3), (1, 2, 2, 2, 2), (1,)),
            sample((0, 1, 3, 3, 3), (2, 1, 2, 2, 2), (2,)),
        ],
        float16=False,
        errors=errors(tg.conv3d, tg.zeros(2, 3, 5, 5, 5), tg.zeros(4, 3, 3, 3, 3)),
    ),
]

"""Rows of tensorgrad/ops/images/transposed.py."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, sample


def transposed_by_hand(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Each pixel of x puts a filter, scaled by it, onto a sheet; the sheet is then cut."""
    rank = w.ndim - 2
    if x.ndim == rank + 1:
        return transposed_by_hand(x[None], w, b, stride, padding, output_padding, groups, dilation)[0]
    stride, padding, extra, dilation = (
        np.broadcast_to(v, rank).tolist() for v in (stride, padding, output_padding, dilation)
    )
    filters, inside = w.shape[1], x.shape[1] // groups
    whole = [
        (n - 1) * s + d * (k - 1) + 1 + e
        for n, s, d, k, e in zip(x.shape[2:], stride, dilation, w.shape[2:], extra, strict=True)
    ]
    sheet = np.zeros((len(x), filters * groups, *whole))
    for at in np.ndindex(*x.shape[2:]):
        under = tuple(
            slice(p * s, p * s + d * (k - 1) + 1, d)
            for p, s, d, k in zip(at, stride, dilation, w.shape[2:], strict=True)
        )
        for c in range(x.shape[1]):
            group = slice(c // inside * filters, (c // inside + 1) * filters)
            pixel = x[(slice(None), c, *at)].reshape(-1, *[1] * (rank + 1))
            sheet[(slice(None), group, *under)] += pixel * w[c]
    cut = tuple(slice(p, n - p) for p, n in zip(padding, whole, strict=True))
    z = sheet[(..., *cut)]
    return z if b is None else z + b.reshape(-1, *[1] * rank)


def errors(function, x, w):
    """The bad calls that all ranks refuse: x has 4 channels, w gives 3."""
    name, rank = function.__name__, w.ndim - 2
    return [
        bad(lambda: function(x[:, :2], w), tg.ShapeError, name, "input has 2 channels", "weight"),
        bad(lambda: function(x, w, groups=3), tg.ShapeError, name, "groups: 3"),
        bad(lambda: function(x, w, groups=0), tg.ArgumentError, name, "groups"),
        bad(lambda: function(x[0, 0], w), tg.ShapeError, name, "number of axes"),
        bad(lambda: function(x, w[0]), tg.ShapeError, name, "number of axes"),
        bad(lambda: function(x, w[..., :0]), tg.ShapeError, name, "empty"),
        bad(lambda: function(x[..., :0], w), tg.ShapeError, name, "at least one pixel"),
        bad(lambda: function(x, w, padding=9), tg.ShapeError, name, "use less padding"),
        bad(lambda: function(x, w, padding="same"), tg.ArgumentError, name, "padding"),
        bad(lambda: function(x, w, stride=0), tg.ArgumentError, name, "stride", "at least 1"),
        bad(lambda: function(x, w, stride=(1,) * (rank + 1)), tg.ArgumentError, name, "stride has"),
        bad(lambda: function(x, w, output_padding=1), tg.ArgumentError, name, "smaller than stride or dilation, got 1"),
        bad(lambda: function(x, w, output_padding=-1), tg.ArgumentError, name, "output_padding"),
        bad(lambda: function(x, w, tg.zeros(4)), tg.ShapeError, name, "one bias per channel"),
        bad(lambda: function(x.astype("float16"), w.astype("float16")), tg.DTypeError, name, "float16"),
    ]


ROWS = [
    Row(
        "conv_transpose1d",
        tg.conv_transpose1d,
        transposed_by_hand,
        "nn.functional.conv_transpose1d",
        [
            sample((1, 1, 3), (1, 1, 3)),
            sample((2, 2, 4), (2, 3, 3), (3,), stride=2, padding=1, output_padding=1),
            sample((1, 4, 4), (4, 1, 2), (2,), groups=2, dilation=3, output_padding=2),
            sample((2, 4), (2, 1, 3), (1,), stride=3),
            sample((0, 2, 4), (2, 1, 3), (1,)),
        ],
        float16=False,
        errors=errors(tg.conv_transpose1d, tg.zeros(2, 4, 5), tg.zeros(4, 3, 3)),
    ),
    Row(
        "conv_transpose2d",
        tg.conv_transpose2d,
        transposed_by_hand,
        "nn.functional.conv_transpose2d",
        [
            sample((1, 1, 2, 3), (1, 1, 3, 2)),
            sample((2, 2, 3, 2), (2, 3, 3, 3), (3,), padding=1),
            sample((1, 2, 3, 3), (2, 2, 4, 4), (2,), stride=2, padding=1),
            sample((1, 2, 2, 3), (2, 1, 2, 3), (1,), stride=(3, 2), padding=(0, 1), output_padding=(2, 1)),
            sample((1, 4, 3, 2), (4, 2, 2, 2), (4,), groups=2, stride=2, dilation=(1, 2)),
            sample((1, 3, 2, 2), (3, 1, 2, 2), (3,), groups=3, stride=3),
            sample((1, 1, 3, 3), (1, 2, 1, 1), (2,), padding=1),
            sample((2, 3, 2), (2, 1, 2, 2), stride=2),
            sample((0, 2, 2, 2), (2, 1, 2, 2), (1,), stride=2),
        ],
        float16=False,
        errors=errors(tg.conv_transpose2d, tg.zeros(2, 4, 5, 5), tg.zeros(4, 3, 3, 3)),
    ),
    Row(
        "conv_transpose3d",
        tg.conv_transpose3d,
        transposed_by_hand,
        "nn.functional.conv_transpose3d",
        [
            sample((1, 1, 2, 2, 2), (1, 1, 2, 2, 2)),
            sample((2, 2, 2, 1, 3), (2, 2, 3, 2, 2), (2,), stride=2, padding=(1, 0, 1), output_padding=1),
            sample((1, 2, 2, 2, 1), (2, 1, 2, 1, 2), (2,), groups=2, dilation=(2, 1, 1), stride=(1, 2, 1)),
            sample((2, 2, 1, 2), (2, 1, 2, 2, 2)),
            sample((0, 2, 2, 2, 2), (2, 1, 2, 2, 2), (1,)),
        ],
        float16=False,
        errors=errors(tg.conv_transpose3d, tg.zeros(2, 4, 5, 5, 5), tg.zeros(4, 3, 3, 3, 3)),
    ),
]

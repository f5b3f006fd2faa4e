"""Rows of tensorgrad/ops/layers/normalization.py."""

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from cases.table import Row, bad, sample

EPS = 1e-5


def standardized(x, axes):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPS)


def last_axes(x, shape):
    return tuple(range(x.ndim - len(shape), x.ndim))


def layer_norm(x, *wb, shape):
    w, b = [*wb, 1, 0][:2] if len(wb) < 2 else wb
    return standardized(x, last_axes(x, shape)) * w + (b if len(wb) == 2 else 0)


def rms_norm(x, *w, shape):
    return x / np.sqrt(np.square(x).mean(last_axes(x, shape), keepdims=True) + EPS) * (w[0] if w else 1)


def per_channel(values, x):
    return values.reshape(-1, *[1] * (x.ndim - 2))


def group_norm(x, *wb, groups):
    parts = x.reshape(len(x), groups, int(np.prod(x.shape[1:])) // groups)
    z = standardized(parts, 2).reshape(x.shape)
    z = z * per_channel(wb[0], x) if wb else z
    return z + per_channel(wb[1], x) if len(wb) == 2 else z


def instance_norm(x, *wb):
    return group_norm(x, *wb, groups=x.shape[1])


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    squares, below = np.square(x), np.empty_like(x)
    for c in range(x.shape[1]):
        first = c - size // 2
        below[:, c] = squares[:, max(first, 0) : max(first + size, 0)].sum(1)
    return x / (k + alpha / size * below) ** beta


ROWS = [
    Row(
        "layer_norm",
        lambda x, *wb, shape: tg.layer_norm(x, shape, *wb),
        layer_norm,
        lambda torch, x, *wb, shape: torch.nn.functional.layer_norm(x, shape, *wb),
        [
            sample((4,), shape=(4,)),
            sample((2, 3), (3,), shape=(3,)),
            sample((2, 3), (3,), (3,), shape=(3,)),
            sample((2, 3, 4), (3, 4), (3, 4), shape=(3, 4)),
            sample((0, 3), (3,), (3,), shape=(3,)),
        ],
        special=False,
        errors=[
            bad(lambda: tg.layer_norm(tg.zeros(2, 3), (2,)), tg.ShapeError, "layer_norm", "(2,), got (2, 3)"),
            bad(lambda: tg.layer_norm(tg.zeros(2, 3), ()), tg.ShapeError, "layer_norm", "normalized_shape = ()"),
            bad(
                lambda: tg.layer_norm(tg.zeros(2, 3), 3, tg.ones(2)),
                tg.ShapeError,
                "layer_norm",
                "weight must be (3,), got (2,)",
            ),
        ],
    ),
    Row(
        "rms_norm",
        lambda x, *w, shape: tg.rms_norm(x, shape, *w, eps=EPS),
        rms_norm,
        lambda torch, x, *w, shape: torch.nn.functional.rms_norm(x, shape, *w, eps=EPS),
        [
            sample((4,), shape=(4,)),
            sample((2, 3), (3,), shape=(3,)),
            sample((2, 3, 4), (3, 4), shape=(3, 4)),
            sample((0, 3), (3,), shape=(3,)),
        ],
        special=False,
        errors=[bad(lambda: tg.rms_norm(tg.zeros(2, 3), 2), tg.ShapeError, "rms_norm", "(2,), got (2, 3)")],
    ),
    Row(
        "group_norm",
        lambda x, *wb, groups: tg.group_norm(x, groups, *wb),
        group_norm,
        lambda torch, x, *wb, groups: torch.nn.functional.group_norm(x, groups, *wb),
        [
            sample((2, 6), groups=2),
            sample((2, 6), (6,), groups=2),
            sample((2, 4, 3), (4,), (4,), groups=2),
            sample((2, 6, 2, 2), (6,), (6,), groups=3),
            sample((2, 3, 2), (3,), (3,), groups=1),
            sample((0, 4, 2), (4,), (4,), groups=2),
        ],
        special=False,
        errors=[
            bad(lambda: tg.group_norm(tg.zeros(2, 4, 2), 3), tg.ArgumentError, "group_norm", "must divide the 4", "3"),
            bad(lambda: tg.group_norm(tg.zeros(4), 2), tg.ShapeError, "group_norm", "(N, C, ...), got (4,)"),
            bad(lambda: tg.group_norm(tg.zeros(1, 4), 4), tg.ShapeError, "group_norm", "more than one value"),
            bad(lambda: tg.group_norm(tg.zeros(2, 4), 2, tg.ones(2)), tg.ShapeError, "weight must be (4,), got (2,)"),
        ],
    ),
    Row(
        "instance_norm",
        lambda x, *wb: tg.instance_norm(x, None, None, *wb),
        instance_norm,
        lambda torch, x, *wb: torch.nn.functional.instance_norm(x, None, None, *wb),
        [
            sample((2, 2, 3)),
            sample((2, 2, 3), (2,)),
            sample((2, 3, 4), (3,), (3,)),
            sample((2, 2, 2, 3), (2,), (2,)),
        ],
        special=False,
        errors=[
            bad(lambda: tg.instance_norm(tg.zeros(2, 3, 1)), tg.ShapeError, "instance_norm", "more than one value"),
            bad(
                lambda: tg.instance_norm(tg.zeros(2, 3, 4), use_input_stats=False),
                tg.ArgumentError,
                "instance_norm",
                "running_mean and running_var must be given together, got neither",
            ),
            bad(
                lambda: tg.instance_norm(tg.zeros(2, 3, 4), tg.zeros(3)),
                tg.ArgumentError,
                "must be given together",
            ),
            bad(
                lambda: tg.instance_norm(tg.zeros(2, 3, 4), np.zeros(3), np.ones(3)),
                tg.DTypeError,
                "running_mean changes in place",
            ),
            bad(
                lambda: tg.instance_norm(tg.zeros(2, 3, 4), tg.zeros(2), tg.ones(3)),
                tg.ShapeError,
                "running_mean must be (C,) = (3,), got (2,)",
            ),
        ],
    ),
    Row(
        "local_response_norm",
        F.local_response_norm,
        local_response_norm,
        "nn.functional.local_response_norm",
        [
            sample((2, 4, 3), size=2),
            sample((2, 5, 2, 2), size=3, alpha=0.5, beta=0.6, k=2.0),
            sample((1, 2, 3), size=5, alpha=1.0),
            sample((0, 2, 3), size=2),
        ],
        special=False,
        float16=False,
        errors=[
            bad(lambda: F.local_response_norm(tg.zeros(2, 4), 2), tg.ShapeError, "(N, C, ...)", "got (2, 4)"),
            bad(lambda: F.local_response_norm(tg.zeros(2, 4, 3), 0), tg.ArgumentError, "size must be at least 1"),
        ],
    ),
]

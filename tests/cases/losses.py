"""Rows of tensorgrad/ops/loss.py and tensorgrad/ops/normalization.py."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, between, extended, integers, normal, sample
from tensorgrad.ops.loss import binary_cross_entropy, cross_entropy, weighted


def normalized(x, w=1.0, b=0.0):
    # (N, C, ...) -> (C, N · ...): one row per channel
    rows = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
    rows = (rows.T - rows.mean(1)) / (rows.var(1) + 1e-5) ** 0.5 * w + b
    return np.moveaxis(rows.T.reshape(x.shape[1], x.shape[0], *x.shape[2:]), 0, 1)


def shifted_and_scaled(x, w, b, mean, var):
    return np.stack([(x[:, c] - mean[c]) / (var[c] + 1e-5) ** 0.5 * w[c] + b[c] for c in range(x.shape[1])], 1)


def odds(x, y):
    """−ln P[y] with P from the odds against y: Σⱼ e^(xⱼ − x[y])."""
    return np.array([np.log(np.exp(row - row[k]).sum()) for row, k in zip(x, y, strict=True)])


ROWS = [
    Row(
        "cross_entropy",
        lambda x, y: cross_entropy(tg.as_tensor(x), tg.as_tensor(y)),
        odds,
        lambda torch, x, y: torch.nn.functional.cross_entropy(x, y, reduction="none"),
        [sample((3, 2), (3,)), sample((1, 4), (1,)), sample((2, 1), np.zeros(2, int)), sample((0, 3), (0,))],
        domains=(normal, integers(0, 2)),
        special=False,
    ),
    Row(
        "binary_cross_entropy",
        lambda x, t: binary_cross_entropy(tg.as_tensor(x), tg.as_tensor(t)),
        lambda x, t: -np.log(np.power(x, t) * np.power(1 - x, 1 - t)),
        lambda torch, x, t: torch.nn.functional.binary_cross_entropy(x, t, reduction="none"),
        [sample((3,), (3,)), sample((2, 3), (2, 3)), sample((), ()), sample((0,), (0,))],
        domains=(between(0.1, 0.9),),
        special=False,
    ),
    Row(
        "weighted",
        lambda t, x: weighted(tg.as_tensor(t), tg.as_tensor(x)),
        extended(lambda t, x: np.where((t == 0) & np.isinf(x), 0, t * x)),
        lambda torch, t, x: torch.where((t == 0) & torch.isinf(x), torch.zeros_like(x), t * x),
        [sample((3,), (3,)), sample((2, 3), (2, 3)), sample((), ()), sample((0,), (0,))],
    ),
    Row(
        "batch_norm",
        lambda x, *wb: tg.batch_norm(x, None, None, *wb, training=True),
        normalized,
        lambda torch, x, *wb: torch.nn.functional.batch_norm(x, None, None, *wb, training=True),
        [
            sample((4, 2)),
            sample((4, 2), (2,)),
            sample((4, 2), (2,), (2,)),
            sample((2, 3, 2), (3,), (3,)),
            sample((2, 2, 2, 3), (2,), (2,)),
        ],
        special=False,
        errors=[
            bad(lambda: tg.batch_norm(tg.zeros(3), training=True), tg.ShapeError, "batch_norm", "(3,)"),
            bad(
                lambda: tg.batch_norm(tg.zeros(3, 2), weight=tg.ones(3)),
                tg.ShapeError,
                "batch_norm",
                "(3, 2)",
                "weight: (3,)",
            ),
            bad(
                lambda: tg.batch_norm(tg.zeros(1, 2), training=True), tg.ShapeError, "batch_norm", "more than one value"
            ),
        ],
    ),
    Row(
        "batch_norm/evaluation",
        lambda x, w, b, mean, var: tg.batch_norm(x, mean.astype(x.dtype), var.astype(x.dtype), w, b),
        shifted_and_scaled,
        lambda torch, x, w, b, mean, var: torch.nn.functional.batch_norm(
            x, torch.tensor(mean, dtype=x.dtype), torch.tensor(var, dtype=x.dtype), w, b
        ),
        [
            sample((3, 2), (2,), (2,), mean=np.array([0.2, -1.0]), var=np.array([0.5, 2.0])),
            sample((2, 2, 3), (2,), (2,), mean=np.array([1.0, 0.0]), var=np.array([1.5, 0.7])),
            sample((0, 2), (2,), (2,), mean=np.array([1.0, 0.0]), var=np.array([1.5, 0.7])),
        ],
        special=False,
    ),
]

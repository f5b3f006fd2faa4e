"""Rows of tensorgrad/ops/losses/ and tensorgrad/ops/normalization.py."""

import itertools

import numpy as np

import tensorgrad as tg
from cases.table import UNARY, Row, bad, between, between_halves, extended, integers, normal, sample
from tensorgrad.ops.losses.ctc import ctc
from tensorgrad.ops.losses.distances import huber, smooth_l1
from tensorgrad.ops.losses.entropies import binary_cross_entropy, cross_entropy, divergence, weighted


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


def spelled(path, blank):
    """What a path of classes spells: repeated ones merged, then blanks dropped."""
    merged = [c for k, c in enumerate(path) if k == 0 or c != path[k - 1]]
    return [c for c in merged if c != blank]


def summed_over_paths(x, targets, lengths, target_lengths, blank=0):
    """−ln of the probability of all paths that spell the target, path by path."""
    losses = []
    for n, (target, steps, size) in enumerate(zip(targets, lengths, target_lengths, strict=True)):
        paths = itertools.product(range(x.shape[2]), repeat=steps)
        found = [p for p in paths if spelled(p, blank) == list(target[:size])]
        losses.append(-np.logaddexp.reduce([sum(x[t, n, c] for t, c in enumerate(p)) for p in found]))
    return np.array(losses)


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
        "smooth_l1",
        lambda x, beta=1.0: smooth_l1(tg.as_tensor(x), beta),
        lambda x, beta=1.0: abs(x) + np.maximum(0, beta - abs(x)) ** 2 / 2 / beta - beta / 2,
        lambda torch, x, beta=1.0: torch.nn.functional.smooth_l1_loss(
            x, torch.zeros_like(x), reduction="none", beta=beta
        ),
        [*UNARY, sample((2, 3), beta=0.6), sample(np.array([0.0, 1.0, -1.0]), smooth=False)],
        domains=(between_halves,),
        special=False,
        rules={"x/β if |x| < β else sign(x)": lambda x, beta: x / beta if abs(x) < beta else np.sign(x)},
    ),
    Row(
        "huber",
        lambda x, delta=1.0: huber(tg.as_tensor(x), delta),
        lambda x, delta=1.0: delta * (abs(x) + np.maximum(0, delta - abs(x)) ** 2 / 2 / delta - delta / 2),
        lambda torch, x, delta=1.0: torch.nn.functional.huber_loss(
            x, torch.zeros_like(x), reduction="none", delta=delta
        ),
        [*UNARY, sample((2, 3), delta=0.6), sample(np.array([0.0, 1.0, -1.0]), smooth=False)],
        domains=(between_halves,),
        special=False,
    ),
    Row(
        "divergence",
        lambda x, t: divergence(tg.as_tensor(x), tg.as_tensor(t)),
        lambda x, t: t * np.log(t / np.exp(x)),
        lambda torch, x, t: torch.nn.functional.kl_div(x, t, reduction="none"),
        [sample((3,), (3,)), sample((2, 3), (2, 3)), sample((2, 3), (3,)), sample((), ()), sample((0,), (0,))],
        domains=(normal, between(0.1, 0.9)),
        special=False,
    ),
    Row(
        "ctc",
        lambda x, *given, blank=0: ctc(tg.as_tensor(x), *map(tg.as_tensor, given), blank),
        summed_over_paths,
        None,
        [
            sample((3, 1, 2), np.array([[1]]), np.array([3]), np.array([1])),
            sample((4, 2, 3), np.array([[1, 1], [2, 0]]), np.array([4, 3]), np.array([2, 1])),
            sample((3, 2, 3), np.array([[0, 2], [0, 0]]), np.array([3, 1]), np.array([2, 0]), blank=1),
        ],
        special=False,
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

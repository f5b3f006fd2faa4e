"""Rows of tensorgrad/ops/layers/dropout.py: with one seed, whatever the mask."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, sample

SATURATED = -1.7580993408473766


def seeded():
    return np.random.default_rng(7)


def channels(x):
    return seeded().random((*x.shape[:2], *[1] * (x.ndim - 2)), dtype=np.float32)


def dropped(x, p):
    return np.where(channels(x) < p, 0, x / (1 - p))


def saturated(x, p, drawn):
    a = (1 - p + p * (1 - p) * SATURATED**2) ** -0.5
    return a * (np.where(drawn < p, SATURATED, x) - p * SATURATED)


P = 0.3
ROWS = [
    Row(
        "feature_dropout",
        lambda x: tg.feature_dropout(x, P, True, generator=seeded()),
        lambda x: dropped(x, P),
        None,
        [sample((2, 3)), sample((2, 3, 2)), sample((0, 2))],
        special=False,
        errors=[
            bad(lambda: tg.feature_dropout(tg.zeros(2), 0.5, True), tg.ShapeError, "(N, C, ...), got (2,)"),
            bad(lambda: tg.feature_dropout(tg.zeros(2, 2), 1.5, True), tg.ArgumentError, "in [0, 1], got 1.5"),
        ],
    ),
    Row(
        "alpha_dropout",
        lambda x: tg.alpha_dropout(x, P, True, generator=seeded()),
        lambda x: saturated(x, P, seeded().random(x.shape, dtype=np.float32)),
        None,
        [sample((3,)), sample((2, 3)), sample((0,))],
        special=False,
        errors=[bad(lambda: tg.alpha_dropout(tg.zeros(2), -1), tg.ArgumentError, "p must be in [0, 1], got -1")],
    ),
    Row(
        "feature_alpha_dropout",
        lambda x: tg.feature_alpha_dropout(x, P, True, generator=seeded()),
        lambda x: saturated(x, P, channels(x)),
        None,
        [sample((2, 3)), sample((2, 3, 2))],
        special=False,
        errors=[bad(lambda: tg.feature_alpha_dropout(tg.zeros(2), P, True), tg.ShapeError, "(N, C, ...), got (2,)")],
    ),
]

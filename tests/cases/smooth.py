"""Rows of tensorgrad/ops/elementwise/smooth.py and tensorgrad/ops/layers/gates.py."""

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from cases.table import UNARY, Row, bad, between_halves, sample

KINK = np.array([-1.0, 0.0, 2.0])


def logistic(x):
    return 0.5 * (1 + np.tanh(x / 2))


def halves(x, dim):
    return np.split(x, 2, dim)


def softmax(x, axis):
    powers = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
    return powers / powers.sum(axis, keepdims=True)


ROWS = [
    Row(
        "selu",
        tg.selu,
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(np.minimum(x, 0)) - 1)),
        "nn.functional.selu",
        [*UNARY, sample(KINK, smooth=False)],
        domains=(between_halves,),
        integers="float",
    ),
    Row(
        "celu",
        tg.celu,
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * (np.exp(np.where(x > 0, 0, x) / alpha) - 1)),
        "nn.functional.celu",
        [*UNARY, sample((2, 3), alpha=0.5), sample((2, 3), alpha=-2.0), sample(KINK, smooth=False)],
        domains=(between_halves,),
        integers="float",
        errors=[bad(lambda: tg.celu(tg.zeros(2), 0.0), tg.ArgumentError, "celu", "alpha must not be 0")],
    ),
    Row("mish", F.mish, lambda x: x * np.tanh(np.logaddexp(x, 0)), "nn.functional.mish", UNARY, integers="float"),
    Row(
        "logsigmoid",
        F.logsigmoid,
        lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))),
        "nn.functional.logsigmoid",
        UNARY,
        integers="float",
    ),
    Row(
        "softsign",
        F.softsign,
        lambda x: x / (np.abs(x) + 1),
        "nn.functional.softsign",
        UNARY,
        domains=(between_halves,),
        integers="float",
    ),
    Row("tanhshrink", F.tanhshrink, lambda x: x - np.tanh(x), "nn.functional.tanhshrink", UNARY, integers="float"),
    Row(
        "glu",
        F.glu,
        lambda x, dim=-1: halves(x, dim)[0] * logistic(halves(x, dim)[1]),
        "nn.functional.glu",
        [sample((4,)), sample((2, 4)), sample((2, 3), dim=0), sample((2, 4, 3), dim=1), sample((2, 0))],
        integers="float",
        errors=[
            bad(lambda: F.glu(tg.zeros(2, 3)), tg.ShapeError, "glu", "must be even, got 3"),
            bad(lambda: F.glu(tg.zeros(())), tg.ShapeError, "glu", "an axis to halve"),
            bad(lambda: F.glu(tg.zeros(2, 2), 2), tg.RangeError, "glu", "dim must be in [-2, 2), got 2"),
        ],
    ),
    Row(
        "softmin",
        F.softmin,
        lambda x, dim=None: softmax(-x, (0 if x.ndim in (0, 1, 3) else 1) if dim is None else dim),
        "nn.functional.softmin",
        [sample((3,), dim=0), sample((2, 4), dim=0), sample((2, 4)), sample((2, 3, 2)), sample((2, 3, 2), dim=-1)],
        integers="float",
        special=False,
    ),
]

"""Rows of tensorgrad/ops/elementwise/piecewise.py: activation functions of straight pieces."""

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from cases.table import UNARY, Row, bad, between_halves, positive, sample

KINKS = np.array([-7.0, -6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 7.0])
USUAL = [*UNARY, sample(KINKS, smooth=False)]


def wide(rng, shape):
    """Numbers between the multiples of ½, from −8 to 8."""
    return (rng.integers(-16, 16, shape) + rng.uniform(0.2, 0.8, shape)) / 2


def per_channel(slopes, x):
    return slopes.reshape(-1, *[1] * (x.ndim - 2)) if slopes.ndim and slopes.size > 1 else slopes.reshape(())


ROWS = [
    Row(
        "hardtanh",
        F.hardtanh,
        lambda x, min_val=-1.0, max_val=1.0: np.clip(x, min_val, max_val),
        "nn.functional.hardtanh",
        [*USUAL, sample((2, 3), min_val=-0.5, max_val=2.0)],
        domains=(between_halves,),
        integers="float",
        errors=[
            bad(lambda: F.hardtanh(tg.zeros(2), 1.0, -1.0), tg.ArgumentError, "hardtanh", "min_val", "1.0 and -1.0"),
            bad(lambda: F.hardtanh(tg.zeros(2), "low"), tg.DTypeError, "hardtanh", "min_val must be a number"),
        ],
    ),
    Row("relu6", F.relu6, lambda x: np.clip(x, 0, 6), "nn.functional.relu6", USUAL, domains=(wide,), integers="float"),
    Row(
        "hardsigmoid",
        F.hardsigmoid,
        lambda x: np.clip(x / 6 + 0.5, 0, 1),
        lambda torch, x: torch.nn.functional.relu6(x + 3) / 6,  # their own has no second derivative
        USUAL,
        domains=(wide,),
        integers="float",
    ),
    Row(
        "hardswish",
        F.hardswish,
        lambda x: np.where(x <= -3, x * 0, x * np.clip(x / 6 + 0.5, 0, 1)),
        "nn.functional.hardswish",
        USUAL,
        domains=(wide,),
        integers="float",
    ),
    Row(
        "threshold",
        tg.threshold,
        lambda x, threshold, value: np.where(x <= threshold, value, x),
        "nn.functional.threshold",
        [sample(shape, threshold=0.5, value=-2.0) for shape in ((), (3,), (2, 3), (0,))]
        + [sample(KINKS, smooth=False, threshold=0.5, value=20.0)],
        domains=(between_halves,),
        integers="float",
        errors=[bad(lambda: tg.threshold(tg.zeros(2), None, 0.0), tg.DTypeError, "threshold must be a number")],
    ),
    Row(
        "hardshrink",
        tg.hardshrink,
        lambda x, lambd=0.5: np.where((-lambd <= x) & (x <= lambd), 0, x),
        "nn.functional.hardshrink",
        [*USUAL, sample((2, 3), lambd=1.0), sample((2, 3), lambd=-1.0)],
        domains=(between_halves,),
        integers="float",
    ),
    Row(
        "softshrink",
        F.softshrink,
        lambda x, lambd=0.5: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
        "nn.functional.softshrink",
        [*USUAL, sample((2, 3), lambd=1.0), sample((2, 3), lambd=0.0)],
        domains=(between_halves,),
        integers="float",
        errors=[bad(lambda: F.softshrink(tg.zeros(2), -1.0), tg.ArgumentError, "softshrink", "lambd must be ≥ 0")],
    ),
    Row(
        "prelu",
        tg.prelu,
        lambda x, w: np.where(x > 0, x, per_channel(w, x) * x),
        "nn.functional.prelu",
        [
            sample((2, 3), ()),
            sample((2, 3), (1,)),
            sample((2, 3), (3,)),
            sample((2, 3, 2), (3,)),
            sample((2, 3, 2, 2), (3,)),
            sample((4,), (1,)),
            sample((), (1,)),
            sample((0, 3), (3,)),
            sample(KINKS.reshape(1, -1), (11,), smooth=False),
        ],
        domains=(between_halves, positive),
        special=False,
        errors=[
            bad(lambda: tg.prelu(tg.zeros(2, 3), tg.zeros(2)), tg.ShapeError, "prelu", "(C,) = (3,), got (2,)"),
            bad(lambda: tg.prelu(tg.zeros(2, 3), tg.zeros(3, 1)), tg.ShapeError, "prelu", "got (3, 1)"),
        ],
    ),
    Row(
        "rrelu",
        tg.rrelu,
        lambda x, lower=1 / 8, upper=1 / 3: np.where(x > 0, x, x * (lower + upper) / 2),
        "nn.functional.rrelu",
        [*UNARY, sample((2, 3), lower=0.1, upper=0.3)],
        domains=(between_halves,),
        integers="float",
        errors=[bad(lambda: tg.rrelu(tg.zeros(2), 0.5, 0.1), tg.ArgumentError, "rrelu", "lower", "0.5 and 0.1")],
    ),
]

"""Rows of logarithms.py, angles.py and rounding.py in tensorgrad/ops/elementwise/."""

import numpy as np

import tensorgrad as tg
from cases.arithmetic import no_join
from cases.table import BINARY, UNARY, Row, between, between_halves, nonzero, normal, positive

FEW = [BINARY[k] for k in (0, 1, 2, 3, 8)]


ROWS = [
    Row("exp2", tg.exp2, lambda x: np.power(2.0, x), "exp2", UNARY, domains=(between(-3, 3),), integers="float"),
    Row("log10", tg.log10, lambda x: np.log(x) / np.log(10), "log10", UNARY, domains=(positive,), integers="float"),
    Row("rsqrt", tg.rsqrt, lambda x: 1 / np.sqrt(x), "rsqrt", UNARY, domains=(positive,), integers="float"),
    Row(
        "logaddexp",
        tg.logaddexp,
        lambda x, y: np.maximum(x, y) + np.log1p(np.exp(-np.abs(x - y))),
        "logaddexp",
        FEW,
        domains=(normal,),
        special=False,
        integers="float",
        errors=[no_join(tg.logaddexp)],
    ),
    Row(
        "logaddexp2",
        tg.logaddexp2,
        lambda x, y: np.log2(2.0**x + 2.0**y),
        "logaddexp2",
        FEW,
        special=False,
        integers="float",
        errors=[no_join(tg.logaddexp2)],
    ),
    Row(
        "atan2",
        tg.atan2,
        lambda x, y: np.angle(y + 1j * x),
        "atan2",
        FEW,
        domains=(nonzero,),
        special=False,
        integers="float",
        errors=[no_join(tg.atan2)],
    ),
    Row("arctan2", tg.arctan2, lambda x, y: np.angle(y + 1j * x), "atan2", FEW[1:2], domains=(nonzero,), special=False),
    Row(
        "hypot",
        tg.hypot,
        lambda x, y: np.abs(x + 1j * y),
        "hypot",
        FEW,
        domains=(nonzero,),
        special=False,
        integers="float",
        errors=[no_join(tg.hypot)],
    ),
    Row(
        "trunc",
        tg.trunc,
        lambda x: np.sign(x) * np.floor(np.abs(x)),
        "trunc",
        UNARY,
        domains=(between_halves,),
        twice=False,
        integers="same",
        special=False,
    ),
    Row("fix", tg.fix, np.trunc, "fix", UNARY[1:2], domains=(between_halves,), twice=False, special=False),
]

"""Rows of tensorgrad/ops/elementwise/transcendental.py."""

import math

import numpy as np

import tensorgrad as tg
from cases.table import UNARY, Row, bad, between, extended, nonzero, normal, positive

DOMAINS = {
    "exp": normal,
    "expm1": normal,
    "log": positive,
    "log1p": between(-0.7, 2.0),
    "log2": positive,
    "sqrt": positive,
    "reciprocal": nonzero,
    "sin": between(-4.0, 4.0),
    "cos": between(-4.0, 4.0),
    "tan": between(-1.2, 1.2),
    "arcsin": between(-0.9, 0.9),
    "arccos": between(-0.9, 0.9),
    "arctan": between(-3.0, 3.0),
    "sinh": normal,
    "cosh": normal,
    "tanh": normal,
    "arcsinh": between(-3.0, 3.0),
    "arccosh": between(1.3, 4.0),
    "arctanh": between(-0.8, 0.8),
}


def no_text(function):
    return bad(lambda: function(["a"]), tg.DTypeError, "dtype <U1", "not supported")


ROWS = [
    Row(
        name,
        getattr(tg, name),
        extended(getattr(np, name)),
        name,
        UNARY,
        domains=(domain,),
        integers="float",
        errors=[no_text(getattr(tg, name))],
    )
    for name, domain in DOMAINS.items()
] + [
    Row(
        "erf",
        tg.erf,
        lambda x: np.vectorize(math.erf, otypes=[float])(x),
        "erf",
        UNARY,
        domains=(between(-3.0, 3.0),),
        integers="float",
        float16=False,
        errors=[bad(lambda: tg.erf(tg.zeros(2, dtype="float16")), tg.DTypeError, "erf", "float16", "astype")],
    ),
]

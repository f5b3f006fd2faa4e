"""Rows of tensorgrad/ops/elementwise/comparison.py: bool results, no gradient."""

import numpy as np

import tensorgrad as tg
from cases.arithmetic import no_join
from cases.table import BINARY, UNARY, Row, bad, bools, integers, sample

PAIRS = [*BINARY, sample(np.array([1.0, np.nan, np.inf, 0.0]), np.array([1.0, np.nan, np.inf, -0.0]))]
FLAGS = [sample((), ()), sample((3,), (2, 3)), sample((2, 1), (1, 3)), sample((0,), (1,))]


def plain(name, reference):
    return Row(
        name,
        getattr(tg, name),
        reference,
        name,
        PAIRS,
        domains=(integers(0, 3),),
        result=np.bool_,
        differentiable=False,
        integers="same",
        errors=[no_join(getattr(tg, name))],
    )


def unary(name, reference, domain, **more):
    return Row(
        name,
        getattr(tg, name),
        reference,
        name,
        UNARY,
        domains=(domain,),
        result=np.bool_,
        differentiable=False,
        **more,
    )


def bits(name, reference, samples=FLAGS):
    """Of integers, bit by bit, and of truth values."""
    for use, domain, result in (("", integers(-8, 8), np.int64), ("/bools", bools, np.bool_)):
        yield Row(
            name + use,
            getattr(tg, name),
            reference,
            name,
            samples,
            domains=(domain,),
            result=result,
            differentiable=False,
            errors=[]
            if use
            else [
                bad(
                    lambda: getattr(tg, name)(*[tg.ones(2)] * (2 - (name == "bitwise_not"))),
                    tg.DTypeError,
                    name,
                    "bools or integers",
                )
            ],
        )


ROWS = [
    plain("eq", lambda x, y: ~(x != y)),
    plain("not_equal", lambda x, y: ~(x == y)),
    plain("less", lambda x, y: y > x),
    plain("less_equal", lambda x, y: y >= x),
    plain("greater", lambda x, y: y < x),
    plain("greater_equal", lambda x, y: y <= x),
    Row(
        "logical_and",
        tg.logical_and,
        lambda x, y: x & y,
        "logical_and",
        FLAGS,
        domains=(bools,),
        result=np.bool_,
        differentiable=False,
    ),
    Row(
        "logical_or",
        tg.logical_or,
        lambda x, y: x | y,
        "logical_or",
        FLAGS,
        domains=(bools,),
        result=np.bool_,
        differentiable=False,
        errors=[bad(lambda: tg.logical_or(tg.zeros(2), tg.zeros(3)), tg.ShapeError, "logical_or", "(2,)", "(3,)")],
    ),
    *bits("bitwise_and", lambda x, y: x & y),
    *bits("bitwise_or", lambda x, y: x | y),
    *bits("bitwise_xor", lambda x, y: x ^ y),
    *bits("bitwise_not", lambda x: ~x, UNARY),
    unary("logical_not", lambda x: ~x, bools),
    Row(
        "logical_not/numbers",
        tg.logical_not,
        lambda x: x == 0,
        "logical_not",
        [sample(np.array([0.0, 1.0, -2.0, np.nan]))],
        result=np.bool_,
        differentiable=False,
    ),
    unary("isnan", lambda x: x != x, lambda rng, shape: rng.choice([0.0, np.nan, np.inf], shape)),
    unary("isfinite", lambda x: x - x == 0, lambda rng, shape: rng.choice([0.0, np.nan, -np.inf], shape)),
]

"""Rows of arithmetic.py, choice.py and rounding.py of tensorgrad/ops/elementwise/."""

import numpy as np

import tensorgrad as tg
from cases.table import (
    BINARY,
    UNARY,
    Row,
    bad,
    between_halves,
    bools,
    extended,
    halves,
    nonzero,
    normal,
    positive,
    sample,
)


def no_join(function):
    """The bad call of every binary op: shapes that don't broadcast."""
    return bad(
        lambda: function(tg.zeros(2, 3), tg.zeros(4)),
        tg.ShapeError,
        function.__name__,
        "(2, 3)",
        "(4,)",
        "x:",
        "y:",
    )


TIES = np.array([-1.0, 0.0, 0.5, 2.0])

ROWS = [
    Row(
        "add",
        tg.add,
        lambda x, y: x - (-y),
        "add",
        BINARY,
        integers="same",
        errors=[
            no_join(tg.add),
            bad(lambda: tg.add(tg.zeros(2), "text"), tg.DTypeError, "dtype"),
            bad(lambda: tg.add(tg.zeros(2), 1j), tg.DTypeError, "complex128", "not supported"),
            bad(lambda: tg.add(tg.zeros(2), [[1.0], [1.0, 2.0]]), tg.ArgumentError, "nested lists of even lengths"),
        ],
    ),
    Row(
        "subtract",
        tg.subtract,
        lambda x, y: x + (-y),
        "subtract",
        BINARY,
        integers="same",
        errors=[no_join(tg.subtract)],
    ),
    Row(
        "multiply",
        tg.multiply,
        extended(np.multiply),
        "multiply",
        BINARY,
        integers="same",
        errors=[no_join(tg.multiply)],
    ),
    *[
        Row(
            f"{name}/alpha",
            lambda x, y, name=name, alpha=1: getattr(tg, name)(x, y, alpha=alpha),
            lambda x, y, sign=sign, alpha=1: np.array(np.asarray(x).tolist()) + sign * alpha * y,
            lambda torch, x, y, name=name, alpha=1: getattr(torch, name)(x, y, alpha=alpha),
            [sample((2, 3), (3,), alpha=2), sample((3,), (2, 1), alpha=-0.5)],
        )
        for name, sign in (("add", 1), ("subtract", -1))
    ],
    *[
        Row(
            f"divide/{mode}",
            lambda x, y, mode=mode: tg.divide(x, y, rounding_mode=mode),
            lambda x, y, rounded=rounded: rounded(x / y),
            lambda torch, x, y, mode=mode: torch.div(x, y, rounding_mode=mode),
            [sample((2, 3), (3,)), sample((3,), ())],
            domains=(between_halves, nonzero),
            twice=False,
            special=False,
            errors=[
                bad(
                    lambda mode=mode: tg.divide(tg.tensor([1]), 0, rounding_mode=mode),
                    tg.ArgumentError,
                    "divide",
                    "integers can't be divided by 0",
                )
            ],
        )
        for mode, rounded in (("floor", np.floor), ("trunc", np.trunc))
    ],
    Row(
        "round/decimals",
        tg.round,
        np.round,
        "round",
        [sample(np.array([[1.26, -2.34], [0.07, 9.99]]), decimals=1), sample(np.array([126.0, -84.0]), decimals=-1)],
        twice=False,
        special=False,
        errors=[bad(lambda: tg.round(tg.zeros(2), decimals=0.5), tg.ArgumentError, "round", "whole number, got 0.5")],
    ),
    Row(
        "divide",
        tg.divide,
        extended(np.divide),
        "divide",
        BINARY,
        domains=(normal, nonzero),
        integers="float",
        errors=[no_join(tg.divide)],
    ),
    Row(
        "floor_divide",
        tg.floor_divide,
        lambda x, y: x // y,
        # PyTorch's result claims to have a gradient, which it then refuses to compute.
        lambda torch, x, y: torch.floor_divide(x, y).detach(),
        BINARY,
        domains=(between_halves, halves),
        differentiable=False,
        integers="same",
        errors=[no_join(tg.floor_divide)],
    ),
    Row(
        "remainder",
        tg.remainder,
        lambda x, y: x % y,
        "remainder",
        BINARY,
        domains=(between_halves, halves),
        integers="same",
        errors=[no_join(tg.remainder)],
    ),
    Row(
        "pow",
        tg.pow,
        extended(np.power),
        "pow",
        [*BINARY, sample(np.array([0.0, 0.0, 0.0, 2.0]), np.array([0.0, 1.0, 2.0, 0.0]), smooth=False)],
        domains=(positive, normal),
        integers="same",
        errors=[no_join(tg.pow)],
    ),
    Row(
        "pow/number as exponent",
        lambda x, exponent: tg.pow(x, exponent),
        lambda x, exponent: (
            np.prod([x * 0 + 1] + [x] * exponent, axis=0) / np.prod([x * 0 + 1] + [x] * -exponent, axis=0)
        ),
        "pow",
        [sample((2, 3), exponent=k) for k in (0, 1, 2, 3, -1, -2)] + [sample((), exponent=3), sample((0,), exponent=3)],
        domains=(nonzero,),
        special=False,
    ),
    Row(
        "pow/number as base",
        lambda x, base: tg.pow(base, x),
        lambda x, base: np.exp(x * np.log(base)),
        lambda torch, x, base: torch.pow(base, x),
        [sample((2, 3), base=2.0), sample((3,), base=0.5)],
        special=False,
    ),
    Row("square", tg.square, lambda x: x**2, "square", UNARY, integers="same"),
    Row(
        "negative",
        tg.negative,
        lambda x: 0 - x,
        "negative",
        UNARY,
        integers="same",
        errors=[bad(lambda: tg.negative(tg.tensor([True])), tg.DTypeError, "negative", "bool")],
    ),
    Row(
        "abs",
        tg.abs,
        lambda x: np.where(x < 0, -x, x),
        "abs",
        [*UNARY, sample(TIES, smooth=False)],
        domains=(between_halves,),
        integers="same",
    ),
    Row(
        "sign",
        tg.sign,
        lambda x: (x > 0) * 1.0 - (x < 0) + 0 * np.where(np.isnan(x), x, 0),
        "sign",
        [*UNARY, sample(TIES, smooth=False)],
        domains=(between_halves,),
        twice=False,
        integers="same",
    ),
    Row(
        "floor",
        tg.floor,
        lambda x: -np.ceil(-x),
        "floor",
        UNARY,
        domains=(between_halves,),
        twice=False,
        integers="same",
    ),
    Row(
        "ceil", tg.ceil, lambda x: -np.floor(-x), "ceil", UNARY, domains=(between_halves,), twice=False, integers="same"
    ),
    Row(
        "round",
        tg.round,
        np.round,
        "round",
        [*UNARY, sample(np.array([-1.5, -0.5, 0.5, 1.5, 2.5]), smooth=False)],
        domains=(between_halves,),
        twice=False,
        integers="same",
    ),
    Row(
        "maximum",
        tg.maximum,
        lambda x, y: np.where(np.isnan(x) | (x > y), x, y),
        "maximum",
        [*BINARY, sample(TIES, np.array([0.0, 0.0, 0.5, 1.0]), smooth=False)],
        domains=(between_halves, halves),
        integers="same",
        errors=[no_join(tg.maximum)],
    ),
    Row(
        "minimum",
        tg.minimum,
        lambda x, y: np.where(np.isnan(x) | (x < y), x, y),
        "minimum",
        [*BINARY, sample(TIES, np.array([0.0, 0.0, 0.5, 1.0]), smooth=False)],
        domains=(between_halves, halves),
        integers="same",
        errors=[no_join(tg.minimum)],
    ),
    *(
        Row(
            name,
            getattr(tg, name),
            reference,
            name,
            [sample((2, 3), (3,)), sample((4,), (4,))],
            domains=(between_halves, halves),
            integers="same",
        )
        for name, reference in (("clamp_min", np.maximum), ("clamp_max", np.minimum))
    ),
    Row(
        "clip/numbers",
        tg.clip,
        lambda x, min=-np.inf, max=np.inf: np.clip(x, min, max),
        lambda torch, x, min=None, max=None: torch.clip(x, min, max),
        [
            sample((2, 3), min=-1.0, max=1.0),
            sample((2, 3), min=0.5),
            sample((4,), max=-0.5),
            sample((), min=-0.5, max=0.5),
            sample((2, 3), min=1.0, max=-1.0),
            sample((0, 2), min=0.0),
            sample(TIES, min=0.0, max=0.5, smooth=False),
        ],
        domains=(between_halves,),
        errors=[
            bad(lambda: tg.clip(tg.zeros(2)), tg.ArgumentError, "clip", "min or max must be given", "(2,)"),
            bad(lambda: tg.clip(tg.zeros(2), tg.zeros(3), tg.ones(2)), tg.ShapeError, "clip", "low: (3,)", "x: (2,)"),
        ],
    ),
    Row(
        "clip",
        tg.clip,
        lambda x, low, high: np.minimum(np.maximum(x, low), high),
        lambda torch, x, low, high: torch.minimum(torch.maximum(x, low), high),
        [
            sample((2, 3), np.array(-1.0), np.array(1.0)),
            sample((2, 3), np.array([-1.0, 0.0, 0.5]), np.array([[1.0], [1.5]])),
            sample((2, 3), np.array([[-1.0], [0.5]]), np.array([-0.5, -2.0, 1.0])),
            sample((3,), np.full((2, 3), -0.5), np.full((1, 3), 0.5)),
            sample((0,), np.array(0.0), np.array(1.0)),
        ],
        domains=(between_halves,),
        integers="same",
    ),
    Row(
        "where",
        tg.where,
        lambda c, x, y: np.choose(c.astype(int), [y, x]),
        lambda torch, c, x, y: torch.where(c, x, y),
        [
            sample((), (), ()),
            sample((2, 3), (2, 3), (2, 3)),
            sample((2, 1), (3,), ()),
            sample((3,), (2, 3), (2, 1)),
            sample((), (2,), (2, 1)),
            sample((0,), (0,), ()),
        ],
        domains=(bools, normal),
        errors=[
            bad(
                lambda: tg.where(tg.tensor([True, False]), tg.zeros(3), 0.0),
                tg.ShapeError,
                "where",
                "c: (2,)",
                "x: (3,)",
            )
        ],
    ),
    Row(
        "where/numbers as condition",
        tg.where,
        lambda c, x, y: np.where(c != 0, x, y),
        lambda torch, c, x, y: torch.where(c != 0, x, y),
        [sample(np.array([0, 1, 2]), (3,), (2, 1))],
    ),
]

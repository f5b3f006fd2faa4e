"""Rows of tensorgrad/ops/elementwise/closeness.py: bool results, no gradient."""

import numpy as np

import tensorgrad as tg
from cases.table import UNARY, Row, bad, bools, sample

ODD = np.array([1.0, np.nan, np.inf, -np.inf, 0.0])


def among(*values):
    return lambda rng, shape: rng.choice(values, shape)


def near(rng, shape):
    return 1 + rng.choice([0.0, 1e-6, 1e-2], shape)


def test(name, reference, samples, domain, **more):
    return Row(
        name,
        getattr(tg, name.partition("/")[0]),
        reference,
        name.partition("/")[0],
        samples,
        domains=(domain,),
        result=np.bool_,
        differentiable=False,
        **more,
    )


ROWS = [
    test("isinf", lambda x: np.abs(x) == np.inf, UNARY, among(0.0, np.nan, np.inf, -np.inf)),
    test("isposinf", lambda x: x > 1e308, UNARY[:3], among(0.0, np.nan, np.inf, -np.inf)),
    test("isneginf", lambda x: x < -1e308, UNARY[:3], among(0.0, np.nan, np.inf, -np.inf)),
    test("logical_xor", lambda x, y: x != y, [sample((3,), (2, 3)), sample((), ()), sample((0,), (1,))], bools),
    test(
        "isclose",
        lambda x, y, rtol=1e-5, atol=1e-8, equal_nan=False: (
            (np.abs(x - y) <= atol + rtol * np.abs(y)) & np.isfinite(y)
            | (x == y)
            | (equal_nan & np.isnan(x) & np.isnan(y))
        ),
        [
            sample((3,), (2, 3)),
            sample((), (), rtol=0.1),
            sample((4,), (4,), rtol=0.0, atol=0.1),
            sample(ODD, ODD),
            sample(ODD, ODD[::-1].copy(), equal_nan=True),
            sample(ODD, ODD.copy(), equal_nan=True),
        ],
        near,
        errors=[
            bad(lambda: tg.isclose(tg.ones(2), 1.0, rtol=-1.0), tg.ArgumentError, "isclose", "rtol must be ≥ 0"),
            bad(lambda: tg.allclose(tg.ones(2), 1.0, atol=-1.0), tg.ArgumentError, "allclose", "atol must be ≥ 0"),
        ],
    ),
    Row(
        "allclose/as a factor",
        lambda x, y, **options: tg.add(x, y) * float(tg.allclose(x, y, **options)),
        lambda x, y, **options: (x + y) * float(np.allclose(x, y, **options)),
        lambda torch, x, y, **options: (x + y) * float(torch.allclose(x, y, **options)),
        [sample((3,), (2, 3), rtol=0.5), sample((3,), (), rtol=0.1), sample((3,), np.full(3, 9.0)), sample((0,), (0,))],
        domains=(near,),
        special=False,
    ),
]

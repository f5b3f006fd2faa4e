"""Rows of tensorgrad/ops/elementwise/special.py."""

import math

import numpy as np

import tensorgrad as tg
from cases.table import BINARY, UNARY, Row, bad, between, extended, nonzero, normal, positive, sample
from tensorgrad.ops.elementwise import special

# PyTorch's trigamma function has ten digits below 4.
large = between(4.0, 9.0)


def each(function):
    """A function of numbers as one of arrays."""
    return lambda x, **params: np.vectorize(lambda v: function(float(v), **params), otypes=[float])(x)


def digamma(x):
    """A derivative of ln Γ by a complex-free five-point rule, after 40 steps of the recurrence."""
    y, h = x + 40, 1e-2
    slope = (-math.lgamma(y + 2 * h) + 8 * math.lgamma(y + h) - 8 * math.lgamma(y - h) + math.lgamma(y - 2 * h)) / (
        12 * h
    )
    return slope - math.fsum(1 / (x + k) for k in range(40))


def polygamma(x, n):
    """±n! Σ 1/(x + k)ⁿ⁺¹, with the integral and half a term for the rest."""
    many = 20000
    tail = (x + many) ** -n / n + (x + many) ** -(n + 1) / 2
    return (-1) ** (n + 1) * math.factorial(n) * (math.fsum((x + k) ** -(n + 1) for k in range(many)) + tail)


TRIGAMMA = {"∂z/∂x = ψ′(x)": lambda x, y, z, p: tg.polygamma(1, tg.tensor(x, dtype="float64")).item()}


def bisected(function, low, high):
    """The inverse of a growing function."""

    def inverse(y):
        a, b = low, high
        for _ in range(200):
            middle = (a + b) / 2
            a, b = (middle, b) if function(middle) < y else (a, middle)
        return (a + b) / 2

    return inverse


def no_float16(name, function):
    return bad(lambda: function(tg.zeros(2, dtype="float16")), tg.DTypeError, name, "float16", "astype")


def unary(name, function, reference, torch_name, domain, **more):
    return Row(
        name,
        function,
        reference,
        torch_name,
        UNARY,
        domains=(domain,),
        integers=more.pop("integers", "float"),
        float16=False,
        special=False,
        **more,
    )


ROWS = [
    unary("erfc", tg.erfc, each(math.erfc), "erfc", between(-3.0, 3.0), errors=[no_float16("erfc", tg.erfc)]),
    unary("erfinv", tg.erfinv, each(bisected(math.erf, -6, 6)), "erfinv", between(-0.9, 0.9), integers=""),
    unary("lgamma", tg.lgamma, each(math.lgamma), "lgamma", large, errors=[no_float16("lgamma", tg.lgamma)]),
    unary("lgamma/small", tg.lgamma, each(math.lgamma), None, positive, integers=""),
    unary("digamma/small", tg.digamma, each(digamma), None, between(-1.8, -1.2), integers="", rules=TRIGAMMA),
    unary("lgamma/negative", tg.lgamma, each(math.lgamma), "lgamma", between(-2.8, -2.2), integers=""),
    unary("digamma", tg.digamma, each(digamma), "digamma", large, rules=TRIGAMMA),
    unary("special.ndtr", special.ndtr, each(lambda x: math.erfc(-x / math.sqrt(2)) / 2), "special.ndtr", normal),
    unary(
        "special.ndtri",
        special.ndtri,
        each(bisected(lambda x: math.erfc(-x / math.sqrt(2)) / 2, -8, 8)),
        "special.ndtri",
        between(0.05, 0.95),
        integers="",
    ),
    Row("sinc", tg.sinc, np.sinc, "sinc", [*UNARY, sample(np.array([0.0, 1.0]), smooth=False)], special=False),
    Row(
        "special.entr",
        special.entr,
        lambda x: -x * np.log(x),
        "special.entr",
        UNARY,
        domains=(positive,),
        special=False,
    ),
    unary("logit", tg.logit, lambda x: np.log(x) - np.log1p(-x), "logit", between(0.1, 0.9), integers=""),
    Row(
        "logit/eps",
        tg.logit,
        lambda x, eps: np.log(np.clip(x, eps, 1 - eps)) - np.log1p(-np.clip(x, eps, 1 - eps)),
        "logit",
        [sample(np.array([0.0, 0.1, 0.3, 0.5, 1.0]), eps=0.2, smooth=False)],
        float16=False,
        special=False,
    ),
    Row(
        "xlogy",
        tg.xlogy,
        extended(lambda x, y: x * np.log(y)),
        "xlogy",
        BINARY,
        domains=(nonzero, positive),
        integers="float",
    ),
    Row(
        "special.xlog1py",
        special.xlog1py,
        extended(lambda x, y: x * np.log1p(y)),
        "special.xlog1py",
        BINARY,
        domains=(nonzero, positive),
        integers="float",
    ),
]

ROWS += [
    Row(
        "polygamma",
        lambda x, n: tg.polygamma(n, x),
        each(polygamma),
        lambda torch, x, n: torch.polygamma(n, x),
        [sample((2, 3), n=1), sample((), n=2), sample((3,), n=3), sample((0,), n=1)],
        domains=(large,),
        float16=False,
        special=False,
        rules={"∂z/∂x = polygamma(n + 1, x)": lambda x, y, z, p: polygamma(float(x), int(p["n"]) + 1)},
        errors=[
            bad(lambda: tg.polygamma(-1, 1.0), tg.ArgumentError, "polygamma", "n must be ≥ 0, got -1"),
            bad(lambda: tg.polygamma(1.5, 1.0), tg.DTypeError, "polygamma", "n must be an int, got float"),
        ],
    ),
    Row(
        "mvlgamma",
        tg.mvlgamma,
        each(lambda x, p: p * (p - 1) / 4 * math.log(math.pi) + sum(math.lgamma(x - j / 2) for j in range(p))),
        "mvlgamma",
        [sample((2, 3), p=1), sample((3,), p=3), sample((), p=2)],
        domains=(large,),
        float16=False,
        special=False,
        errors=[bad(lambda: tg.mvlgamma(3.0, 0), tg.ArgumentError, "mvlgamma", "p must be ≥ 1, got 0")],
    ),
]

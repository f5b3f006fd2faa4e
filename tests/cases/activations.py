"""Rows of tensorgrad/ops/elementwise/activations.py and tensorgrad/ops/softmax.py."""

import math

import numpy as np

import tensorgrad as tg
from cases.table import UNARY, Row, bad, between, between_halves, normal, sample

KINK = np.array([-1.0, 0.0, 2.0])
# At 10⁴ finite differences have lost the digits that would tell; PyTorch is asked.
LOGITS = np.array([[1e4, 1e4, -1e4], [-1e4, 0.0, 1.0]])


def logistic(x):
    return 0.5 * (1 + np.tanh(x / 2))


def normal_cdf(x):
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2))


def softmax(x, axis=-1):
    # Of each two logits only the difference counts: zᵢ = 1 / Σⱼ e^(xⱼ − xᵢ).
    rows = np.moveaxis(x, axis, -1)
    return np.moveaxis(1 / np.exp(rows[..., None, :] - rows[..., :, None]).sum(-1), -1, axis)


ROWS = [
    Row(
        "relu",
        tg.relu,
        lambda x: np.where(x < 0, 0, x),
        "relu",
        [*UNARY, sample(KINK, smooth=False)],
        domains=(between_halves,),
        integers="same",
    ),
    Row(
        "leaky_relu",
        tg.leaky_relu,
        lambda x, negative_slope=0.01: x * np.where(x > 0, 1, negative_slope),
        "nn.functional.leaky_relu",
        [*UNARY, *(sample((2, 3), negative_slope=s) for s in (0.3, 0.0, -0.5)), sample(KINK, smooth=False)],
        domains=(between_halves,),
        integers="float",
    ),
    Row(
        "elu",
        tg.elu,
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1)),
        "nn.functional.elu",
        [*UNARY, sample((2, 3), alpha=0.5), sample((2, 3), alpha=2.0), sample(KINK, smooth=False)],
        domains=(between_halves,),
        integers="float",
    ),
    Row(
        "gelu",
        tg.gelu,
        lambda x: x * normal_cdf(x),
        "nn.functional.gelu",
        UNARY,
        domains=(between(-3.0, 3.0),),
        integers="float",
        float16=False,
        errors=[
            bad(lambda: tg.gelu(tg.zeros(2, dtype="float16")), tg.DTypeError, "gelu", "float16", "astype"),
            bad(lambda: tg.gelu(tg.zeros(2), approximate="erf"), tg.ArgumentError, "gelu", "'erf'", '"none" or "tanh"'),
        ],
    ),
    Row(
        "gelu/tanh",
        lambda x: tg.gelu(x, approximate="tanh"),
        lambda x: x * logistic(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
        lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
        UNARY,
        domains=(between(-3.0, 3.0),),
        integers="float",
    ),
    Row("silu", tg.silu, lambda x: x * logistic(x), "nn.functional.silu", UNARY, integers="float"),
    Row(
        "softplus",
        tg.softplus,
        lambda x, beta=1.0: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x * beta))) / beta,
        "nn.functional.softplus",
        [*UNARY, sample((2, 3), beta=2.0), sample((2, 3), beta=0.5)],
        integers="float",
    ),
    Row("sigmoid", tg.sigmoid, logistic, "sigmoid", UNARY, integers="float"),
    Row(
        "softmax",
        tg.softmax,
        softmax,
        lambda torch, x, axis: torch.softmax(x, axis),
        [
            sample((3,), axis=0),
            sample((2, 4), axis=-1),
            sample((2, 4), axis=0),
            sample((2, 3, 2), axis=1),
            sample((2, 1), axis=1),
            sample((0, 3), axis=1),
            sample((3, 0), axis=0),
            sample(LOGITS, axis=-1),
        ],
        domains=(normal,),
        integers="float",
        special=False,
        errors=[
            bad(lambda: tg.softmax(tg.zeros(2, 3), axis=2), tg.RangeError, "softmax", "(2, 3)", "dim: 2"),
        ],
    ),
    Row(
        "log_softmax",
        tg.log_softmax,
        lambda x, axis: -np.logaddexp.reduce(x, axis, keepdims=True) + x,
        lambda torch, x, axis: torch.log_softmax(x, axis),
        [
            sample((3,), axis=0),
            sample((2, 4), axis=-1),
            sample((2, 4), axis=0),
            sample((2, 3, 2), axis=1),
            sample((2, 1), axis=1),
            sample((0, 3), axis=1),
            sample(LOGITS, axis=-1, smooth=False),
        ],
        domains=(normal,),
        integers="float",
        special=False,
        errors=[
            bad(lambda: tg.log_softmax(tg.zeros(2, 3), axis=-3), tg.RangeError, "log_softmax", "(2, 3)", "dim: -3")
        ],
    ),
]

"""Elementwise ops: arithmetic, functions of one number, comparisons, activations."""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any, Literal

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import check_broadcast
from tensorgrad.onnx.table import Host, op

UNARY: dict[str, Callable[[Any], Any]] = {
    "Abs": tg.abs, "Acos": tg.acos, "Acosh": tg.acosh, "Asin": tg.asin, "Asinh": tg.asinh, "Atan": tg.atan,
    "Atanh": tg.atanh, "BitwiseNot": tg.bitwise_not, "Ceil": tg.ceil, "Cos": tg.cos, "Cosh": tg.cosh, "Erf": tg.erf,
    "Exp": tg.exp, "Floor": tg.floor, "HardSwish": F.hardswish, "IsNaN": tg.isnan, "Log": tg.log, "Mish": F.mish,
    "Neg": tg.negative, "Not": tg.logical_not, "Reciprocal": tg.reciprocal, "Relu": tg.relu, "Round": tg.round,
    "Sigmoid": tg.sigmoid, "Sign": tg.sign, "Sin": tg.sin, "Sinh": tg.sinh, "Softplus": tg.softplus,
    "Softsign": F.softsign, "Sqrt": tg.sqrt, "Tan": tg.tan, "Tanh": tg.tanh,
}  # fmt: skip

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": tg.add, "Sub": tg.subtract, "Mul": tg.multiply, "And": tg.logical_and, "Or": tg.logical_or,
    "Xor": tg.logical_xor, "Equal": tg.eq, "Greater": tg.greater, "GreaterOrEqual": tg.greater_equal, "Less": tg.less,
    "LessOrEqual": tg.less_equal, "BitwiseAnd": tg.bitwise_and, "BitwiseOr": tg.bitwise_or,
    "BitwiseXor": tg.bitwise_xor,
}  # fmt: skip


def _divide(x: Any, y: Any) -> Any:
    """x / y; whole numbers are rounded towards 0."""
    return tg.divide(x, y) if is_float(x.dtype) else tg.divide(x, y, rounding_mode="trunc")


def _power(x: Any, y: Any) -> Any:
    """xʸ in the dtype of x."""
    wider = np.result_type(x.dtype, y.dtype)
    return tg.pow(x.to(wider), y.to(wider)).to(x.dtype)


BINARY |= {"Div": _divide, "Pow": _power}


def _enter_unary(name: str, function: Callable[[Any], Any]) -> None:
    @op(name)
    def handler(x):
        return function(x)


def _enter_binary(name: str, function: Callable[[Any, Any], Any]) -> None:
    @op(name)
    def aligned(x, y, *, axis: int | None = None, broadcast: int = 0):
        if broadcast and axis is not None:  # (C,) at axis 1 of (N, C, H, W) -> (C, 1, 1)
            y = y.reshape(*y.shape, *[1] * (x.ndim - axis % x.ndim - y.ndim))
        check_broadcast(name, x.shape, y.shape)
        return function(x, y)

    @op(name, since=7)
    def handler(x, y):
        check_broadcast(name, x.shape, y.shape)
        return function(x, y)


for _name, _unary in UNARY.items():
    _enter_unary(_name, _unary)
for _name, _binary in BINARY.items():
    _enter_binary(_name, _binary)


def _enter_variadic(name: str, function: Callable[[Any, Any], Any]) -> None:
    @op(name)
    def handler(x, *others):
        check_broadcast(name, x.shape, *(y.shape for y in others))
        return reduce(function, others, x)


for _name, _binary in {"Max": tg.maximum, "Min": tg.minimum, "Sum": tg.add}.items():
    _enter_variadic(_name, _binary)


@op("Mean")
def mean(x, *others):
    return reduce(tg.add, others, x) / (1 + len(others))


@op("Mod")
def mod(x, y, *, fmod: int = 0):
    return tg.fmod(x, y) if fmod else tg.remainder(x, y)


@op("BitShift")
def bit_shift(x: Host, y: Host, *, direction: Literal["LEFT", "RIGHT"]):
    return (np.left_shift if direction == "LEFT" else np.right_shift)(x, y)


@op("IsInf")
def is_inf(x, *, detect_negative: int = 1, detect_positive: int = 1):
    if detect_negative and detect_positive:
        return tg.isinf(x)
    if not detect_negative and not detect_positive:
        return tg.isnan(x) & ~tg.isnan(x)
    return tg.isposinf(x) if detect_positive else tg.isneginf(x)


@op("Where")
def where(condition, x, y):
    check_broadcast("Where", condition.shape, x.shape, y.shape)
    return tg.where(condition, x, y)


# ------------------------------------------------------------------------------------------------------ activations


@op("Clip")
def clip_between(x, *, min: float | None = None, max: float | None = None):
    return x if min is None and max is None else tg.clip(x, min, max)


@op("Clip", since=11)
def clip(x, min: Host | None = None, max: Host | None = None):
    for limit, pick in ((min, tg.maximum), (max, tg.minimum)):
        if limit is not None and limit.size != 1:
            raise OnnxError("min and max of Clip must be single numbers")
        if limit is not None:
            x = pick(x, tg.tensor(limit.reshape(()), dtype=x.dtype))
    return x


@op("LeakyRelu")
def leaky_relu(x, *, alpha: float = 0.01):
    return tg.leaky_relu(x, alpha)


@op("Elu")
def elu(x, *, alpha: float = 1.0):
    return tg.elu(x, alpha)


@op("Celu")
def celu(x, *, alpha: float = 1.0):
    return tg.celu(x, alpha)


@op("Selu")
def selu(x, *, alpha: float = 1.6732, gamma: float = 1.0507):
    return tg.elu(x, alpha) * gamma


@op("Selu", since=6)
def selu_by_default(x, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875):
    return tg.elu(x, alpha) * gamma


@op("HardSigmoid")
def hard_sigmoid(x, *, alpha: float = 0.2, beta: float = 0.5):
    return (
        F.hardsigmoid(x) if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5 else (x * alpha + beta).clip(0, 1)
    )


@op("ThresholdedRelu")
def thresholded_relu(x, *, alpha: float = 1.0):
    return tg.threshold(x, alpha, 0.0)


@op("Shrink")
def shrink(x, *, bias: float = 0.0, lambd: float = 0.5):
    below, above = (x + bias) * (x < -lambd).to(x.dtype), (x - bias) * (x > lambd).to(x.dtype)
    return (below + above).to(x.dtype)


@op("PRelu")
def prelu(x, slope):
    if slope.ndim == 1 and x.ndim > 2 and slope.shape[0] not in (1, x.shape[-1]):
        slope = slope.reshape(-1, *[1] * (x.ndim - 2))  # before version 7: one for each channel
    return tg.where(x < 0, x * slope, x).to(x.dtype)


@op("Gelu")
def gelu(x, *, approximate: Literal["none", "tanh"] = "none"):
    return tg.gelu(x, approximate=approximate)


@op("Swish")
def swish(x, *, alpha: float = 1.0):
    return tg.silu(x) if alpha == 1 else x * tg.sigmoid(x * alpha)


@op("SwiGLU")
def swiglu(x, y, *, alpha: float = 1.0):
    return swish(x, alpha=alpha) * y


# --------------------------------------------------------------------------------- softmax, one distribution per row


def _enter_softmax(name: str, function: Callable[[Any, int], Any]) -> None:
    @op(name)
    def of_rows(x, *, axis: int = 1):
        # Before version 13: all axes from `axis` on are one. (a, b, c, d) -> (a · b, c · d)
        axis = axis % max(x.ndim, 1)
        rows = x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
        return function(rows, 1).reshape(x.shape)

    @op(name, since=13)
    def along(x, *, axis: int = -1):
        return function(x, axis)


def _hardmax(x: Any, axis: int) -> Any:
    """1 at the first of the largest, else 0."""
    places = tg.arange(x.shape[axis]).reshape(-1, *[1] * (x.ndim - axis % x.ndim - 1))
    return (places == x.argmax(axis, keepdim=True)).to(x.dtype)


ROWWISE: dict[str, Callable[[Any, int], Any]] = {
    "Softmax": tg.softmax,
    "LogSoftmax": tg.log_softmax,
    "Hardmax": _hardmax,
}

for _name, _rowwise in ROWWISE.items():
    _enter_softmax(_name, _rowwise)

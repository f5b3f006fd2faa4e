"""Tensors that are made, and changes of dtype."""

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.onnx.ops.shapes import numbers
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import check_size
from tensorgrad.onnx.reading.tensors import CODES, DTYPES
from tensorgrad.onnx.table import DType, Floats, Host, Ints, Training, op


@op("Constant")
def constant(
    *,
    value: np.ndarray | None = None,
    value_float: float | None = None,
    value_floats: Floats | None = None,
    value_int: int | None = None,
    value_ints: Ints | None = None,
):
    given = [v for v in (value, value_float, value_floats, value_int, value_ints) if v is not None]
    if len(given) != 1:
        raise OnnxError(f"Constant: expected one value, got {len(given)}")
    if value is not None:
        return value
    return np.array(given[0], np.int64 if value_int is not None or value_ints is not None else np.float32)


@op("ConstantOfShape")
def constant_of_shape(shape: Host, *, value: np.ndarray | None = None):
    sizes, number = numbers(shape), np.zeros(1, np.float32) if value is None else value
    check_size("ConstantOfShape", sizes, number.itemsize)
    return np.full(sizes, number.reshape(-1)[0], number.dtype)


@op("Range")
def ranged(start: Host, limit: Host, delta: Host, *, stash_type: int = 1):
    first, last, step = (v.reshape(()).item() for v in (start, limit, delta))
    if step == 0 or not np.isfinite([float(first), float(last), float(step)]).all():
        raise OnnxError(f"Range from {first} to {last} by {step} doesn't end")
    count = max(0, int(np.ceil((last - first) / step)))
    check_size("Range", (count,), start.itemsize)
    return (first + np.arange(count) * step).astype(start.dtype)


@op("EyeLike")
def eye_like(x, *, k: int = 0, dtype: DType | None = None):
    rows, columns = x.shape
    return np.eye(rows, columns, k, dtype=x.dtype if dtype is None else DTYPES[dtype])


@op("Cast")
def cast_by_name(x, *, to: str):
    if to.lower().replace("float", "float32").replace("3232", "32") not in NAMED:
        raise OnnxError(f"Cast to {to}: no such dtype here")
    return cast(x, to=NAMED[to.lower().replace("float", "float32").replace("3232", "32")])


@op("Cast", since=6)
def cast(x, *, to: DType, saturate: int = 1, round_mode: str = "up"):
    dtype = DTYPES[to]
    if is_float(x.dtype) and dtype.kind in "iu":
        return tg.trunc(x).to(dtype)
    return x != 0 if dtype == np.bool_ and x.dtype != dtype else x.to(dtype)


NAMED = {dtype.name: code for dtype, code in CODES.items()} | {"double": 11}


@op("CastLike")
def cast_like(x, target_type, *, saturate: int = 1, round_mode: str = "up"):
    return cast(x, to=CODES[target_type.dtype])


@op("BitCast")
def bit_cast(x: Host, *, to: DType):
    if x.itemsize != DTYPES[to].itemsize:
        raise OnnxError(f"BitCast of {x.dtype} to {DTYPES[to]}: they differ in size")
    return np.ascontiguousarray(x).view(DTYPES[to]).reshape(x.shape)


def _window(size: Host, periodic: int, code: int, weights: list[float]) -> np.ndarray:
    """A sum of cosines over one period: Hann's, Hamming's and Blackman's windows."""
    count = int(size.reshape(()))
    check_size("window", (count,), 8)
    angle = 2 * np.pi * np.arange(count) / max(count if periodic else count - 1, 1)
    terms = np.array([w * np.cos(k * angle) for k, w in enumerate(weights)])
    return terms.sum(0).astype(DTYPES[code])


def _enter_window(name: str, weights: list[float]) -> None:
    @op(name)
    def handler(size: Host, *, periodic: int = 1, output_datatype: DType = 1):
        return _window(size, periodic, output_datatype, weights)


for _name, _weights in {
    "HannWindow": [0.5, -0.5],
    "HammingWindow": [25 / 46, -21 / 46],
    "BlackmanWindow": [0.42, -0.5, 0.08],
}.items():
    _enter_window(_name, _weights)


# ------------------------------------------------------------------------------------------------------------- chance


def _generator(seed: float | None) -> Any:
    return None if seed is None else tg.Generator().manual_seed(int(seed))


@op("RandomNormal", foldable=False)
def random_normal(*, shape: Ints, mean: float = 0.0, scale: float = 1.0, dtype: DType = 1, seed: float | None = None):
    check_size("RandomNormal", shape, 8)
    return tg.randn(*shape, dtype=DTYPES[dtype], generator=_generator(seed)) * scale + mean


@op("RandomNormalLike", foldable=False)
def random_normal_like(
    x, *, mean: float = 0.0, scale: float = 1.0, dtype: DType | None = None, seed: float | None = None
):
    code = CODES[x.dtype] if dtype is None else dtype
    return random_normal(shape=x.shape, mean=mean, scale=scale, dtype=code, seed=seed)


@op("RandomUniform", foldable=False)
def random_uniform(*, shape: Ints, low: float = 0.0, high: float = 1.0, dtype: DType = 1, seed: float | None = None):
    check_size("RandomUniform", shape, 8)
    return tg.rand(*shape, dtype=DTYPES[dtype], generator=_generator(seed)) * (high - low) + low


@op("RandomUniformLike", foldable=False)
def random_uniform_like(
    x, *, low: float = 0.0, high: float = 1.0, dtype: DType | None = None, seed: float | None = None
):
    code = CODES[x.dtype] if dtype is None else dtype
    return random_uniform(shape=x.shape, low=low, high=high, dtype=code, seed=seed)


@op("Bernoulli", foldable=False)
def bernoulli(x, *, dtype: DType | None = None, seed: float | None = None):
    drawn = tg.rand(*x.shape, dtype=x.dtype, generator=_generator(seed)) < x
    return drawn.to(x.dtype if dtype is None else DTYPES[dtype])


@op("Dropout", foldable=False)
def dropout_by_attribute(x, *, ratio: float = 0.5, is_test: int = 0, training: Training):
    return _dropped(x, ratio, bool(training))


@op("Dropout", since=12, foldable=False)
def dropout(
    x, ratio: Host | None = None, training_mode: Host | None = None, *, seed: int | None = None, training: Training
):
    rate = 0.5 if ratio is None else float(ratio.reshape(()))
    return _dropped(x, rate, bool(training) or (training_mode is not None and bool(training_mode.reshape(()))), seed)


def _dropped(x: Any, rate: float, training: bool, seed: int | None = None) -> Any:
    if not training or rate == 0:
        return x, tg.ones(*x.shape, dtype=tg.bool)
    kept = tg.rand(*x.shape, generator=_generator(seed)) >= rate
    return tg.where(kept, x * (1 / (1 - rate)), tg.zeros_like(x)), kept

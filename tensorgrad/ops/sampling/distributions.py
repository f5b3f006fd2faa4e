"""Random numbers in the shape and dtype of a tensor: what `x.normal_()` and its kin write. No gradient flows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import guard, host_call
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.ops.operands import TensorLike, as_tensor, number
from tensorgrad.ops.sampling.samples import are_chances, successes

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__: list[str] = []

Generator = np.random.Generator


def uniform(input: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Uniform on [from_, to)."""
    low, high = number("uniform_", "from", from_), number("uniform_", "to", to)
    if not low <= high:
        raise ArgumentError(restate("uniform_", f"from must be ≤ to, got {low} and {high}", tensor=input))
    return _drawn("uniform_", input, generator, _uniform, low, high)


def normal_like(input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Normal with a mean and a standard deviation."""
    deviation = _not_negative("normal_", "std", std, input)
    return _drawn("normal_", input, generator, _normal, number("normal_", "mean", mean), deviation)


def log_normal(input: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """The exponential of a normal number with a mean and a standard deviation."""
    deviation = _positive("log_normal_", "std", std, input)
    return _drawn("log_normal_", input, generator, _log_normal, number("log_normal_", "mean", mean), deviation)


def exponential(input: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Exponential with the rate lambd: the mean is 1 / lambd."""
    return _drawn("exponential_", input, generator, _exponential, _positive("exponential_", "lambd", lambd, input))


def cauchy(input: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Cauchy with a median and half the distance between the quartiles."""
    width = _positive("cauchy_", "sigma", sigma, input)
    return _drawn("cauchy_", input, generator, _cauchy, number("cauchy_", "median", median), width)


def geometric(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """How many trials with the probability p there are up to the first success."""
    chance = number("geometric_", "p", p)
    if not 0 < chance < 1:
        raise ArgumentError(restate("geometric_", f"p must be in (0, 1), got {chance}", tensor=input))
    return _drawn("geometric_", input, generator, _geometric, chance, floats=False)


def random(
    input: Tensor, from_: int | None = None, to: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Integers, uniform on [from_, to): `random_(to)` from 0; by default all that the dtype represents exactly."""
    dtype = input.dtype
    if from_ is None and to is None:
        exact = {"f": 2 ** (np.finfo(dtype).nmant + 1) if is_float(dtype) else 0, "b": 2}
        low, high = 0, exact[dtype.kind] if dtype.kind in exact else int(np.iinfo(dtype).max)
    else:
        bounds = (0, from_) if to is None else (from_ or 0, to)
        low, high = [int(number("random_", name, k)) for name, k in zip(("from", "to"), bounds, strict=True)]
    if not low < high:
        raise ArgumentError(restate("random_", f"from must be < to, got {low} and {high}", tensor=input))
    return _drawn("random_", input, generator, _integers, low, high, floats=False)


def bernoulli_like(input: Tensor, p: TensorLike = 0.5, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability p, which may be a tensor that broadcasts, else 0."""
    if isinstance(p, (Variable, np.ndarray, list, tuple)):
        chances, source = as_tensor(p), checked_generator("bernoulli_", generator)
        if not guard(are_chances, chances._data):
            raise ArgumentError(restate("bernoulli_", "p must be in [0, 1]", tensor=input, p=chances))
        return wrap(host_call(successes, source, chances._data, input.shape, input.dtype))
    chance = number("bernoulli_", "p", p)
    if not 0 <= chance <= 1:
        raise ArgumentError(restate("bernoulli_", f"p must be in [0, 1], got {chance}", tensor=input))
    return _drawn("bernoulli_", input, generator, _bernoulli, chance, floats=False)


def _drawn(
    call: str, x: Tensor, generator: Generator | None, draw: Callable[..., Any], *settings: float, floats: bool = True
) -> Tensor:
    """Random numbers like x. A compiled function draws anew in each replay."""
    source = checked_generator(call, generator)
    if floats and not is_float(x.dtype):
        fix = "random_ and bernoulli_ write integers" if call != "random_" else ""
        raise DTypeError(restate(call, f"the tensor must be of floats, got {x.dtype}", fix=fix, tensor=x))
    return wrap(host_call(_as_dtype, draw, source, x.shape, x.dtype, *settings))


def _as_dtype(draw: Callable, source: Generator, shape: tuple[int, ...], dtype: np.dtype, *settings: float) -> Any:
    z = np.asarray(draw(source, shape, *settings)).astype(dtype)
    if draw is _uniform:
        low, high = settings
        z[z >= high] = low  # rounded up to the bound
    return z


def _uniform(source: Generator, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    return source.uniform(low, high, shape)


def _normal(source: Generator, shape: tuple[int, ...], mean: float, std: float) -> np.ndarray:
    return source.normal(mean, std, shape)


def _log_normal(source: Generator, shape: tuple[int, ...], mean: float, std: float) -> np.ndarray:
    return source.lognormal(mean, std, shape)


def _exponential(source: Generator, shape: tuple[int, ...], rate: float) -> np.ndarray:
    return source.exponential(1 / rate, shape)


def _cauchy(source: Generator, shape: tuple[int, ...], median: float, sigma: float) -> np.ndarray:
    return median + sigma * source.standard_cauchy(shape)


def _geometric(source: Generator, shape: tuple[int, ...], p: float) -> np.ndarray:
    return source.geometric(p, shape)


def _integers(source: Generator, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    return source.integers(low, high, shape)


def _bernoulli(source: Generator, shape: tuple[int, ...], p: float) -> np.ndarray:
    return source.random(shape) < p


def _positive(call: str, name: str, value: float, x: Tensor) -> float:
    given = number(call, name, value)
    if not 0 < given < math.inf:
        raise ArgumentError(restate(call, f"{name} must be > 0, got {given}", tensor=x))
    return given


def _not_negative(call: str, name: str, value: float, x: Tensor) -> float:
    given = number(call, name, value)
    if not given >= 0:
        raise ArgumentError(restate(call, f"{name} must be ≥ 0, got {given}", tensor=x))
    return given

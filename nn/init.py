"""Initial values of parameters. Each function fills a tensor in place, without recording a gradient, and returns it.

Random values come from `generator`, or by default from the package's generator, which `tg.manual_seed` seeds.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.engine import no_grad
from tensorgrad.errors import ArgumentError, ShapeError, restate, restated
from tensorgrad.tensor import Tensor

T = TypeVar("T", bound=Tensor)
Generator = np.random.Generator | None


def constant_(tensor: T, value: float) -> T:
    """Fill with one value, a number."""
    return _filled(tensor, value)


def zeros_(tensor: T) -> T:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: T) -> T:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> T:
    """Fill with values uniform on [a, b)."""
    with restated("uniform_", tensor=tensor, a=a, b=b):
        values = _pick(generator).uniform(a, b, tensor.shape)
    return _filled(tensor, values)


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> T:
    """Fill with normally distributed values of mean `mean` and standard deviation `std`."""
    with restated("normal_", tensor=tensor, mean=mean, std=std):
        values = _pick(generator).normal(mean, std, tensor.shape)
    return _filled(tensor, values)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor for the standard deviation of weights that keeps the variance through a nonlinearity; PyTorch's table.

    1 for linear, conv1d, conv2d and sigmoid, 5/3 for tanh, √2 for relu, √(2 / (1 + param²)) for leaky_relu, 3/4 for
    selu.

    Args:
        nonlinearity: one of these names.
        param: the slope of leaky_relu below 0; 0.01 by default.

    Raises:
        ArgumentError: another name.

    >>> calculate_gain("relu") == 2**0.5
    True
    """
    slope = 0.01 if param is None else param
    gains = {
        "linear": 1.0,
        "conv1d": 1.0,
        "conv2d": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1 + slope**2)),
        "selu": 0.75,
    }
    if nonlinearity not in gains:
        problem = f"nonlinearity must be one of {', '.join(gains)}, got {nonlinearity!r}"
        raise ArgumentError(restate("calculate_gain", problem, nonlinearity=nonlinearity))
    return gains[nonlinearity]


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Uniform on ±gain · √(6 / (fan_in + fan_out)), which keeps the variance forward and backward; for tanh.

    Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural Networks, AISTATS 2010.

    Args:
        tensor: weights `(out, in, ...)`.
        gain: a factor, see `calculate_gain`.
        generator: the source of random numbers.

    Raises:
        ShapeError: fewer than two axes.
    """
    fan_in, fan_out = fans("xavier_uniform_", tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Normal with standard deviation gain · √(2 / (fan_in + fan_out)); see `xavier_uniform_`."""
    fan_in, fan_out = fans("xavier_normal_", tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> T:
    """Uniform on ±gain · √(3 / fan), which keeps the variance through layers with rectifiers.

    He et al., Delving Deep into Rectifiers, ICCV 2015.

    Args:
        tensor: weights `(out, in, ...)`.
        a: the slope of leaky_relu below 0. √5 makes the bound 1/√fan_in, the default of Linear and Conv2d.
        mode: "fan_in" keeps the variance forward, "fan_out" backward.
        nonlinearity: the activation after the layer, a name that `calculate_gain` accepts.
        generator: the source of random numbers.

    Raises:
        ShapeError: fewer than two axes.
        ArgumentError: another mode or nonlinearity.
    """
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> T:
    """Normal with standard deviation gain / √fan; see `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def fans(call: str, tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out): the inputs of each output and the outputs of each input; channels times kernel size.

    >>> import tensorgrad as tg
    >>> fans("conv", tg.zeros(6, 3, 5, 5))
    (75, 150)
    """
    if tensor.ndim < 2:
        problem = f"tensor must have two axes or more, weights (out, in, ...), got {tensor.ndim}"
        raise ShapeError(restate(call, problem, tensor=tensor))
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _kaiming_std(call: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        problem = f'mode must be "fan_in" or "fan_out", got {mode!r}'
        raise ArgumentError(restate(call, problem, tensor=tensor, mode=mode))
    fan = fans(call, tensor)[mode == "fan_out"]
    # A layer without inputs has fan 0, and no values to draw.
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def _filled(tensor: T, values: float | np.ndarray) -> T:
    with no_grad():
        tensor[...] = values
    return tensor


def _pick(generator: Generator) -> np.random.Generator:
    return default_generator() if generator is None else generator

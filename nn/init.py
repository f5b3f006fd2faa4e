"""Initial values of parameters. Each function fills a tensor in place, without recording a gradient, and returns it.

Random values come from `generator`, or by default from the package's generator, which `tg.manual_seed` seeds.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate, restated
from tensorgrad.nn.truncated import truncated_normal
from tensorgrad.ops.operands import number
from tensorgrad.tensor import Tensor
from tensorgrad.tensor.data import Data

T = TypeVar("T", bound=Tensor)
Generator = np.random.Generator | None


def constant_(tensor: T, val: float) -> T:
    """Fill with one value, a number. Like all functions here it raises DTypeError for what isn't a tensor."""
    _check_tensor("constant_", tensor)
    return _filled(tensor, val)


def zeros_(tensor: T) -> T:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: T) -> T:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> T:
    """Fill with values uniform on [a, b)."""
    _check_tensor("uniform_", tensor)
    with restated("uniform_", tensor=tensor, a=a, b=b):
        values = checked_generator("uniform_", generator).uniform(a, b, tensor.shape)
    return _filled(tensor, values)


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> T:
    """Fill with normally distributed values of mean `mean` and standard deviation `std`."""
    _check_tensor("normal_", tensor)
    with restated("normal_", tensor=tensor, mean=mean, std=std):
        values = checked_generator("normal_", generator).normal(mean, std, tensor.shape)
    return _filled(tensor, values)


def trunc_normal_(
    tensor: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator = None
) -> T:
    """Fill with normally distributed values, drawn again where they lie outside [a, b].

    Args:
        tensor: what to fill.
        mean: the mean of the normal distribution.
        std: its standard deviation, > 0.
        a: the lower bound; −∞ is allowed.
        b: the upper bound, > a; ∞ is allowed.
        generator: the source of random numbers.

    Raises:
        ArgumentError: a std that isn't above 0, or bounds that leave nothing between them.

    >>> import numpy as np, tensorgrad as tg
    >>> t = trunc_normal_(tg.zeros(1000), std=5.0)
    >>> bool(np.abs(t.data).max() <= 2)
    True
    """
    _check_tensor("trunc_normal_", tensor)
    mean, std, a, b = (number("trunc_normal_", *given) for given in (("mean", mean), ("std", std), ("a", a), ("b", b)))
    if not std > 0:
        raise ArgumentError(restate("trunc_normal_", f"std must be > 0, got {std}", tensor=tensor, std=std))
    if not a < b:
        raise ArgumentError(restate("trunc_normal_", f"a must be < b, got {a} and {b}", tensor=tensor, a=a, b=b))
    low, high = (a - mean) / std, (b - mean) / std
    values = truncated_normal(checked_generator("trunc_normal_", generator), low, high, math.prod(tensor.shape))
    return _filled(tensor, np.clip(mean + std * values, a, b).reshape(tensor.shape))


def eye_(tensor: T) -> T:
    """Fill a matrix with the identity: ones on the diagonal.

    Raises ShapeError unless there are two axes.

    >>> import tensorgrad as tg
    >>> eye_(tg.zeros(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    _check_axes("eye_", tensor, 2, 2, "a matrix")
    return _filled(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: T, groups: int = 1) -> T:
    """Fill a convolution's weights so that it hands on its channels as they are: a 1 in the middle of each own kernel.

    Args:
        tensor: weights `(out, in / groups, ...)` with one to three axes of kernels.
        groups: the groups of the convolution; each hands on its channels.

    Raises:
        ShapeError: another number of axes.
        ArgumentError: groups that don't divide the output channels.

    >>> import tensorgrad as tg
    >>> x, w = tg.randn(1, 2, 5, 5), dirac_(tg.zeros(2, 2, 3, 3))
    >>> bool((tg.conv2d(x, w, padding=1) == x).all())
    True
    """
    _check_axes("dirac_", tensor, 3, 5, "weights (out, in, ...) of a convolution")
    out, channels, *kernel = tensor.shape
    if not isinstance(groups, int) or groups < 1 or out % groups:
        problem = f"groups must divide the {out} output channels, got {groups}"
        raise ArgumentError(restate("dirac_", problem, tensor=tensor, groups=groups))
    values, own = np.zeros(tensor.shape), np.arange(min(out // groups, channels))
    middle: Any = [size // 2 for size in kernel]
    for first in range(0, out, out // groups if out else 1):
        values[first + own, own, *middle] = 1
    return _filled(tensor, values)


def orthogonal_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Fill with a random orthogonal matrix, of orthonormal rows or columns, whichever are fewer; times `gain`.

    Saxe, McClelland and Ganguli, Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural Networks,
    ICLR 2014.

    Args:
        tensor: weights `(out, ...)`, taken as a matrix of `out` rows.
        gain: a factor, see `calculate_gain`.
        generator: the source of random numbers.

    Raises:
        ShapeError: fewer than two axes.

    >>> import numpy as np, tensorgrad as tg
    >>> w = orthogonal_(tg.zeros(3, 5)).data
    >>> np.allclose(w @ w.T, np.eye(3), atol=1e-6)
    True
    """
    _check_axes("orthogonal_", tensor, 2, math.inf, "weights (out, in, ...)")
    gain = number("orthogonal_", "gain", gain)
    if 0 in tensor.shape:
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = checked_generator("orthogonal_", generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    # With these signs all orthogonal matrices are equally likely: Mezzadri, arXiv math-ph/0609050.
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return _filled(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def sparse_(tensor: T, sparsity: float, std: float = 0.01, generator: Generator = None) -> T:
    """Fill a matrix with normal values, and a share of each column with zeros.

    Martens, Deep Learning via Hessian-free Optimization, ICML 2010.

    Args:
        tensor: a matrix.
        sparsity: the share of zeros in each column, in [0, 1]; rounded up to whole elements.
        std: the standard deviation of the others.
        generator: the source of random numbers.

    Raises:
        ShapeError: no matrix.
        ArgumentError: a share outside [0, 1].

    >>> import tensorgrad as tg
    >>> (sparse_(tg.ones(4, 3), 0.5).data == 0).sum(0).tolist()
    [2, 2, 2]
    """
    _check_axes("sparse_", tensor, 2, 2, "a matrix")
    sparsity, std = number("sparse_", "sparsity", sparsity), number("sparse_", "std", std)
    if not 0 <= sparsity <= 1:
        problem = f"sparsity must be in [0, 1], got {sparsity}"
        raise ArgumentError(restate("sparse_", problem, tensor=tensor, sparsity=sparsity))
    random = checked_generator("sparse_", generator)
    with restated("sparse_", tensor=tensor, std=std):
        values = random.normal(0.0, std, tensor.shape)
    chosen = random.permuted(np.broadcast_to(np.arange(tensor.shape[0])[:, None], tensor.shape), axis=0)
    return _filled(tensor, np.where(chosen < math.ceil(sparsity * tensor.shape[0]), 0.0, values))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor for the standard deviation of weights that keeps the variance through a nonlinearity; PyTorch's table.

    1 for linear, conv1d … conv3d, conv_transpose1d … conv_transpose3d and sigmoid, 5/3 for tanh, √2 for relu,
    √(2 / (1 + param²)) for leaky_relu, 3/4 for selu.

    Args:
        nonlinearity: one of these names.
        param: the slope of leaky_relu below 0; 0.01 by default.

    Raises:
        ArgumentError: another name.

    >>> calculate_gain("relu") == 2**0.5
    True
    """
    slope = 0.01 if param is None else number("calculate_gain", "param", param)
    layers = ("linear", *(f"conv{way}{axes}d" for way in ("", "_transpose") for axes in (1, 2, 3)), "sigmoid")
    gains = dict.fromkeys(layers, 1.0) | {
        "tanh": 5 / 3,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1 + slope**2)),
        "selu": 0.75,
    }
    if not isinstance(nonlinearity, str) or nonlinearity not in gains:
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
    gain = number("xavier_uniform_", "gain", gain)
    fan_in, fan_out = fans("xavier_uniform_", tensor)
    bound = gain * math.sqrt(6.0 / max(fan_in + fan_out, 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Normal with standard deviation gain · √(2 / (fan_in + fan_out)); see `xavier_uniform_`."""
    gain = number("xavier_normal_", "gain", gain)
    fan_in, fan_out = fans("xavier_normal_", tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / max(fan_in + fan_out, 1)), generator)


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
    _check_tensor(call, tensor)
    if tensor.ndim < 2:
        problem = f"tensor must have two axes or more, weights (out, in, ...), got {tensor.ndim}"
        raise ShapeError(restate(call, problem, tensor=tensor))
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """`fans` under PyTorch's name, which copies of its layers call."""
    return fans("_calculate_fan_in_and_fan_out", tensor)


def _check_tensor(call: str, tensor: Any) -> None:
    if not isinstance(tensor, (Tensor, Data)):  # `weight.data`, as scripts for PyTorch write
        raise DTypeError(restate(call, f"only a tensor can be filled, got {type(tensor).__name__}", tensor=tensor))


def _check_axes(call: str, tensor: Tensor, fewest: float, most: float, expected: str) -> None:
    _check_tensor(call, tensor)
    if not fewest <= tensor.ndim <= most:
        raise ShapeError(restate(call, f"tensor must be {expected}, got {tensor.ndim} axes", tensor=tensor))


def _kaiming_std(call: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    mode = mode.lower() if isinstance(mode, str) else mode
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

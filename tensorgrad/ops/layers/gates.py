"""Activation functions along an axis: the gated linear unit, softmin and random choices by Gumbel noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import constant, host_call
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise.activations import sigmoid
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating, number
from tensorgrad.ops.reduce.extremes import argmax
from tensorgrad.ops.softmax import softmax
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


@numpy_spellings
def glu(input: TensorLike, dim: int = -1) -> Tensor:
    """a · σ(b), where a and b are the halves of the input along `dim`: the gated linear unit.

    Dauphin et al., Language Modeling with Gated Convolutional Networks, ICML 2017.

    Args:
        input: floats, with an even size along `dim`.
        dim: the axis to halve.

    Raises:
        ShapeError: an odd size along `dim`, or an input without axes.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.glu(tg.tensor([3.0, 0.0]))
    tensor([1.5])
    """
    x = floating(input)
    if not x.ndim:
        raise ShapeError(restate("glu", "input must have an axis to halve, got a scalar", input=x))
    axis = normalize_axis("glu", x, dim, "dim")
    if x.shape[axis] % 2:
        problem = f"the size along dim must be even, got {x.shape[axis]}"
        raise ShapeError(restate("glu", problem, input=x, dim=dim))
    before, half = (slice(None),) * axis, x.shape[axis] // 2
    return x[(*before, slice(half))] * sigmoid(x[(*before, slice(half, None))])


@numpy_spellings
def softmin(input: TensorLike, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike = None) -> Tensor:
    """zᵢ = e^−xᵢ / Σⱼ e^−xⱼ along `dim`: the softmax of −x. Same shape as the input.

    Args:
        input: floats of any shape.
        dim: the axis; None for PyTorch's choice, axis 0 of inputs with 0, 1 or 3 axes, else axis 1.
        _stacklevel: accepted for PyTorch's scripts, and without effect.
        dtype: convert the input to this float dtype first.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.softmin(tg.tensor([-1.0, 2.0]), 0)
    tensor([0.9526, 0.0474])
    """
    x = floating(input)
    return softmax(-x, (0 if x.ndim in (0, 1, 3) else 1) if dim is None else dim, dtype=dtype)


@numpy_spellings
def gumbel_softmax(
    logits: TensorLike, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1, *, generator: Any = None
) -> Tensor:
    """A random choice among classes that a gradient flows through: softmax((logits + noise) / τ) along `dim`.

    The noise is −ln of exponential numbers, so the largest sum is class i with the probability softmax(logits)ᵢ. Jang,
    Gu and Poole, Categorical Reparameterization with Gumbel-Softmax, ICLR 2017.

    Args:
        logits: unnormalized logarithms of probabilities, floats of any shape.
        tau: τ > 0; the lower it is, the closer the result is to a choice of one class.
        hard: give 1 for the chosen class and 0 for others; the gradient is still that of the softmax.
        eps: accepted for PyTorch's older scripts, and without effect.
        dim: the axis of the classes.
        generator: the source of random numbers, by default the package's generator.

    Raises:
        ArgumentError: a τ that isn't positive.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.nn.functional.gumbel_softmax(tg.zeros(3), hard=True, generator=np.random.default_rng(0))
    tensor([0., 0., 1.])
    """
    x, call = floating(logits), "gumbel_softmax"
    hard = flag(call, "hard", hard)
    if not number(call, "tau", tau) > 0:
        raise ArgumentError(restate(call, f"tau must be > 0, got {tau}", logits=x, tau=tau))
    axis = normalize_axis(call, x, dim, "dim")
    noise = as_tensor(host_call(_gumbel, checked_generator(call, generator), x.shape, x.dtype))
    soft = softmax((x + noise) / tau, axis)
    if not hard:
        return soft
    chosen = argmax(soft, axis, True) if x.ndim else argmax(soft)
    # (C,) -> (C, 1, ...), beside the chosen classes (..., 1, ...)
    classes = np.arange(x.shape[axis]).reshape(-1, *[1] * (x.ndim - 1 - axis)) if x.ndim else np.array(0)
    one_hot = (constant(classes) == chosen).astype(x.dtype)
    return one_hot - soft.detach() + soft


def _gumbel(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.asarray(-np.log(generator.exponential(size=shape)), dtype)

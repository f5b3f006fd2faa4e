"""Gradient clipping: by the norm of all gradients together, or value by value."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tensorgrad.arrays.quiet import quiet
from tensorgrad.autograd.engine import host_call
from tensorgrad.errors import ArgumentError, TensorgradError, restate
from tensorgrad.kernels.reduce import sums
from tensorgrad.nn.optim.options import non_negative
from tensorgrad.ops.operands import flag
from tensorgrad.tensor import Tensor


class NonFiniteError(TensorgradError, RuntimeError):
    """A NaN or an infinity with which training can't go on."""


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale the gradients, in place, so that their common norm is at most `max_norm`.

        g ← g · min(1, max_norm / (‖all g‖ + 10⁻⁶))

    Args:
        parameters: one tensor or several; those without a gradient are skipped.
        max_norm: the bound, ≥ 0; with `math.inf` the norm is measured, and nothing changes.
        norm_type: p > 0 of the p-norm; `math.inf` for the largest magnitude.
        error_if_nonfinite: raise where the norm is NaN or infinite, before any gradient is changed.

    Returns:
        The norm before clipping, a scalar tensor, in float32 for float16; 0 without any gradient.

    Raises:
        ArgumentError: a bound or a p outside its range.
        NonFiniteError: the norm is NaN or infinite, if asked for.

    Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, ICML 2013.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> clip_grad_norm_([w], max_norm=1.0), w.grad
    (tensor(5.), tensor([0.6, 0.8]))
    """
    call = "clip_grad_norm_"
    error_if_nonfinite = flag(call, "error_if_nonfinite", error_if_nonfinite)
    if max_norm != math.inf:
        non_negative(call, max_norm=max_norm)
    if not norm_type > 0:
        raise ArgumentError(restate(call, "norm_type must be > 0, or math.inf", norm_type=norm_type))
    return host_call(_clip_norm, _all(parameters), max_norm, norm_type, error_if_nonfinite, effect=True)


@quiet
def _clip_norm(parameters: tuple[Tensor, ...], max_norm: float, norm_type: float, error_if_nonfinite: bool) -> Tensor:
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return Tensor(0.0)
    norms = [_norm(g.data, norm_type) for g in gradients]
    total = _norm(np.array(norms), norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        fix = "look for the step where the loss explodes; a smaller learning rate may help"
        problem = f"the norm of the gradients is {total}"
        raise NonFiniteError(restate("clip_grad_norm_", problem, fix=fix, norm_type=norm_type))
    factor = max_norm / (total + 1e-6) if max_norm < math.inf else 1.0
    if not factor >= 1:  # so that a NaN reaches all gradients, as in PyTorch
        for g in gradients:
            # Half precision couldn't hold a small factor.
            wide = np.promote_types(g.dtype, np.float32)
            g.data = np.multiply(g.data, factor, out=g.data, dtype=wide, casting="same_kind")
    return Tensor(total, dtype=np.promote_types(gradients[0].dtype, np.float32))


def _norm(x: np.ndarray, norm_type: float) -> float:
    """The norm in float64; where a square overflows, of the scaled array."""
    if norm_type != 2:
        return float(np.linalg.norm(x.ravel().astype(np.float64), norm_type))
    square = float(sums.total(x, squares=True, dtype=sums.FLOAT64))
    if square != math.inf:
        return math.sqrt(square)
    largest = float(np.abs(x).max())
    return largest if largest == math.inf else largest * math.sqrt(sums.total(x / largest, squares=True))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Bound every element of the gradients, in place: g ← min(max(g, −clip_value), clip_value).

    Args:
        parameters: one tensor or several; those without a gradient are skipped.
        clip_value: the bound, ≥ 0.

    Raises:
        ArgumentError: a negative bound.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([3.0, -4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> clip_grad_value_([w], 3.5)
    >>> w.grad
    tensor([ 3. , -3.5])
    """
    non_negative("clip_grad_value_", clip_value=clip_value)
    host_call(_clip_values, _all(parameters), clip_value, effect=True)


def _clip_values(parameters: tuple[Tensor, ...], clip_value: float) -> None:
    for g in (p.grad for p in parameters if p.grad is not None):
        g.data = np.clip(g.data, -clip_value, clip_value, out=g.data)


def _all(parameters: Tensor | Iterable[Tensor]) -> tuple[Tensor, ...]:
    return (parameters,) if isinstance(parameters, Tensor) else tuple(parameters)

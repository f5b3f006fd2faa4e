"""The bilinear product of two inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.errors import ShapeError, restate
from tensorgrad.ops.linear import linear
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["bilinear"]


@numpy_spellings
def bilinear(input1: TensorLike, input2: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """z_k = xᵀ · W_k · y + b_k: a linear function of x for each y, and the other way round.

    Args:
        input1: x, floats `(..., I)`.
        input2: y, floats `(..., J)`, equal to x in all axes but the last.
        weight: W, `(K, I, J)`.
        bias: b, `(K,)`, or None.

    Returns:
        `(..., K)`.

    Raises:
        ShapeError: inputs or a weight that don't fit.

    >>> import tensorgrad as tg
    >>> tg.bilinear(tg.tensor([2.0, 3.0]), tg.tensor([5.0]), tg.ones(1, 2, 1))
    tensor([25.])
    """
    x, y, w = floating(input1), floating(input2), floating(weight)
    sizes = (x.shape[-1:], y.shape[-1:])
    if not x.ndim or x.shape[:-1] != y.shape[:-1] or w.ndim != 3 or (w.shape[1:2], w.shape[2:]) != sizes:
        problem = "input1, input2 and weight must be (..., I), (..., J) and (K, I, J)"
        raise ShapeError(restate("bilinear", problem, input1=x, input2=y, weight=w))
    # (..., I, 1) · (..., 1, J) -> (..., I · J)
    products = (x.unsqueeze(-1) * y.unsqueeze(-2)).reshape(*x.shape[:-1], w.shape[1] * w.shape[2])
    return linear(products, w.reshape(w.shape[0], w.shape[1] * w.shape[2]), bias)

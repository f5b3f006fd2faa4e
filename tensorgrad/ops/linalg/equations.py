"""Inverses of matrices, and systems of linear equations.

The gradients are those of Giles, An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation, Oxford 2008.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ShapeError, restate
from tensorgrad.formulas.symbolic import function, transposed
from tensorgrad.ops.linalg.matrices import as_square, columns, from_lapack
from tensorgrad.ops.operands import TensorLike, flag, pair

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["inv", "inverse", "solve"]

_inverse = function("inv")


class Inverse(Op):
    """z = x⁻¹."""

    name = "inv"
    symbol, formula = "x⁻¹", lambda x: _inverse(x)
    derivatives = (lambda grad, z: -(transposed(z) @ grad @ transposed(z)),)

    @from_lapack("A must be invertible; a matrix is singular")
    def forward(self, x):
        return np.linalg.inv(x)

    def backward_x(self, grad, z):
        return -(z.mT @ grad @ z.mT)


class Solve(Op):
    """z = x⁻¹ · y, the solution of x · z = y."""

    symbol, formula = "x⁻¹y", lambda x, y: _inverse(x) @ y
    derivatives = (
        lambda grad, x, z: -(transposed(_inverse(x)) @ grad @ transposed(z)),
        lambda grad, x: transposed(_inverse(x)) @ grad,
    )

    @from_lapack("A must be invertible; a matrix is singular")
    def forward(self, x, y):
        return np.linalg.solve(x, y)

    def backward_x(self, grad, x, z):
        return -(apply(Solve, x.mT, grad) @ z.mT)

    def backward_y(self, grad, x):
        return apply(Solve, x.mT, grad)


def inv(A: TensorLike) -> Tensor:
    """A⁻¹, the inverses of square matrices `(..., N, N)`.

    Args:
        A: square matrices.

    Raises:
        ArgumentError: a singular matrix.
        ShapeError: matrices that aren't square.

    >>> import tensorgrad as tg
    >>> tg.linalg.inv(tg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    return apply(Inverse, as_square("inv", A))


def inverse(input: TensorLike) -> Tensor:
    """PyTorch's other name of `linalg.inv`.

    >>> import tensorgrad as tg
    >>> tg.inverse(tg.tensor([[2.0]]))
    tensor([[0.5]])
    """
    return inv(input)


def solve(A: TensorLike, B: TensorLike, *, left: bool = True) -> Tensor:
    """The solution X of A · X = B.

    Args:
        A: square matrices `(..., N, N)`.
        B: right-hand sides `(..., N, K)`, or vectors `(N,)` or `(..., N)` with the leading axes of A.
        left: False solves X · A = B.

    Raises:
        ArgumentError: a singular matrix.
        ShapeError: matrices that aren't square, or sizes that don't match.

    >>> import tensorgrad as tg
    >>> tg.linalg.solve(tg.tensor([[2.0, 0.0], [0.0, 4.0]]), tg.tensor([2.0, 2.0]))
    tensor([1. , 0.5])
    """
    a, b = pair(as_square("solve", A), B)
    is_vector = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    y = columns(b) if is_vector else b
    left = flag("solve", "left", left)
    y = y if left or is_vector else y.mT
    if not b.ndim or y.shape[-2] != a.shape[-1]:
        problem = f"B must have {a.shape[-1]} {'rows' if left else 'columns'}, the size of A"
        raise ShapeError(restate("solve", problem, A=a, B=b))
    z = apply(Solve, a if left else a.mT, y)
    if is_vector:
        return z.reshape(z.shape[:-1])
    return z if left else z.mT

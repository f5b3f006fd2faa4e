"""Determinants, and their logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensorgrad.autograd.engine import apply, constant, guard
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import fenced, function, transposed, words
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.indexing import getitem
from tensorgrad.ops.linalg.equations import Inverse
from tensorgrad.ops.linalg.matrices import as_square, columns
from tensorgrad.ops.operands import TensorLike

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["det", "logdet", "slogdet"]


class Det(Op):
    """z = det x."""

    symbol, formula = "det", lambda x: function("det")(x)
    derivatives = (lambda grad, x: words(grad, "· the cofactors of", x),)

    def forward(self, x):
        with np.errstate(all="ignore"):
            return np.linalg.det(x)

    def backward_x(self, grad, x):
        return columns(columns(grad)) * apply(Cofactors, x)


class Cofactors(Op):
    """z = the cofactors of x, the derivatives of its determinant, for singular matrices too."""

    symbol, formula = "cof", lambda x: words("the cofactors of", x)
    derivatives = (lambda grad, x: words(grad, "· the cofactors of the minors of", x),)

    def forward(self, x):
        if _are_invertible(x):
            return np.linalg.det(x)[..., None, None] * np.swapaxes(np.linalg.inv(x), -1, -2)
        # By the singular values: cof x = det(u) det(v) · u · diag(Π of the other values) · v.
        u, s, v = np.linalg.svd(x)
        n = s.shape[-1]
        others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(-1)
        sign = np.linalg.det(u) * np.linalg.det(v)
        return (sign[..., None, None] * (u * others[..., None, :]) @ v).astype(x.dtype, copy=False)

    def backward_x(self, grad, x):
        if guard(_are_invertible, x._data):  # of det x · x⁻ᵀ
            inverse = apply(Inverse, x).mT
            inner = columns(columns((grad * inverse).sum((-2, -1))))
            return columns(columns(apply(Det, x))) * (inner * inverse - inverse @ grad.mT @ inverse)
        n = x.shape[-1]
        if n < 2:
            return x * 0.0
        # (..., n, n) -> the minors (..., n, n, n − 1, n − 1), without row i and column j
        others = np.array([[k for k in range(n) if k != i] for i in range(n)])
        index = (..., others[:, None, :, None], others[None, :, None, :])
        signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
        weights = columns(columns(grad * constant(signs.astype(x.dtype))))
        return apply(PutMinors, weights * apply(Cofactors, getitem(x, index)), index=index, size=n)


class PutMinors(Op):
    """z = 0, then z[index] += x: matrices of the size of those that the minors were read from."""

    symbol, formula = "minors", lambda x: words("Σ of the minors", x, "at their places")
    derivatives = (lambda grad: words("the minors of", grad),)
    index: tuple[Any, ...]
    size: int

    def forward(self, x):
        z = np.zeros((*x.shape[:-4], self.size, self.size), x.dtype)
        np.add.at(z, self.index, x)
        return z

    def backward_x(self, grad):
        return getitem(grad, self.index)


def _are_invertible(x: np.ndarray) -> bool:
    """Whether the inverse has digits left."""
    if not x.size:
        return True
    with np.errstate(all="ignore"):
        s = np.linalg.svd(x, compute_uv=False)
    return bool((s[..., -1] > 1e3 * np.finfo(x.dtype).eps * s[..., 0]).all())


class LogAbsDet(Op):
    """z = ln |det x|."""

    symbol, formula = "ln |det|", lambda x: words("ln", fenced("|", function("det")(x), "|"))
    derivatives = (lambda grad, x: words(grad, "·", transposed(function("inv")(x))),)

    def forward(self, x):
        with np.errstate(all="ignore"):
            return np.linalg.slogdet(x)[1]

    def backward_x(self, grad, x):
        return columns(columns(grad)) * apply(Inverse, x).mT


class SignDet(Op):
    """z = the sign of det x."""

    symbol, formula = "sign det", lambda x: words("the sign of", function("det")(x))

    def forward(self, x):
        with np.errstate(all="ignore"):
            return np.linalg.slogdet(x)[0]


class SlogDet(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


def det(A: TensorLike) -> Tensor:
    """The determinants of square matrices: `(..., N, N) -> (...)`. The gradient is right for singular ones too.

    Args:
        A: square matrices.

    Raises:
        ShapeError: matrices that aren't square.

    >>> import tensorgrad as tg
    >>> tg.linalg.det(tg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(8.)
    """
    return apply(Det, as_square("det", A))


def slogdet(A: TensorLike) -> SlogDet:
    """The sign of the determinant, and ln |det A|, which doesn't overflow: `(..., N, N) -> (...)`.

    Args:
        A: square matrices.

    Returns:
        A named tuple (sign, logabsdet); of a singular matrix 0 and −∞. No gradient flows through the sign.

    Raises:
        ShapeError: matrices that aren't square.

    >>> import tensorgrad as tg
    >>> tg.linalg.slogdet(tg.tensor([[2.0, 0.0], [0.0, -4.0]]))
    SlogDet(sign=tensor(-1.), logabsdet=tensor(2.0794))
    """
    x = as_square("slogdet", A)
    return SlogDet(apply(SignDet, x), apply(LogAbsDet, x))


def logdet(input: TensorLike) -> Tensor:
    """ln det of square matrices: −∞ where it is 0, NaN where it is negative.

    Args:
        input: square matrices `(..., N, N)`.

    Raises:
        ShapeError: matrices that aren't square.

    >>> import tensorgrad as tg
    >>> tg.logdet(tg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(2.0794)
    """
    sign, logarithm = slogdet(input)
    return where(sign < 0, float("nan"), logarithm)

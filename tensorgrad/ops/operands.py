"""What users pass to an op, as tensors of the dtypes the op takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import engine
from tensorgrad.arrays import DEFAULT_FLOAT, SCALARS, DTypeLike, as_array, check_dtype, is_float, promote
from tensorgrad.engine import Variable, apply
from tensorgrad.errors import DTypeError, restate
from tensorgrad.op import Op

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["as_tensor", "astype"]

TensorLike = Any
"""A Tensor, an ndarray, a number, or a nested list of numbers."""


quiet = np.errstate(all="ignore")
"""Infinities and NaN are values here, as in PyTorch: no warnings."""


def widened(forward: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A forward whose float16 arrays come as float32, and whose result is rounded back: half precision is for storage.

    Sums and products in half precision would lose digits, or run out of its range, on the way.
    """

    @quiet
    def in_float32(self: Any, *arrays: np.ndarray) -> np.ndarray:
        arrays = [x.astype(np.float32) if x.dtype == np.float16 else x for x in arrays]
        return forward(self, *arrays).astype(np.float16)

    @wraps(forward)
    def wide(self: Any, *arrays: np.ndarray) -> np.ndarray:
        return in_float32(self, *arrays) if arrays[0].dtype == np.float16 else forward(self, *arrays)

    return wide


class Cast(Op):
    """Between float dtypes."""

    symbol, formula = "cast", "z = x"
    derivatives = ("∂z/∂x = 1",)
    dtype: np.dtype

    @quiet
    def forward(self, x):
        self.residuals = x.dtype
        return x.astype(self.dtype)

    def backward_x(self, grad, residuals):
        return grad.astype(residuals)


class Convert(Op):
    """To an integer dtype or bool, or from one: no gradient flows."""

    symbol, formula = "convert", "z = x"
    dtype: np.dtype

    @quiet
    def forward(self, x):
        return x.astype(self.dtype)


def astype(x: TensorLike, dtype: DTypeLike) -> Tensor:
    """`x` in another dtype: NumPy's conversion rules; gradients flow between float dtypes. Always a new tensor.

    Raises DTypeError for complex numbers, text and objects.

    >>> import tensorgrad as tg
    >>> tg.astype(tg.tensor([1.7, -1.7]), "int32")
    tensor([ 1, -1], dtype=int32)
    """
    x, dtype = as_tensor(x), np.dtype(dtype).newbyteorder("=")
    check_dtype("astype", dtype, x=x)
    return apply(Cast if is_float(dtype) and is_float(x._data.dtype) else Convert, x, dtype=dtype)


def as_tensor(x: TensorLike) -> Tensor:
    """`x` itself if it is a tensor, else a tensor around it; memory is shared where it can be.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.as_tensor(np.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    if isinstance(x, Variable):
        return x
    array = as_array(x)
    return engine.wrap(array) if isinstance(x, np.ndarray) else engine.fixed(array)


def floating(x: TensorLike) -> Tensor:
    """`x` as a tensor of a float dtype: integers and bools become float32."""
    x = as_tensor(x)
    return x if is_float(x._data.dtype) else astype(x, DEFAULT_FLOAT)


def for_kernel(op: str, x: TensorLike) -> Tensor:
    """`x` as a tensor that kernels take: float32 or float64. Raises DTypeError for float16."""
    x = floating(x)
    if x._data.dtype == np.float16:
        fix = "convert it first: x.astype('float32')"
        raise DTypeError(restate(op, "no kernel for float16", expected="float32 or float64", fix=fix, x=x))
    return x


def pair(x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    """Two operands in one dtype. Python scalars take the dtype of the other operand and never widen it."""
    if not isinstance(x, Variable):
        x = _scalar(x, y) if isinstance(x, SCALARS) else as_tensor(x)
    if not isinstance(y, Variable):
        y = _scalar(y, x) if isinstance(y, SCALARS) else as_tensor(y)
    dx, dy = x._data.dtype, y._data.dtype
    if dx == dy:
        return x, y
    dtype = promote(dx, dy)
    return (x if dx == dtype else astype(x, dtype)), (y if dy == dtype else astype(y, dtype))


def floating_pair(x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    """Two operands in one float dtype."""
    x, y = pair(x, y)
    return (x, y) if is_float(x._data.dtype) else (floating(x), floating(y))


def _scalar(value: Any, other: Any) -> Tensor:
    dtype = getattr(other, "dtype", None)
    if dtype is None:
        return as_tensor(value)
    # NumPy's weak scalars, widened to ours: a float beside integers is float32.
    if not is_float(dtype) and isinstance(value, (float, np.floating)):
        dtype = DEFAULT_FLOAT
    elif dtype == np.bool_ and not isinstance(value, (bool, np.bool_)):
        dtype = np.dtype(np.int64)
    return engine.fixed(np.asarray(value, dtype))
